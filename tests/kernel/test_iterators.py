"""`iter` on the running kernel: exactly what /proc shows of a process, or of a pid namespace of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import KERNSCOPE, kernscope, needs_tracing
from steered import Steered

from kernscope.kernel import Kernel

pytestmark = [
    needs_tracing,
    pytest.mark.skipif(not Kernel().has_feature("iter"), reason="this kernel has no BPF iterators"),
]

_THREADS = """
import threading
gate = threading.Event()
for _ in range(5): threading.Thread(target=gate.wait, daemon=True).start()
"""


_OLDER = ("cannot iterate over one process", "this kernel has no iterator")
"""What Linux 5.10 answers to some of these tests."""


def lines(*arguments: str) -> list[str]:
    done = kernscope("run", "-q", *arguments)
    skip_on_older(done.stderr)
    assert (done.returncode, done.stderr) == (0, "")
    return [line for line in done.stdout.split("\n") if line]


def skip_on_older(told: str) -> None:
    for reason in _OLDER:
        if reason in told:
            pytest.skip(reason)


def test_threads_of_a_process() -> None:
    with Steered(_THREADS) as work:
        threads = sorted(int(name) for name in os.listdir(f"/proc/{work.pid}/task"))
        program = 'iter:task { printf("%d %d %s\\n", ctx.task.pid, ctx.task.tgid, ctx.task.comm); }'
        found = [line.split(" ", 2) for line in lines("-p", str(work.pid), "-e", program)]
        comm = Path(f"/proc/{work.pid}/comm").read_text().rstrip("\n")
    assert len(threads) == 6
    ids = sorted(int(tid) for tid, _, _ in found)
    if Kernel().pid_namespace.is_initial:
        assert ids == threads and {tgid for _, tgid, _ in found} == {str(work.pid)}
    assert len(ids) == 6 and {name for _, _, name in found} == {comm}


def test_open_files_of_a_process() -> None:
    with Steered("files = [open('/dev/null') for _ in range(20)]") as work:
        wanted = sorted(int(name) for name in os.listdir(f"/proc/{work.pid}/fd"))
        found = lines("-p", str(work.pid), "-e", 'iter:task_file { printf("%d\\n", ctx.fd); }')
    assert [int(line) for line in found] == wanted and len(wanted) >= 23


def test_paths_of_open_files() -> None:
    program = 'iter:task_file { printf("%d %s\\n", ctx.fd, path(ctx.file.f_path)); }'
    with Steered("files = [open(name) for name in ('/dev/null', '/proc/version', '/bin/sh')]") as work:
        names = os.listdir(f"/proc/{work.pid}/fd")
        wanted = {fd: os.readlink(f"/proc/{work.pid}/fd/{fd}") for fd in names}
        found = dict(line.split(" ", 1) for line in lines("-p", str(work.pid), "-e", program))
    assert found == wanted and os.path.realpath("/bin/sh") in found.values()


def test_paths_of_mappings() -> None:
    """Most have no file: there a pointer on the way is NULL."""
    program = "iter:task_vma { @[path(ctx.vma.vm_file.f_path, 200)] = count(); }"
    with Steered() as work:
        found = {line[2:].partition("]")[0] for line in lines("-p", str(work.pid), "-e", program)}
        maps = Path(f"/proc/{work.pid}/maps").read_text().splitlines()
    wanted = {line.split()[5] if len(line.split()) > 5 else "" for line in maps}
    assert found - {""} == {name for name in wanted if name.startswith("/")} and "" in found


def test_mappings_of_a_process() -> None:
    with Steered() as work:
        program = 'iter:task_vma { printf("%lx-%lx\\n", ctx.vma.vm_start, ctx.vma.vm_end); }'
        work.asleep()
        wanted = [line.split()[0] for line in Path(f"/proc/{work.pid}/maps").read_text().splitlines()]
        found = lines("-p", str(work.pid), "-e", program)
    # [vsyscall] is no mapping: the kernel adds it to what it shows
    wanted = [line for line in wanted if not line.startswith("ffffffff")]
    assert [line.rjust(len(line), "0") for line in found] == [re.sub(r"^0+", "", line) for line in wanted]


def test_all_tasks_of_a_pid_namespace() -> None:
    """A private one, where nothing else comes and goes: the shell, its children, and the tracer."""
    shell = 'sleep 30 & sleep 30 & "$@"; kill %1 %2'
    program = "iter:task { @[ctx.task.comm] = count(); @total = count(); }"
    done = subprocess.run(
        [
            *("unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", shell, "sh"),
            *(*KERNSCOPE, "run", "-q", "-e", program),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "unshare" in done.stderr:
        pytest.skip("no pid namespaces here")
    assert "@[sleep]: 2" in done.stdout and "@[sh]: 1" in done.stdout
    assert "@total: 4" in done.stdout


def test_nothing_is_lost_however_much_there_is() -> None:
    """Every object sends far more than a ring of one page has room for: reading goes on when it has been emptied."""
    areas = "import mmap; keep = [mmap.mmap(-1, 4096, prot=1 + i % 2) for i in range(3000)]"
    program = """
        config = { perf_rb_pages = 16 }
        iter:task_vma { printf("%lx %s\\n", ctx.vma.vm_start, "some text that takes some room in the ring"); }
    """
    with Steered(areas) as work:
        maps = Path(f"/proc/{work.pid}/maps").read_text().splitlines()
        wanted = sum("vsyscall" not in line for line in maps)
        found = lines("-p", str(work.pid), "-e", program)
    assert wanted > 1500
    assert len(found) == wanted and len(set(found)) == wanted


def test_several_iterators_run_one_after_the_other_between_begin_and_end() -> None:
    program = """
        begin { printf("begin\\n"); }
        iter:task { printf("task\\n"); }
        iter:task_file { printf("file\\n"); }
        end { printf("end\\n"); }
    """
    with Steered() as work:
        files = len(os.listdir(f"/proc/{work.pid}/fd"))
        found = lines("-p", str(work.pid), "-e", program)
    assert found == ["begin", "task", *["file"] * files, "end"]


def test_beside_other_probes_the_run_goes_on() -> None:
    program = 'iter:task { @ = count(); } interval:ms:300 { printf("still here\\n"); exit(); }'
    with Steered() as work:
        found = lines("-p", str(work.pid), "-e", program)
    assert found == ["still here", "@: 1"]


def test_exit_in_the_middle() -> None:
    found = lines(
        "-e",
        'iter:task { @n = count(); printf("%d\\n", ctx.meta.seq_num); if (ctx.meta.seq_num == 2) { exit(); } }',
    )
    assert found == ["0", "1", "2", "@n: 3"]


def test_every_iterator_of_this_kernel_runs() -> None:
    names = kernscope("list", "iter:*").stdout.split()
    assert "iter:task" in names
    program = " ".join(f"{name} {{ @[probe] = count(); }}" for name in names)
    found = dict(
        re.fullmatch(r"@\[(.*)\]: (\d+)", line).groups()  # type: ignore[union-attr]
        for line in lines("-e", program)
    )
    assert set(found) <= set(names)
    if "iter:ksym" in names:
        symbols = Path("/proc/kallsyms").read_bytes().count(b"\n")
        assert abs(int(found["iter:ksym"]) - symbols) < 200  # those of BPF programs come and go


def test_a_session_in_python_gets_the_events() -> None:
    code = """
import kernscope
program = 'iter:task /ctx.task == curtask/ { printf("%s", ctx.task.comm); }'
events = list(kernscope.run(program))
print(sum(hasattr(event, "text") for event in events))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "1\n", done.stderr


def test_members_are_listed() -> None:
    done = kernscope("list", "-v", "iter:task_file")
    assert done.stdout.split("\n")[:5] == [
        "iter:task_file",
        "    struct bpf_iter_meta * meta",
        "    struct task_struct * task",
        "    u32 fd",
        "    struct file * file",
    ]


def test_what_goes_wrong() -> None:
    done = kernscope("run", "-e", "iter:tasks { }")
    assert done.returncode == 1 and "did you mean `iter:task`?" in done.stderr
    done = kernscope("run", "-e", "iter:bpf_map_elem { }")
    assert done.returncode == 1 and "the elements of a map" in done.stderr


def test_killed_while_it_iterates() -> None:
    """Nothing stays: the iteration belongs to the file that is read."""
    with subprocess.Popen(
        [*KERNSCOPE, "run", "-e", 'iter:ksym { printf("x\\n"); }'],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as tracer:
        assert tracer.stdout is not None
        tracer.stdout.read(2)
        tracer.kill()
    found = lines("-e", "iter:bpf_prog { @[ctx.prog.aux.name] = count(); }")
    assert not any("iter_ksym" in line for line in found)


def test_the_tool_openfiles(tmp_path: Path) -> None:
    (tmp_path / "some file").write_text("x" * 100)
    with Steered(f"f = open({str(tmp_path / 'some file')!r}, 'rb', buffering=0); f.read(42)") as work:
        fd = work.do("f.fileno()")
        done = kernscope("tool", "openfiles", str(work.pid))
        found = [line.split(None, 5) for line in done.stdout.splitlines()[1:] if line]
    if Kernel().pid_namespace.is_initial:
        assert [str(work.pid), str(fd), "r", "42", f"{tmp_path}/some file"] in [
            [row[0], *row[2:]] for row in found
        ]


def test_the_tool_threads() -> None:
    with Steered(_THREADS) as work:
        done = kernscope("tool", "threads", str(work.pid))
        found = [line.split() for line in done.stdout.splitlines()[1:] if line]
        wanted = os.listdir(f"/proc/{work.pid}/task")
    if Kernel().pid_namespace.is_initial:
        assert sorted(row[1] for row in found) == sorted(wanted) and len(wanted) == 6

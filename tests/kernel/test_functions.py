"""Functions that need the running kernel: what they show is compared with what the system itself says."""

import ctypes
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Tracer, kernscope, needs_tracing

import kernscope as api

pytestmark = needs_tracing

PYTHON = os.path.realpath(sys.executable)
"""Not the script of some version manager, which runs several programs before."""

BUSY = ("-c", f"{PYTHON} -c 'import os\nwhile True: os.getppid()'")
"""A command that makes system calls until it is ended."""


def output(program: str, *options: str) -> list[str]:
    done = kernscope("run", "-q", *options, "-e", program)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def kernel_address(name: str) -> int:
    for line in Path("/proc/kallsyms").read_text().splitlines():
        address, kind, symbol = line.split()[:3]
        if symbol == name and (kind not in "aA" or name == "runqueues"):
            return int(address, 16)
    raise AssertionError(f"no {name}")


def test_kaddr_and_ksym() -> None:
    address = kernel_address("vfs_read")
    program = (
        'begin { print(kaddr("vfs_read")); print(ksym(kaddr("vfs_read") + 4)); print(ksym(5)); print(ksym(0)); '
        '@[ksym(kaddr("vfs_write"))] = 1; printf("%12s|\\n", ksym(kaddr("vfs_read"))); exit(); }'
    )
    assert output(program)[:5] == [str(address), "vfs_read", "0x5", "0", "    vfs_read|"]
    assert output(program)[-1] == "@[vfs_write]: 1"


def test_the_kernel_stack_of_a_system_call() -> None:
    """Its frames are functions of the kernel, from the event on, in the forms of bpftrace."""
    program = (
        "tracepoint:syscalls:sys_enter_getppid /pid == cpid/ { print(kstack); print(kstack(perf)); print(kstack(raw)); "
        "print(len(kstack)); print(kstack(1)); exit(); }"
    )
    lines = output(program, "-c", f"{PYTHON} -c 'import os\nwhile True: os.getppid()'")
    blocks = "\n".join(lines).split("\n\n")
    plain, perf, raw = (block.strip("\n").splitlines() for block in blocks[:3])
    assert len(plain) == len(perf) == len(raw) > 1
    assert plain[-1].startswith("        entry_SYSCALL_64_after_hwframe+") or "syscall" in "".join(plain)
    for shown, with_address, number in zip(plain, perf, raw, strict=True):
        name, _, offset = shown.strip().partition("+")
        assert with_address == f"\t{number} {name}+{offset}"
        assert kernel_address(name) + int(offset) == int(number, 16)
    assert not any("bpf" in line for line in plain)


def test_the_user_stack_begins_in_the_function_that_entered_the_kernel() -> None:
    program = (
        "tracepoint:syscalls:sys_enter_getppid /pid == cpid/ { print(ustack(1)); print(ustack(perf, 1)); "
        "exit(); }"
    )
    lines = [
        line for line in output(program, "-c", f"{PYTHON} -c 'import os\nwhile True: os.getppid()'") if line
    ]
    assert re.fullmatch(r"        getppid\+\d+", lines[0])
    assert re.fullmatch(r"\t[0-9a-f]+ getppid\+\d+ \(/.*libc.*\)", lines[1])


def test_equal_stacks_are_equal_keys() -> None:
    program = (
        "tracepoint:syscalls:sys_enter_getppid /pid == cpid/ { @[kstack(2), ustack(1)] = count(); "
        "if (++@n == 50) { exit(); } }"
    )
    code = "import os\nwhile True: os.getppid()"
    done = kernscope("run", "-q", "-e", program, "-c", f'{PYTHON} -c "{code}"')
    assert done.stdout.count("@[") == 1
    assert re.search(r"\n        getppid\+\d+\n\]: 50\n@n: 50\n$", done.stdout)


def test_usym_of_another_process() -> None:
    libc = ctypes.CDLL(None)
    address = ctypes.cast(libc.getppid, ctypes.c_void_p).value
    program = (
        f"tracepoint:syscalls:sys_enter_getppid /pid == {os.getpid()}/ {{ print(usym({address})); exit(); }}"
    )
    with Tracer("-e", program) as tracer:
        os.getppid()
        done = tracer.wait()
    assert done.lines[0] == "getppid"


def test_stacks_as_json() -> None:
    lines = output("begin { @[kstack(2)] = 1; exit(); }", "-f", "json")
    assert re.fullmatch(r'\{"type": "map", "data": \{"@": \{"\\n\S+\+\d+\\n\S+\+\d+\\n": 1\}\}\}', lines[-1])


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ('kaddr("no_such_symbol_here")', "unknown-symbol"),
        ("kstack(bad)", "wrong-arguments"),
        ("kstack(3, perf)", "wrong-arguments"),
        ("kstack(-1)", "wrong-arguments"),
        ("kstack(9999)", "wrong-arguments"),
        ("kstack(build_id, 3)", "wrong-arguments"),
        ("kstack(pid + 1)", "constant-needed"),
        ('ksym("a")', "type-mismatch"),
        ("len(5)", "type-mismatch"),
    ],
)
def test_wrong_arguments(program: str, code: str) -> None:
    done = kernscope("run", "-e", f"begin {{ print({program}); exit(); }}")
    assert done.returncode == 1
    assert f"error[{code}]" in done.stderr


def test_long_strings_are_searched_on_the_running_kernel(tmp_path: Path) -> None:
    name = tmp_path / ("x" * 200 + "needle")
    name.touch()
    program = (
        "tracepoint:syscalls:sys_enter_openat /pid == cpid/ { $p = str(args.filename); "
        'if (strcontains($p, "needle")) { printf("%d %d %d\\n", strstr($p, "needle"), strlen($p), strstr($p, $p)); } }'
    )
    done = kernscope("run", "-q", "-e", program, "-c", f"cat {name}")
    assert f"{str(name).index('needle')} {len(str(name))} 0" in done.stdout.splitlines()


@pytest.mark.parametrize("call", ['signal("SIGKILL")', "signal(9)", 'signal_thread("KILL")'])
def test_a_signal_is_sent(call: str) -> None:
    program = f"tracepoint:syscalls:sys_enter_getppid /pid == cpid/ {{ {call}; print(1); }}"
    code = "import os; os.getppid(); print(5, flush=True)"
    done = kernscope("run", "-q", "--unsafe", "-e", program, "-c", f"{PYTHON} -c '{code}'")
    assert [line for line in done.stdout.splitlines() if line] == ["1"]


def test_samples_of_a_busy_process_are_in_user_mode() -> None:
    program = (
        'profile:hz:199 /pid == cpid/ { @[usermode, reg("ip") > 0] = count(); } interval:ms:300 { exit(); }'
    )
    done = kernscope("run", "-q", "-e", program, "-c", f"{PYTHON} -c 'while True: pass'")
    counted = dict(re.findall(r"@\[(\d, true)\]: (\d+)", done.stdout))
    assert int(counted["1, true"]) > int(counted.get("0, true", 0))


def test_ids_and_parents() -> None:
    values = "pid(init) == pid(curr_ns), tid(init) == tid, ppid(curtask), pcomm(curtask) == pcomm"
    program = f"begin {{ print(({values})); exit(); }}"
    own = Path("/proc/self/status").read_text()
    same = len(re.search(r"NSpid:(.*)", own).group(1).split()) == 1  # type: ignore[union-attr]
    expected = str(same).lower()
    assert output(program)[0] == f"({expected}, {expected}, {os.getpid()}, true)"


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """The folder of a new control group of version 2."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    root = next(
        (Path(where) for where, kind in mounts if kind == "cgroup2" and where.startswith("/sys/fs/")), None
    )
    if root is None:
        pytest.skip("no cgroups of version 2 are mounted")
    folder = root / f"ks_test_{os.getpid()}" / "inner"
    try:
        folder.mkdir(parents=True)
    except OSError as failure:
        pytest.skip(f"no control group can be made here: {failure}")
    yield folder
    folder.rmdir()
    folder.parent.rmdir()


def test_control_groups(cgroup: Path) -> None:
    id = cgroup.stat().st_ino
    path = f"/ks_test_{os.getpid()}/inner"
    program = (
        f'begin {{ print(cgroupid("{cgroup}")); print(cgroup_path({id}, "unified")); print(cgroup_path({id}, "no*")); '
        f'@[cgroup_path({id}, "unified")] = 1; exit(); }}'
    )
    lines = output(program)
    assert lines[:3] == [str(id), f"unified:{path}", ""]
    assert lines[-1] == f"@[unified:{path}]: 1"
    where = [line.partition(":")[2] for line in Path("/proc/self/cgroup").read_text().splitlines()]
    unified = next(line[1:] for line in where if line.startswith(":"))
    own = output(
        'tracepoint:syscalls:sys_enter_getppid { print(cgroup_path(cgroup, "unified")); exit(); }', *BUSY
    )
    assert own[0] == f"unified:{unified}"


def test_what_is_no_control_group() -> None:
    done = kernscope("run", "-e", 'begin { print(cgroupid("/tmp")); exit(); }')
    assert done.returncode == 1
    assert "error[wrong-arguments]: `/tmp` is not the folder of a control group" in done.stderr


def test_names_of_other_processes() -> None:
    """A process, a thread of another name, ids that nobody has; read in programs of several types."""
    done = threading.Event()
    ids: list[int] = []

    def wait() -> None:
        Path("/proc/thread-self/comm").write_text("named-thread")
        ids.append(threading.get_native_id())
        started.set()
        done.wait()

    started = threading.Event()
    thread = threading.Thread(target=wait)
    thread.start()
    started.wait()
    try:
        values = f"comm({os.getpid()}), comm({ids[0]}), comm(0), comm(4194304), comm(99999999)"
        own = Path("/proc/self/comm").read_text().strip()
        expected = f"({own}, named-thread, N/A, N/A, N/A)"
        for probe in ("begin", "interval:ms:10", "rawtracepoint:sys_enter", "tracepoint:sched:sched_switch"):
            assert output(f"{probe} {{ print(({values})); exit(); }}")[0] == expected, probe
    finally:
        done.set()
        thread.join()


def test_functions_for_programs() -> None:
    assert output('begin { print(kfunc_exist("vfs_read")); print(kfunc_exist("no_such")); exit(); }')[:2] == [
        "true",
        "false",
    ]


def test_a_per_cpu_variable() -> None:
    """Of `struct rq` the member `cpu` is the number of the CPU that it belongs to."""
    try:
        kernel_address("runqueues")
    except AssertionError:
        pytest.skip("this kernel lists no data in /proc/kallsyms (CONFIG_KALLSYMS_ALL)")
    program = (
        'begin { $a = (struct rq *)percpu_kaddr("runqueues", 0); $b = (struct rq *)percpu_kaddr("runqueues", 1); '
        'print(($a.cpu, $b.cpu)); print(percpu_kaddr("runqueues", 9999) == 0); exit(); }'
    )
    assert output(program)[:2] == ["(0, 1)", "true"]


def test_clocks() -> None:
    """All clocks within some seconds of what this process reads; the two TAI clocks nearly the same."""
    program = (
        "begin { print((nsecs(boot), nsecs(monotonic), nsecs(tai), nsecs(sw_tai), nsecs)); "
        'print(strftime("%s", nsecs)); print(strftime("%s", nsecs(tai))); '
        'print(strftime("%s", nsecs(monotonic))); exit(); }'
    )
    lines = output(program)
    boot, monotonic, tai, sw_tai, default = (int(n) for n in lines[0].strip("()").split(", "))
    for shown, clock in (
        (boot, time.CLOCK_BOOTTIME),
        (monotonic, time.CLOCK_MONOTONIC),
        (tai, time.CLOCK_TAI),
    ):
        assert 0 <= time.clock_gettime_ns(clock) - shown < 20_000_000_000
    assert abs(tai - sw_tai) < 1_000_000
    assert 0 <= default - boot < 1_000_000
    now = time.time()
    assert all(0 <= now - int(line) < 20 for line in lines[1:4])


@pytest.mark.parametrize("off", ["", "may_goto", "may_goto,cpu_v4,atomic_fetch"])
@pytest.mark.parametrize(
    "action",
    [
        "$h = str(args.filename, 256); $n = str(args.filename, 255); print(strstr($h, $n));",
        "$h = str(args.filename); $n = str(args.filename, 64); print(strcontains($h, $n));",
        '$h = str(args.filename); print((strstr($h, "a needle of some length"), strlen($h), memcmp($h, $h, 1000)));',
        "print(kstack(5)); print(ustack); @[kstack(perf, 1024), ustack(1024)] = count(); print(len(kstack));",
        '@a[comm] = tseries(5, 1s, 5); @b = tseries(1, 1ms, 1000, "avg"); print(strerror(args.flags));',
    ],
)
def test_the_verifier_takes_it(action: str, off: str) -> None:
    """Also on kernels without may_goto, whose verifier walks through every round of a loop."""
    program = f"tracepoint:syscalls:sys_enter_openat {{ {action} exit(); }}"
    settings: dict[str, int | str | bool] = {"off_features": off} if off else {}
    session = api.run(
        program, settings=settings, command=["/bin/sh", "-c", "while :; do cat /dev/null; done"]
    )
    assert session.run() == 0

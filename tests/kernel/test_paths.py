"""`path()` where the kernel does not compose paths: what /proc/PID/fd says of the same files."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from command_line import kernscope, needs_tracing

pytestmark = needs_tracing

_ASK = 4660
"""No command of fcntl(2): marks the calls of a workload. Each is refused, and changes nothing."""
_PROGRAM = """
config = {{ max_strlen = {size} }}
tracepoint:syscalls:sys_enter_fcntl / args.cmd == 4660 / {{
  $task = (struct task_struct *)curtask;
  printf("%d %s\\n", args.fd, path($task->files->fdt->fd[args.fd]->f_path));
}}
"""
_WORKLOAD = """
import fcntl, json, os, subprocess, sys
open_files, wanted = [], os.environ["WANTED"]
def told(file):
    number = file if isinstance(file, int) else file.fileno()
    open_files.append(file)
    try: fcntl.fcntl(number, 4660)
    except OSError: pass
    with open(wanted, "a") as written:
        print(json.dumps([number, os.readlink(f"/proc/self/fd/{number}")]), file=written)
def opened(name, flags=os.O_RDONLY): return os.open(name, flags)
"""


def run(program: str, workload: str, *wrapper: str) -> tuple[list[str], dict[int, str]]:
    """The lines that a program prints while a workload runs, and what /proc says of its files, by descriptor."""
    command = [*wrapper, sys.executable, "-c", _WORKLOAD + workload]
    with tempfile.NamedTemporaryFile("r") as wanted:
        environment = os.environ | {"WANTED": wanted.name}
        done = kernscope("run", "-q", "-e", program, "-c", shlex.join(command), env=environment)
        assert (done.returncode, done.stderr) == (0, "")
        return [line for line in done.stdout.split("\n") if line], dict(map(json.loads, wanted))


def paths(workload: str, *wrapper: str, size: int = 1024) -> tuple[dict[int, str], dict[int, str]]:
    """What our program says, and what /proc says, by descriptor."""
    lines, wanted = run(_PROGRAM.format(size=size), workload, *wrapper)
    found = {int(number): name for number, _, name in (line.partition(" ") for line in lines)}
    assert list(found) == list(wanted) and wanted
    return found, wanted


def test_files_and_directories() -> None:
    names = ["/", "/proc", "/proc/version", "/dev/null", "/usr/bin", "/sys/kernel", "/bin/sh"]
    found, wanted = paths(f"for name in {names}: told(opened(name))")
    assert found == wanted and len(wanted) == len(names)


def test_short_and_long_names(tmp_path: Path) -> None:
    """Short names lie in the dentry, long ones elsewhere; the lengths around are those of all kernels."""
    for length in (*range(1, 66), 200, 255):
        (tmp_path / ("n" * length)).mkdir()
        (tmp_path / ("n" * length) / ("m" * length)).touch()
    work = (
        f"for n in (*range(1, 66), 200, 255): told(opened({str(tmp_path)!r} + '/' + 'n' * n + '/' + 'm' * n))"
    )
    found, wanted = paths(work)
    assert found == wanted and len(wanted) == 67


def test_bytes_of_all_kinds(tmp_path: Path) -> None:
    names = ["a b", "ä", "日本語", "semi;colon", "quote'd", 'dou"ble', "…"]
    for name in names:
        (tmp_path / name).touch()
    found, wanted = paths(f"for name in {names!r}: told(opened({str(tmp_path)!r} + '/' + name))")
    assert found == wanted


def test_deep_directories_and_long_paths(tmp_path: Path) -> None:
    """What has no room is cut in front: 48 components and mounts, or so many bytes."""
    work = f"""
os.chdir({str(tmp_path)!r})
for i in range(60):
    os.mkdir("d%02d" % i); os.chdir("d%02d" % i); told(opened("."))
"""
    found, wanted = paths(work)
    above = len(tmp_path.parts) - 1
    whole = [found[fd] == wanted[fd] for fd in wanted]
    assert all(whole[: 40 - above]) and not any(whole[48:])
    cut = [fd for fd in wanted if found[fd] != wanted[fd]]
    assert all(found[fd].startswith("…/") and wanted[fd].endswith(found[fd][1:]) for fd in cut)
    assert all(found[fd].count("/") > 40 for fd in cut)
    shorter, wanted = paths(
        work.replace('"d%02d"', '"e%02d"').replace("range(60)", "range(20)"), size=len(str(tmp_path)) + 20
    )
    for fd, name in shorter.items():
        assert name == wanted[fd] or (name.startswith("…/") and wanted[fd].endswith(name[1:]))
        assert len(name.encode()) < len(str(tmp_path)) + 20
    assert shorter != {fd: wanted[fd] for fd in shorter}


def test_deleted_files(tmp_path: Path) -> None:
    found, wanted = paths(f"""
name = {str(tmp_path)!r} + "/gone"
told(opened(name, os.O_CREAT | os.O_RDWR))
file = opened(name); os.unlink(name); told(file)
os.mkdir(name); folder = opened(name); os.rmdir(name); told(folder)
""")
    assert found == wanted
    assert [name.endswith(" (deleted)") for name in wanted.values()] == [False, True, True]


def test_files_in_no_directory() -> None:
    found, _ = paths("""
import socket
told(os.memfd_create("code")); told(socket.socket()); told(os.pipe()[0])
""")
    assert list(found.values()) == ["memfd:code", "TCP", ""]


def test_bind_mounts_and_other_file_systems(tmp_path: Path) -> None:
    """In a mount namespace of its own, which ends with the workload."""
    if subprocess.run(["unshare", "-m", "true"]).returncode:
        pytest.skip("no mount namespace can be made here")
    for name in ("a/inner", "b", "tmpfs", "over"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a/inner/file").touch()
    (tmp_path / "target").touch()
    found, wanted = paths(
        f"""
os.chdir({str(tmp_path)!r})
def mount(*arguments): subprocess.run(["mount", *arguments], check=True)
mount("--bind", "a/inner", "b")
told(opened("b")); told(opened("b/file"))
mount("--bind", "a/inner/file", "target")
told(opened("target"))
mount("-t", "tmpfs", "none", "tmpfs")
told(opened("tmpfs")); told(opened("tmpfs/deep", os.O_CREAT))
mount("-t", "tmpfs", "none", "over"); mount("-t", "tmpfs", "none", "over")
told(opened("over/twice", os.O_CREAT))
""",
        *("unshare", "-m", "--propagation", "private"),
    )
    assert found == wanted and str(tmp_path / "b/file") in wanted.values()


def test_a_path_is_whole_in_a_chroot(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found, wanted = paths(f"""
proc = os.open("/proc/self/fd", os.O_RDONLY)
os.readlink = lambda name, readlink=os.readlink: readlink(name.rpartition("/")[2], dir_fd=proc)
written = os.open(wanted, os.O_WRONLY); wanted = written
os.chroot({str(tmp_path)!r}); os.chdir("/")
told(opened("/file"))
""")
    assert list(found.values()) == [f"{tmp_path}/file"] and list(wanted.values()) == ["/file"]


def test_of_a_pointer_and_in_variables_and_keys() -> None:
    """Where a path is stored, all behind its end is zero: equal paths are one key."""
    program = """
config = { max_strlen = 200 }
tracepoint:syscalls:sys_enter_fcntl / args.cmd == 4660 / {
  $task = (struct task_struct *)curtask;
  $path = path($task->files->fdt->fd[args.fd]->f_path);
  @same[path(&$task->files->fdt->fd[args.fd]->f_path)] = count();
  @there[$path] = count();
  if ($path == "/usr/bin" && strncmp($path, "/usr/", 5) == 0) { @bin = count(); }
  printf("%s %s\\n", path($task->fs->pwd), path($task->fs->root, 64));
}
"""
    work = "os.chdir('/dev')\nfor n in ['/usr/bin', '/proc/version', '/', '/usr/bin']: told(opened(n))"
    lines, _ = run(program, work)
    counted = [
        f"@{name}[{path}]: {n}"
        for name in ("same", "there")
        for path, n in (("/", 1), ("/proc/version", 1), ("/usr/bin", 2))
    ]
    assert sorted(lines) == sorted(["/dev /"] * 4 + counted + ["@bin: 2"])


def test_of_a_mount_and_a_dentry() -> None:
    program = """
config = { max_strlen = 1024 }
tracepoint:syscalls:sys_enter_fcntl / args.cmd == 4660 / {
  $file = ((struct task_struct *)curtask)->files->fdt->fd[args.fd];
  printf("%d %s\\n", args.fd, path($file->f_path.mnt, $file->f_path.dentry));
  printf("%d %s\\n", args.fd, path($file->f_path.mnt, $file->f_path.dentry->d_parent, 100));
}
"""
    lines, wanted = run(program, "told(opened('/usr/bin/env')); told(opened('/proc/self/status'))")
    names = [name for found in wanted.values() for name in (found, os.path.dirname(found))]
    assert [line.partition(" ")[2] for line in lines] == names and len(names) == 4

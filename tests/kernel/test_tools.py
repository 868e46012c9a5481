"""Tools for files, processes, signals and users, each against work whose events are known."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from command_line import kernscope, needs_tracing
from tool_runs import LIBC, buckets, child, needs, rows, watch

import kernscope as library

pytestmark = needs_tracing


# --- files -----------------------------------------------------------------------------------------------


def test_opensnoop(tmp_path: Path) -> None:
    there, absent = tmp_path / "there", tmp_path / "not there"
    there.write_text("x")

    def work() -> None:
        os.close(os.open(there, os.O_RDONLY))
        with pytest.raises(FileNotFoundError):
            os.open(absent, os.O_RDONLY)

    done = watch("opensnoop", str(os.getpid()), work=work)
    mine = [line for line in done.lines if str(tmp_path) in line]
    assert [line.split()[4:] for line in mine] == [["0", str(there)], ["2", *str(absent).split()]]
    assert int(mine[0].split()[3]) > 2 and mine[1].split()[3] == "-1"
    assert {row[1] for row in rows(done)} == {str(os.getpid())}


def test_statsnoop(tmp_path: Path) -> None:
    def work() -> None:
        os.stat(tmp_path)
        os.path.exists(tmp_path / "absent")

    done = watch("statsnoop", str(os.getpid()), work=work)
    mine = [row[3:] for row in rows(done, os.getpid()) if str(tmp_path) in row[-1]]
    assert mine == [["0", str(tmp_path)], [str(errno.ENOENT), f"{tmp_path}/absent"]]


def test_syncsnoop(tmp_path: Path) -> None:
    def work() -> None:
        with open(tmp_path / "file", "w") as file:
            print(file.fileno())
            file.write("x")
            file.flush()
            os.fsync(file)
            os.fdatasync(file)
        with pytest.raises(OSError):
            os.fsync(9999)

    mine = rows(watch("syncsnoop", work=work), os.getpid())
    assert [(row[3], row[6]) for row in mine] == [("fsync", "0"), ("fdatasync", "0"), ("fsync", "9")]
    assert mine[0][4] == mine[1][4] and mine[2][4] == "9999"


def test_filelife(tmp_path: Path) -> None:
    needs("ext4:ext4_allocate_inode", "ext4:ext4_unlink_enter")
    if not _on_ext4(tmp_path):
        pytest.skip(f"{tmp_path} is not on ext4")

    def work() -> None:
        path = tmp_path / "short-lived"
        path.write_text("twelve bytes")
        time.sleep(0.05)
        path.unlink()

    ((_, pid, _, age, size, path),) = [
        row for row in rows(watch("filelife", work=work)) if "short-lived" in row[-1]
    ]
    assert (pid, size, path) == (str(os.getpid()), "12", str(tmp_path / "short-lived"))
    assert 50 <= float(age) < 5000


def _on_ext4(path: Path) -> bool:
    done = subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True)
    return done.stdout.strip() == "ext2/ext3"


def test_vfsstat(tmp_path: Path) -> None:
    def work() -> None:
        end = time.monotonic() + 2.2
        while time.monotonic() < end:
            for _ in range(50):
                os.pread(fd, 1, 0)
            time.sleep(0.005)

    fd = os.open(tmp_path, os.O_RDONLY)
    with open(tmp_path / "file", "wb+") as file:
        fd = file.fileno()
        found = rows(watch("vfsstat", work=work))
    assert 1 <= len(found) <= 4
    assert max(int(row[1]) for row in found) > 1000  # reads each second


def test_ext4dist(tmp_path: Path) -> None:
    needs("ext4:ext4_sync_file_enter", "ext4:ext4_unlink_enter")
    if not _on_ext4(tmp_path):
        pytest.skip(f"{tmp_path} is not on ext4")

    def work() -> None:
        for number in range(5):
            with open(tmp_path / f"file{number}", "w") as file:
                file.write("x")
                file.flush()
                os.fsync(file)
            os.unlink(file.name)

    done = watch("ext4dist", work=work)
    for operation in ("fsync", "write", "unlink", "writepages"):
        assert sum(buckets(done, f"@us[{operation}]").values()) >= 5


def test_filetop(tmp_path: Path) -> None:
    path = tmp_path / "ks-file"
    path.write_bytes(b"x" * 5_000_000)

    def work() -> None:
        for _ in range(3):
            path.read_bytes()
        with open(path, "wb") as file:
            file.write(b"y" * 4_321_000)
        os.write(pipe[1], b"not a file")
        time.sleep(1.5)

    pipe = os.pipe()
    done = watch("filetop", work=work)
    totals = dict(re.findall(rf"^(@\w+)\[{os.getpid()}, .*, ks-file\]: (\d+)$", done.out, re.MULTILINE))
    assert totals == {"@read": "15000000", "@written": "4321000"}
    assert re.search(r"^\d\d:\d\d:\d\d$", done.out, re.MULTILINE)


def test_fileslower(tmp_path: Path) -> None:
    """Opening a FIFO read-write is no file; a write that waits for the disk is slow."""
    path = tmp_path / "ks-slow"

    def work() -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.write(fd, b"x" * (64 << 20))
        os.close(fd)

    done = watch("fileslower", "1", work=work)
    ((_, _, _, what, size, ms, name),) = [row for row in rows(done, os.getpid()) if row[-1] == "ks-slow"]
    assert (what, size, name) == ("write", str(64 << 20), "ks-slow")
    assert 1 <= float(ms) < 10_000


def test_mountsnoop(tmp_path: Path) -> None:
    target = str(tmp_path / "absent")

    def work() -> None:
        assert LIBC.mount(b"none", target.encode(), b"tmpfs", 0, None) == -1
        assert LIBC.umount2(target.encode(), 0) == -1

    mine = [row[3:] for row in rows(watch("mountsnoop", work=work), os.getpid())]
    assert mine == [["mount", "2", "tmpfs", "none", target], ["umount", "2", target]]


# --- processes -------------------------------------------------------------------------------------------


def test_execsnoop(tmp_path: Path) -> None:
    program = tmp_path / "ks_program"
    shutil.copy(shutil.which("true") or "/bin/true", program)

    def work() -> None:
        subprocess.run([program, "--one", "two three", ""], check=True)
        subprocess.run([program, *map(str, range(12))], check=True)
        with pytest.raises(FileNotFoundError):
            subprocess.run([tmp_path / "absent", "argument"])

    done = watch("execsnoop", work=work)
    mine = [line for line in done.lines if str(tmp_path) in line]
    assert [line.split(maxsplit=5)[5] for line in mine] == [
        f"{program} --one two three ",
        f"{program} 0 1 2 3 4 5 6 7 8 ...",
        f"{tmp_path}/absent",
    ]
    assert [line.split()[4] for line in mine] == ["0", "0", "2"]
    assert {line.split()[2] for line in mine[:2]} == {str(os.getpid())}


def test_exitsnoop() -> None:
    done_by: list[int] = []

    def work() -> None:
        for command in ("exit 7", "kill -TERM $$", "sleep 0.2"):
            process = subprocess.Popen(["sh", "-c", command])
            process.wait()
            done_by.append(process.pid)

    done = watch("exitsnoop", work=work)
    found = [row for row in rows(done) if int(row[1]) in done_by]
    assert [(int(row[1]), row[2], row[5], row[6]) for row in found] == [
        (done_by[0], str(os.getpid()), "7", "0"),
        (done_by[1], str(os.getpid()), "0", "15"),
        (done_by[2], str(os.getpid()), "0", "0"),
    ]
    assert 0.2 <= float(found[2][4]) < 10


def test_naptime() -> None:
    """sleep asks with a length, Python with a point in time."""
    process: list[int] = []

    def work() -> None:
        process.append(child(lambda: LIBC.usleep(123_000)))

    ((_, _, _, asked, slept),) = rows(watch("naptime", work=work), process[0])
    assert float(asked) == 123
    assert 123 <= float(slept) < 2000


def test_proctree(tmp_path: Path) -> None:
    program = tmp_path / "ks_program"
    shutil.copy(shutil.which("true") or "/bin/true", program)
    started: list[int] = []

    def work() -> None:
        pid = os.fork()
        if pid == 0:
            os.execv(program, [program])
        os.waitpid(pid, 0)
        started.append(pid)

    done = watch("proctree", work=work)
    found = [row[2:] for row in rows(done, started[0])]
    assert [(row[0], row[1]) for row in found] == [
        (str(os.getpid()), what) for what in ("fork", "exec", "exit")
    ]
    assert found[1][2:] == [str(program)] and found[2][2:] == ["ks_program"]


def test_threadsnoop() -> None:
    tids: list[int] = []

    def work() -> None:
        for _ in range(7):
            thread = threading.Thread(target=lambda: tids.append(threading.get_native_id()))
            thread.start()
            thread.join()

    done = watch("threadsnoop", work=work)
    assert [int(row[4]) for row in rows(done, os.getpid())] == tids


# --- signals ---------------------------------------------------------------------------------------------


def test_killsnoop_and_sigsnoop() -> None:
    def work() -> None:
        process = subprocess.Popen(["sleep", "60"])
        pids.append(process.pid)
        process.send_signal(signal.SIGTERM)
        process.wait()
        with pytest.raises(ProcessLookupError):
            os.kill(process.pid, signal.SIGUSR1)

    pids: list[int] = []
    done = watch("killsnoop", work=work)
    mine = [row[3:] for row in rows(done, os.getpid()) if row[4] == str(pids[0])]
    assert mine == [["15", str(pids[0]), "0"], ["10", str(pids[0]), "3"]]
    pids.clear()
    done = watch("sigsnoop", "15", work=work)
    mine = [row[3:] for row in rows(done, os.getpid())]
    assert [row[:3] + row[-1:] for row in mine] == [["15", "SIGTERM", str(pids[0]), "delivered"]]
    assert {row[3] for row in rows(done)} == {"15"}


# --- users and security ----------------------------------------------------------------------------------


def test_setuids() -> None:
    def work() -> None:
        os.setresgid(7, 8, 9)
        os.setresuid(1234, 1235, -1)
        LIBC.setuid(0)

    pids: list[int] = []
    done = watch("setuids", work=lambda: pids.append(child(work)))
    assert [row[3:] for row in rows(done, pids[0])] == [
        ["0", "0", "setresgid", "7", "8", "9", "0"],
        ["0", "7", "setresuid", "1234", "1235", "-1", "0"],
        ["1234", "7", "setuid", "0", "-1", "-1", "0"],
    ]


def test_capable() -> None:
    needs("capability:cap_capable")

    def work() -> None:
        os.setuid(1234)
        LIBC.chroot(b"/")

    pids: list[int] = []
    done = watch("capable", work=lambda: pids.append(child(work)))
    mine = [row[4:] for row in rows(done, pids[0], 2)]
    assert ["7", "SETUID", "granted"] in mine
    assert mine[-1] == ["18", "SYS_CHROOT", "denied"]


def test_bpfsnoop() -> None:
    def work() -> None:
        LIBC.syscall(321 if os.uname().machine == "x86_64" else 280, 9999, 0, 0)

    pids: list[int] = []
    done = watch("bpfsnoop", work=lambda: pids.append(child(work)))
    assert [row[4:] for row in rows(done, pids[0], 2)] == [["9999", str(-errno.EINVAL)]]


def test_ptracesnoop() -> None:
    pids: list[int] = []
    done = watch("ptracesnoop", work=lambda: pids.append(child(lambda: LIBC.ptrace(16, 1 << 22, 0, 0))))
    assert [row[4:] for row in rows(done, pids[0], 2)] == [["ptrace", "16", str(1 << 22)]]


def test_modesnoop(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")

    def work() -> None:
        os.chmod(path, 0o4750)
        os.chown(path, 12, 34)
        with pytest.raises(FileNotFoundError):
            os.chmod(f"{path}x", 0o600)

    done = watch("modesnoop", work=work)
    assert [row[4:] for row in rows(done, os.getpid(), 2)] == [
        ["chmod", "4750", "-", "-", "0", str(path)],
        ["chown", "-", "12", "34", "0", str(path)],
        ["chmod", "600", "-", "-", "2", f"{path}x"],
    ]


def test_nssnoop() -> None:
    def work() -> None:
        LIBC.unshare(0x04000000)  # CLONE_NEWUTS
        LIBC.setns(9999, 0)
        LIBC.chroot(b"/")

    pids: list[int] = []
    done = watch("nssnoop", work=lambda: pids.append(child(work)))
    assert [row[4:] for row in rows(done, pids[0], 2)] == [
        ["unshare", "0x04000000", "0"],
        ["setns", "0x00000000", "9"],
        ["chroot", "0x00000000", "0"],
    ]


# --- the command -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", library.tools.names())
def test_every_tool_runs_or_says_what_this_kernel_lacks(name: str) -> None:
    """The kernel's verifier takes what was compiled, whatever the kernel."""
    events: list[object] = []
    try:
        session = library.run_tool(name, sinks=[library.EventSink(events.append)], duration=0.01)
    except library.CompileError as error:
        codes = {diagnostic.code for diagnostic in error.diagnostics}
        assert codes & (lacks := {"unknown-probe", "unknown-field", "unknown-type", "not-supported-here"})
        assert codes <= {*lacks, "undefined-map"}  # which only a clause of a probe that is not there assigns
        pytest.skip(f"this kernel lacks what {name} needs: {error.diagnostics[0].message}")
    assert session.run() == 0
    assert [event for event in events if isinstance(event, library.ErrorEvent)] == []


def test_a_duration_ends_a_tool_and_json_is_json() -> None:

    start = time.monotonic()
    done = kernscope("tool", "opensnoop", "-d", "0.5", "-f", "json")
    assert done.returncode == 0
    assert time.monotonic() - start < 10
    assert [json.loads(line)["type"] for line in done.stdout.splitlines()][:2] == [
        "attached_probes",
        "printf",
    ]

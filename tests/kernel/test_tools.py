"""Each tool against work whose events are known."""

import ctypes
import errno
import mmap
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import KERNSCOPE, Finished, Tracer, kernscope, needs_tracing

import kernscope as library

pytestmark = needs_tracing

LIBC = ctypes.CDLL(None, use_errno=True)


class Tool(Tracer):
    """`kernscope tool` in the background."""

    def __init__(self, *arguments: str) -> None:
        super().__init__()
        self._command = [*KERNSCOPE, "tool", *arguments]


def needs(*events: str) -> None:
    """Skip where the kernel lacks one of these tracepoints."""
    for event in events:
        if not library.list_probes(f"tracepoint:{event}"):
            pytest.skip(f"this kernel has no tracepoint {event}")


def watch(*arguments: str, work: Callable[[], object]) -> Finished:
    """Run a tool around `work`, and end it."""
    with Tool(*arguments) as tracer:
        work()
        done = tracer.stop()
    assert done.code == 0, done.err
    assert [line for line in done.err.splitlines() if not line.startswith("Attached ")] == []
    return done


def rows(done: Finished, pid: int | None = None, column: int = 1) -> list[list[str]]:
    """The lines of a tool that prints one per event, split into words; of one process, if one is given."""
    found = [line.split() for line in done.lines if re.match(r"\d\d:\d\d:\d\d ", line)]
    return [row for row in found if pid is None or row[column] == str(pid)]


def buckets(done: Finished, name: str = "@us") -> dict[str, int]:
    """Rows of the histogram `name`: label → how many."""
    text = done.out.split(f"\n{name}:\n")[1].split("\n\n")[0]
    return {label: int(n) for label, n in re.findall(r"^([\[(].*?[)\]]) +(\d+) \|", text, re.MULTILINE)}


def child(work: Callable[[], object]) -> int:
    """Do it in a child process; its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    return pid


# --- files -------------------------------------------------------------------------------------------------


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


# --- processes ---------------------------------------------------------------------------------------------


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


# --- CPU and scheduling ------------------------------------------------------------------------------------


def test_runqlat_and_cpudist() -> None:
    needs("sched:sched_wakeup")
    sleeper = subprocess.Popen(
        [sys.executable, "-c", "import time\ninput()\nfor _ in range(50): time.sleep(0.002)"],
        stdin=subprocess.PIPE,
    )
    assert sleeper.stdin is not None
    pipe = sleeper.stdin

    def work() -> None:
        pipe.write(b"\n")
        pipe.close()
        sleeper.wait()

    waits = sum(buckets(watch("runqlat", str(sleeper.pid), work=work)).values())
    assert waits >= 45  # by the pipe, and by the clock 50 times; more where others were given the CPU first
    assert waits < 500


def test_cpudist() -> None:
    """A process that sleeps 50 times leaves the CPU about as often."""
    with Tool("cpudist", "-c", _sleeps(50)) as tracer:
        done = tracer.wait()
    assert sum(buckets(done).values()) >= 40


def test_offcputime() -> None:
    with Tool("offcputime", "-c", _sleeps(50)) as tracer:
        done = tracer.wait()
    found = re.search(r"^@us\[ks-sleeps\]: \{ .count = (\d+), .average = (\d+),", done.out, re.MULTILINE)
    assert found, done.out
    # The kernel skips a switch now and then: while somebody on that CPU reads a map, for one.
    assert int(found[1]) >= 40 and int(found[2]) >= 2000


def _sleeps(times: int) -> str:
    """A command that sleeps so often for 4 ms under a name of its own."""
    text = (
        "import ctypes, time; ctypes.CDLL(None).prctl(15, b'ks-sleeps');"
        f" [time.sleep(0.004) for _ in range({times})]"
    )
    return f'{sys.executable} -c "{text}"'


def test_cpuwalk() -> None:
    cpu = max(os.sched_getaffinity(0))

    def work() -> None:
        end = time.process_time() + 0.5
        while time.process_time() < end:
            pass

    before = os.sched_getaffinity(0)
    try:
        with Tool("cpuwalk") as tracer:
            os.sched_setaffinity(0, {cpu})
            work()
            done = tracer.stop()
    finally:
        os.sched_setaffinity(0, before)
    samples = buckets(done, "@cpu")[f"[{cpu}]"]
    assert samples >= 40  # half a second at 99 a second


def test_runqlen() -> None:
    """Three busy processes on one CPU: samples of that CPU see three."""
    cpu = max(os.sched_getaffinity(0))
    text = f"import os, time; os.sched_setaffinity(0, {{{cpu}}}); e = time.time() + 1.5\nwhile time.time() < e: pass"
    done = watch(
        "runqlen",
        work=lambda: [p.wait() for p in [subprocess.Popen([sys.executable, "-c", text]) for _ in range(3)]],
    )
    found = buckets(done, "@threads")
    assert sum(n for label, n in found.items() if int(re.findall(r"\d+", label)[0]) >= 3) >= 60


def test_loads() -> None:
    done = kernscope("tool", "loads", "-d", "2.5")
    lines = [line.split() for line in done.stdout.splitlines() if re.match(r"\d\d:", line)]
    assert len(lines) == 2
    assert all(abs(float(line[1]) - os.getloadavg()[0]) < 1 for line in lines)


def test_migrations() -> None:
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("there is only one CPU")

    def work() -> None:
        before = os.sched_getaffinity(0)
        for turn in range(20):
            os.sched_setaffinity(0, {cpus[turn % 2]})
        os.sched_setaffinity(0, before)

    done = watch("migrations", work=lambda: child(lambda: (LIBC.prctl(15, b"ks-moves"), work())))
    (moves,) = re.findall(r"^@moves\[ks-moves\]: (\d+)$", done.out, re.MULTILINE)
    assert 19 <= int(moves) <= 40


# --- memory ------------------------------------------------------------------------------------------------


def test_faults() -> None:
    needs("exceptions:page_fault_user")
    pages = 300

    def work() -> None:
        with mmap.mmap(-1, pages * mmap.PAGESIZE) as memory:
            memory.madvise(mmap.MADV_NOHUGEPAGE)
            for page in range(pages):
                memory[page * mmap.PAGESIZE] = 1

    pids: list[int] = []
    done = watch("faults", work=lambda: pids.append(child(work)))
    (writes,) = re.findall(rf"^@faults\[{pids[0]}, .*, write\]: (\d+)$", done.out, re.MULTILINE)
    assert pages <= int(writes) < pages + 600  # and what the child's own memory takes


def test_mmapsnoop() -> None:
    size = 123 * mmap.PAGESIZE

    def work() -> None:
        mmap.mmap(-1, size, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS, mmap.PROT_READ).close()

    done = watch("mmapsnoop", str(os.getpid()), work=work)
    (row,) = [row for row in rows(done) if row[3] == str(size)]
    assert row[1] == str(os.getpid()) and row[4:7] == ["r--", "as", "-1"]
    assert int(row[7], 16) % mmap.PAGESIZE == 0


def test_brksnoop() -> None:
    def work() -> None:
        LIBC.sbrk.restype = ctypes.c_void_p
        LIBC.sbrk.argtypes = [ctypes.c_ssize_t]
        LIBC.sbrk(4096)  # now the tool knows where the heap ends
        LIBC.sbrk(5 * 4096)
        LIBC.sbrk(-5 * 4096)

    pids: list[int] = []
    done = watch("brksnoop", work=lambda: pids.append(child(work)))
    assert [int(row[3]) for row in rows(done, pids[0])][-2:] == [5 * 4096, -5 * 4096]


@pytest.fixture
def small_cgroup() -> Iterator[Path]:
    """A cgroup with little memory."""
    for root, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        path = Path(root) / f"ks-test-{os.getpid()}"
        if not list(Path(root).glob("cgroup.procs")):
            continue
        path.mkdir()
        try:
            if (path / limit).exists():
                (path / limit).write_text(str(24 << 20))
                yield path
                time.sleep(0.1)
                return
        finally:
            path.rmdir()
    pytest.skip("cgroups cannot limit memory here")


def _greedy(cgroup: Path, text: str) -> subprocess.Popen[bytes]:
    join = f"import os; open('{cgroup}/cgroup.procs', 'w').write(str(os.getpid())); "
    return subprocess.Popen([sys.executable, "-c", join + text])


def test_oomkill(small_cgroup: Path) -> None:
    needs("oom:mark_victim")
    if "comm" not in {name for _, name in library.probe_fields("tracepoint:oom:mark_victim")}:
        pytest.skip("this kernel does not tell the victim's name")
    pids: list[int] = []

    def work() -> None:
        process = _greedy(small_cgroup, "x = bytearray(100 << 20)")
        pids.append(process.pid)
        assert process.wait() == -signal.SIGKILL

    (row,) = rows(watch("oomkill", work=work), pids[0], 3)
    # the limit, and what the interpreter had before it entered the group
    assert 10 << 10 < int(row[5]) < 64 << 10


def test_reclaim(small_cgroup: Path, tmp_path: Path) -> None:
    needs("vmscan:mm_vmscan_memcg_reclaim_begin")
    (tmp_path / "large").write_bytes(b"x" * (48 << 20))
    text = "import ctypes; ctypes.CDLL(None).prctl(15, b'ks-greedy');"
    text += f"os.posix_fadvise(f := os.open('{tmp_path}/large', 0), 0, 0, os.POSIX_FADV_DONTNEED);"
    text += "[os.read(f, 1 << 20) for _ in range(48)]"
    os.sync()
    done = watch("reclaim", work=lambda: _greedy(small_cgroup, text).wait())
    (pages,) = re.findall(r"^@pages\[ks-greedy, cgroup\]: (\d+)$", done.out, re.MULTILINE)
    assert int(pages) * mmap.PAGESIZE > 10 << 20


# --- disks -------------------------------------------------------------------------------------------------


def _direct_reads(path: Path, times: int, size: int) -> None:
    """Read from the disk, past the page cache."""
    buffer = mmap.mmap(-1, size)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    for number in range(times):
        assert os.preadv(fd, [buffer], number * size) == size
    os.close(fd)


@pytest.fixture
def on_disk(tmp_path: Path) -> Path:
    """A file of 40 blocks of 64 KiB that can be read directly from a disk."""
    path = tmp_path / "blocks"
    with open(path, "wb") as file:
        file.write(os.urandom(40 << 16))
        os.fsync(file)
    try:
        _direct_reads(path, 1, 65536)
    except OSError as error:
        pytest.skip(f"{tmp_path} cannot be read directly: {error}")
    return path


def test_biosnoop(on_disk: Path) -> None:
    needs("block:block_rq_issue")
    pids: list[int] = []
    done = watch("biosnoop", work=lambda: pids.append(child(lambda: _direct_reads(on_disk, 40, 65536))))
    mine = rows(done, pids[0])
    if not mine:
        pytest.skip(f"{on_disk.parent} is on no disk of its own")
    assert sum(int(row[-3]) for row in mine if row[-5].startswith("R")) >= 40 * 65536
    assert all(0 < float(row[-2]) < 5000 and row[-1] == "0" for row in mine)


def test_biolatency_and_bitesize(on_disk: Path) -> None:
    needs("block:block_rq_issue")

    def work() -> None:
        LIBC.prctl(15, b"ks-direct")
        _direct_reads(on_disk, 40, 65536)

    done = watch("bitesize", work=lambda: child(work))
    if "@bytes[ks-direct]" not in done.out:
        pytest.skip(f"{on_disk.parent} is on no disk of its own")
    assert sum(buckets(done, "@bytes[ks-direct]").values()) >= 40
    done = watch("biolatency", work=lambda: child(work))
    kinds = set(re.findall(r"^(@us\[R.*\]):$", done.out, re.MULTILINE))
    assert sum(n for kind in kinds for n in buckets(done, kind).values()) >= 40


def test_writeback(on_disk: Path) -> None:
    needs("writeback:writeback_written")

    def work() -> None:
        on_disk.write_bytes(b"x" * 100_000)
        os.sync()

    found = rows(watch("writeback", work=work))
    assert "WB_REASON_SYNC" in {row[-1] for row in found}
    assert all(float(row[-2]) >= 0 for row in found)


# --- network -----------------------------------------------------------------------------------------------


class Connection:
    """One connection over the loopback, with what is known of it."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, 0), family=family) as server:
            self.port = server.getsockname()[1]
            with socket.create_connection((host, self.port)) as client:
                self.client_port = client.getsockname()[1]
                accepted, _ = server.accept()
                with accepted:
                    client.sendall(b"x" * 5000)
                    client.shutdown(socket.SHUT_WR)
                    while accepted.recv(65536):
                        pass
                    accepted.sendall(b"y" * 300)
                    time.sleep(0.03)
                client.recv(65536)
        time.sleep(0.05)


def test_tcpconnect_and_tcpaccept() -> None:
    made: list[Connection] = []

    def work() -> None:
        made.append(Connection("127.0.0.1"))
        if socket.has_ipv6 and Path("/proc/net/if_inet6").exists():
            made.append(Connection("::1"))

    done = watch("tcpconnect", work=work)
    mine = rows(done, os.getpid())
    assert [(row[4], row[6], row[7]) for row in mine] == [
        (str(c.client_port), str(c.port), "open") for c in made
    ]
    assert [row[5] for row in mine] == ["127.0.0.1", "::1"][: len(made)]
    made.clear()
    done = watch("tcpaccept", work=work)
    assert [(row[4], row[6]) for row in rows(done, os.getpid())] == [
        (str(c.port), str(c.client_port)) for c in made
    ]


def test_tcplife() -> None:
    needs("sock:inet_sock_set_state")
    made: list[Connection] = []
    done = watch("tcplife", work=lambda: made.append(Connection()))
    port, client = str(made[0].port), str(made[0].client_port)
    mine = sorted(row[4:9] for row in rows(done, os.getpid()) if port in (row[4], row[6]))
    assert mine == sorted(
        [[client, "127.0.0.1", port, "5000", "300"], [port, "127.0.0.1", client, "300", "5000"]]
    )
    assert all(30 <= float(row[9]) < 5000 for row in rows(done, os.getpid()) if port in (row[4], row[6]))


def test_tcptop() -> None:
    needs("sock:sock_send_length")
    made: list[Connection] = []

    def work() -> None:
        made.append(Connection())
        time.sleep(1.3)

    done = watch("tcptop", work=work)
    port, client = made[0].port, made[0].client_port
    found = re.findall(
        rf"^(@\w+)\[{os.getpid()}, .*, (\d+), 127.0.0.1, (\d+)\]: (\d+)$", done.out, re.MULTILINE
    )
    assert sorted(found) == sorted(
        [
            ("@sent", str(client), str(port), "5000"),
            ("@sent", str(port), str(client), "300"),
            ("@received", str(client), str(port), "300"),
            ("@received", str(port), str(client), "5000"),
        ]
    )


def test_tcpdrop() -> None:
    needs("skb:kfree_skb")
    if "reason" not in {name for _, name in library.probe_fields("tracepoint:skb:kfree_skb")}:
        pytest.skip("this kernel does not tell why it drops packets")
    hosts = ["127.0.0.1", "::1"] if Path("/proc/net/if_inet6").exists() else ["127.0.0.1"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    def work() -> None:
        for host in hosts:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((host, port))

    found = [row for row in rows(watch("tcpdrop", work=work)) if row[4] == str(port)]
    assert [row[3] for row in found] == hosts
    assert {row[5] for row in found} == {"SKB_DROP_REASON_NO_SOCKET"}
    assert found[0][6].startswith("tcp_v4_")


def test_tcpconnect_that_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    def work() -> None:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))

    done = watch("tcpconnect", work=work)
    assert [(row[6], row[7]) for row in rows(done, os.getpid())] == [(str(port), "failed")]


def test_tcpstates() -> None:
    made: list[Connection] = []
    done = watch("tcpstates", work=lambda: made.append(Connection()))
    port, client = str(made[0].port), str(made[0].client_port)
    passive = [row[5:7] for row in rows(done) if row[2] == port and row[4] == client]
    active = [row[5:7] for row in rows(done) if row[4] == port and row[2] in ("0", client)]
    assert passive[:3] == [
        ["LISTEN", "SYN_RECV"],
        ["SYN_RECV", "ESTABLISHED"],
        ["ESTABLISHED", "CLOSE_WAIT"],
    ]
    assert active[:4] == [
        ["CLOSE", "SYN_SENT"],
        ["SYN_SENT", "ESTABLISHED"],
        ["ESTABLISHED", "FIN_WAIT1"],
        ["FIN_WAIT1", "FIN_WAIT2"],
    ]


def test_tcpretrans() -> None:
    """A server whose queue is full does not answer, so the client asks again after a second."""
    needs("tcp:tcp_retransmit_skb")
    ports: list[int] = []

    def work() -> None:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(0)
            ports.append(server.getsockname()[1])
            clients = [socket.socket() for _ in range(4)]
            for client in clients:
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", ports[0]))
            time.sleep(1.3)
            for client in clients:
                client.close()

    done = watch("tcpretrans", work=work)
    mine = [row for row in rows(done) if row[4] == str(ports[0]) and row[5] == "SYN_SENT"]
    assert 1 <= len(mine) <= 4


def test_tcpreset() -> None:
    needs("tcp:tcp_receive_reset")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    def work() -> None:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))

    done = watch("tcpreset", work=work)
    assert [row[3] for row in rows(done) if row[4] == str(port)] == ["127.0.0.1"]


# --- signals -----------------------------------------------------------------------------------------------


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


# --- users and security ------------------------------------------------------------------------------------


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


# --- the kernel itself -------------------------------------------------------------------------------------


def test_syscount() -> None:
    def work() -> None:
        for _ in range(1000):
            os.getpriority(os.PRIO_PROCESS, 0)

    done = watch("syscount", str(os.getpid()), work=work)
    assert "@call[tracepoint:syscalls:sys_enter_getpriority]: 1000" in done.lines
    ((pid, total),) = re.findall(r"^@process\[(\d+), .*\]: (\d+)$", done.out, re.MULTILINE)
    assert int(pid) == os.getpid() and int(total) >= 1000


def test_softirqs_and_workqueues() -> None:
    needs("irq:softirq_entry", "workqueue:workqueue_execute_start")
    done = watch("softirqs", work=lambda: time.sleep(0.5))
    assert re.search(r"^@ns\[(timer|rcu|sched)\]: \{ .count = [1-9]\d*, ", done.out, re.MULTILINE)
    done = watch("workqueues", work=lambda: time.sleep(1))
    assert re.search(r"^@us\[[a-z_]\w+\]: \{ .count = [1-9]", done.out, re.MULTILINE)


def test_timers() -> None:
    needs("timer:hrtimer_expire_entry", "timer:timer_expire_entry")
    with Tool("timers", "-c", _sleeps(50)) as tracer:
        done = tracer.wait()
    (wakeups,) = re.findall(r"^@hrtimer\[hrtimer_wakeup\]: (\d+)$", done.out, re.MULTILINE)
    assert int(wakeups) >= 50


def test_irqs(on_disk: Path) -> None:
    """Disks interrupt; so does every other device, so where nothing interrupts there is nothing to see."""
    needs("irq:irq_handler_entry")
    done = watch("irqs", work=lambda: _direct_reads(on_disk, 40, 65536))
    found = re.findall(r"^@ns\[\d+, .+\]: \{ .count = (\d+), .average = (\d+),", done.out, re.MULTILINE)
    if not found:
        pytest.skip("no device of this machine interrupts by a handler of its own")
    assert all(int(count) > 0 and 0 < int(average) < 100_000_000 for count, average in found)


# --- the command -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", library.tools.names())
def test_every_tool_compiles_or_says_what_this_kernel_lacks(name: str) -> None:
    try:
        library.compile(library.tools.find(name).text, name=name)
    except library.CompileError as error:
        codes = {diagnostic.code for diagnostic in error.diagnostics}
        assert codes <= {"unknown-probe", "unknown-field"}
        pytest.skip(f"this kernel lacks what {name} needs")


def test_a_duration_ends_a_tool_and_json_is_json() -> None:
    import json

    start = time.monotonic()
    done = kernscope("tool", "opensnoop", "-d", "0.5", "-f", "json")
    assert done.returncode == 0
    assert time.monotonic() - start < 10
    assert [json.loads(line)["type"] for line in done.stdout.splitlines()][:2] == [
        "attached_probes",
        "printf",
    ]

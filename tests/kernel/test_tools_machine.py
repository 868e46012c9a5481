"""Tools for CPUs, memory, disks and the kernel itself, each against work whose events are known."""

import ctypes
import mmap
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import kernscope, needs_tracing
from tool_runs import LIBC, Tool, blocks_on_disk, buckets, child, direct_reads, needs, rows, sleeping, watch

import kernscope as library

pytestmark = needs_tracing


# --- CPU and scheduling ----------------------------------------------------------------------------------


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
    with Tool("cpudist", "-c", sleeping(50)) as tracer:
        done = tracer.wait()
    assert sum(buckets(done).values()) >= 40


def test_offcputime() -> None:
    with Tool("offcputime", "-c", sleeping(50)) as tracer:
        done = tracer.wait()
    found = re.search(r"^@us\[ks-sleeps\]: \{ .count = (\d+), .average = (\d+),", done.out, re.MULTILINE)
    assert found, done.out
    # The kernel skips a switch now and then: while somebody on that CPU reads a map, for one.
    assert int(found[1]) >= 40 and int(found[2]) >= 2000


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
    assert 2 <= len(lines) <= 3
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


# --- memory ----------------------------------------------------------------------------------------------


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


# --- disks -----------------------------------------------------------------------------------------------


def test_biosnoop(tmp_path: Path) -> None:
    on_disk = blocks_on_disk(tmp_path)
    needs("block:block_rq_issue")
    pids: list[int] = []
    done = watch("biosnoop", work=lambda: pids.append(child(lambda: direct_reads(on_disk, 40, 65536))))
    mine = rows(done, pids[0])
    if not mine:
        pytest.skip(f"{on_disk.parent} is on no disk of its own")
    assert sum(int(row[-3]) for row in mine if row[-5].startswith("R")) >= 40 * 65536
    assert all(0 < float(row[-2]) < 5000 and row[-1] == "0" for row in mine)


def test_biolatency_and_bitesize(tmp_path: Path) -> None:
    on_disk = blocks_on_disk(tmp_path)
    needs("block:block_rq_issue")

    def work() -> None:
        LIBC.prctl(15, b"ks-direct")
        direct_reads(on_disk, 40, 65536)

    done = watch("bitesize", work=lambda: child(work))
    if "@bytes[ks-direct]" not in done.out:
        pytest.skip(f"{on_disk.parent} is on no disk of its own")
    assert sum(buckets(done, "@bytes[ks-direct]").values()) >= 40
    done = watch("biolatency", work=lambda: child(work))
    kinds = set(re.findall(r"^(@us\[R.*\]):$", done.out, re.MULTILINE))
    assert sum(n for kind in kinds for n in buckets(done, kind).values()) >= 40


def test_writeback(tmp_path: Path) -> None:
    on_disk = blocks_on_disk(tmp_path)
    needs("writeback:writeback_written")

    def work() -> None:
        on_disk.write_bytes(b"x" * 100_000)
        os.sync()

    found = rows(watch("writeback", work=work))
    assert "WB_REASON_SYNC" in {row[-1] for row in found}
    assert all(float(row[-2]) >= 0 for row in found)


# --- the kernel itself -----------------------------------------------------------------------------------


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
    with Tool("timers", "-c", sleeping(50)) as tracer:
        done = tracer.wait()
    (wakeups,) = re.findall(r"^@hrtimer\[hrtimer_wakeup\]: (\d+)$", done.out, re.MULTILINE)
    assert int(wakeups) >= 50


def test_irqs(tmp_path: Path) -> None:
    """Disks interrupt; so does every other device, so where nothing interrupts there is nothing to see."""
    on_disk = blocks_on_disk(tmp_path)
    needs("irq:irq_handler_entry")
    done = watch("irqs", work=lambda: direct_reads(on_disk, 40, 65536))
    found = re.findall(r"^@ns\[\d+, .+\]: \{ .count = (\d+), .average = (\d+),", done.out, re.MULTILINE)
    if not found:
        pytest.skip("no device of this machine interrupts by a handler of its own")
    assert all(int(count) > 0 and 0 < int(average) < 100_000_000 for count, average in found)

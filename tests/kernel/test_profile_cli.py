"""`kernscope profile` on programs whose answer is known: who wakes, who allocates, recordings, and bad luck."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import KERNSCOPE, Tracer, kernscope, needs_tracing
from profile_needs import needs_gcc, needs_tables

from kernscope import run
from kernscope.kernel import Kernel
from kernscope.profiler import (
    Collector,
    Filter,
    Options,
    Profile,
    merge,
    mode_named,
    read_profile,
    recorded_parts,
)

pytestmark = needs_tracing

# One thread waits for a lock that another one holds, a third for a pipe that a fourth writes to. Whatever else "wanter"
# waits for comes from "holder", and the same goes for "reader" and "writer".
WAITING = """
import ctypes, os, threading, time
lock, (source, sink) = threading.Lock(), os.pipe()
held, wanted, reading = threading.Event(), threading.Event(), threading.Event()
def named(name, work):
    ctypes.CDLL(None).prctl(15, name)
    work()
def hold():
    with lock:
        held.set()
        wanted.wait()
        time.sleep(0.6)
def want():
    held.wait()
    wanted.set()
    with lock: pass
def read():
    reading.set()
    os.read(source, 1)
def write():
    reading.wait()
    time.sleep(0.6)
    os.write(sink, b"x")
work = {b"holder": hold, b"wanter": want, b"reader": read, b"writer": write}
threads = [threading.Thread(target=named, args=pair) for pair in work.items()]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""

ALLOCATING = r"""
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#define OWN __attribute__((noinline, noclone))
static void *volatile kept[64];
OWN static void keeps(void) { for (int i = 0; i < 10; i++) kept[i] = malloc(100); }
OWN static void frees(void) { for (int i = 0; i < 500; i++) { void *volatile p = malloc(50); free(p); } }
OWN static void grows(void) {
    void *volatile p = NULL;
    for (int i = 1; i <= 20; i++) p = realloc(p, i * 1000);
    free(p);
}
OWN static void zeroes(void) { for (int i = 0; i < 7; i++) kept[16 + i] = calloc(3, 40); }
OWN static void aligns(void) {
    void *p;
    if (posix_memalign(&p, 64, 640) == 0) free(p);
    kept[32] = aligned_alloc(64, 128);
    p = memalign(32, 77);
    free(p);
}
OWN static void fails(void) { kept[33] = malloc((size_t)1 << 62); kept[34] = malloc(11); free(NULL); }
int main(void) {
    char go;
    if (read(0, &go, 1) != 1) return 1;
    keeps(); frees(); grows(); zeroes(); aligns(); fails();
    return write(1, "done", 4) != 4 || read(0, &go, 1) != 1;
}
"""
EXPECTED = {
    ("keeps", "[kept]"): (1000, 10),
    ("frees", "[given back]"): (25_000, 500),
    ("grows", "[given back]"): (210_000, 20),
    ("zeroes", "[kept]"): (840, 7),
    ("aligns", "[given back]"): (717, 2),
    ("aligns", "[kept]"): (128, 1),
    ("fails", "[kept]"): (11, 1),
}
"""(function, what became of it) → (bytes, calls), as the source says."""


def profiled(tmp_path: Path, *arguments: str) -> Profile:
    """What a run of `profile` found; its first word is the mode."""
    file = tmp_path / "profile.json"
    done = kernscope("profile", arguments[0], "-o", str(file), "--once", *arguments[1:])
    assert done.returncode == 0, done.stderr
    return read_profile(file.read_bytes())


def test_who_ends_a_waiting(tmp_path: Path) -> None:
    profile = profiled(
        tmp_path, "offcpu", "--wakers", "--minimum", "150ms", "--", sys.executable, "-c", WAITING
    )
    wakers: dict[str, Counter[str]] = {}
    pipes = 0
    for sample in profile.samples:
        names = [frame.name for frame in profile.frames_of(sample)]
        woken = [at for at, name in enumerate(names) if name.startswith("[woken by ")]
        if woken:
            at = woken[0]
            assert names[at] not in names[at + 1 :]
            wakers.setdefault(sample.comm, Counter())[names[at].split()[2].rstrip("]")] += sample.value
            if any("pipe_read" in name for name in names[:at]) and sample.comm == "reader":
                assert names[at - 1] == "[pipe]", names
                assert any("pipe_write" in name for name in names[at + 1 :]), names
                pipes += 1
            if any(name.startswith("futex_") for name in names[:at]) and sample.comm == "wanter":
                assert names[at - 1] == "[lock]" and "do_futex" in names[at + 1 :], names
    assert pipes == 1
    assert wakers["reader"].most_common(1)[0][0] == "writer", wakers
    assert wakers["wanter"].most_common(1)[0][0] == "holder", wakers


@pytest.fixture(params=["dynamic", "static"])
def allocating(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    (tmp_path / "a.c").write_text(ALLOCATING)
    program = tmp_path / "allocating"
    flags = ["-static"] if request.param == "static" else []
    built = subprocess.run(["gcc", "-O1", *flags, "-o", program, tmp_path / "a.c"], capture_output=True)
    if built.returncode and flags:
        pytest.skip("no static C library is installed")
    assert built.returncode == 0, built.stderr
    running = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    yield running
    running.kill()
    running.communicate()


@needs_gcc
@needs_tables
@pytest.mark.skipif(not Kernel().has_feature("uprobe"), reason="this kernel has no uprobes")
def test_allocations_are_exact(allocating: "subprocess.Popen[bytes]") -> None:
    assert allocating.stdin is not None and allocating.stdout is not None
    options = Options(Filter(pid=allocating.pid), malloc=True, files=("*",))
    collector = Collector(mode_named("alloc"), options)
    only: dict[str, Any] = {"pid": allocating.pid, "only_pid": True}
    with run(collector.text, sinks=[collector.sink], print_maps=False, **only) as session:
        allocating.stdin.write(b"g")
        allocating.stdin.flush()
        assert allocating.stdout.read(4) == b"done"
        session.stop()
        profile = collector.run(session)
    found: Counter[tuple[str, str]] = Counter()
    calls: Counter[tuple[str, str]] = Counter()
    for sample in profile.samples:
        names = [frame.name for frame in profile.frames_of(sample)]
        key = next((name for name in names if (name, names[-1]) in EXPECTED), names[0]), names[-1]
        found[key] += sample.value
        calls[key] += sample.count
    assert found.total() == sum(size for size, _ in EXPECTED.values()), profile.notes
    assert calls.total() == sum(times for _, times in EXPECTED.values()), profile.notes
    if not any(name.startswith("[incomplete") for name, _ in found):  # nobody was in time to read its tables
        assert {key: (found[key], calls[key]) for key in found} == EXPECTED


@needs_gcc
@needs_tables
@pytest.mark.skipif(not Kernel().has_feature("uprobe"), reason="this kernel has no uprobes")
def test_allocations_of_children_are_exact(tmp_path: Path) -> None:
    """Of all that descends from the command, and of nobody else who uses the same library."""
    (tmp_path / "a.c").write_text(ALLOCATING)
    program, file = tmp_path / "allocating", tmp_path / "p.json"
    subprocess.run(["gcc", "-O1", "-o", program, tmp_path / "a.c"], check=True)
    other = subprocess.Popen([sys.executable, "-c", "while True: bytearray(1000)"])
    try:
        script = f"echo gx | {program}; (echo gx | exec {program}) & wait; exec cat /proc/self/mountinfo"
        done = kernscope("profile", "alloc", "--malloc", "-o", str(file), "--", "sh", "-c", script)
    finally:
        other.kill()
        other.wait()
    assert done.returncode == 0, done.stderr
    if "only the command's own process" in done.stderr:
        pytest.skip("no mount namespace can be made here")
    profile = read_profile(file.read_bytes())
    own = [sample for sample in profile.samples if sample.comm == "allocating"]
    assert len({sample.pid for sample in own}) == 2
    assert sum(s.value for s in own) == 2 * sum(size for size, _ in EXPECTED.values())
    assert sum(s.count for s in own) == 2 * sum(times for _, times in EXPECTED.values())
    assert other.pid not in {sample.pid for sample in profile.samples}
    assert "libc" in done.stdout and "libc" not in Path("/proc/self/mountinfo").read_text()


def test_malloc_of_a_command_warns(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    done = kernscope("profile", "alloc", "--malloc", "-n", "3", "-o", str(file), "--", "true")
    assert done.returncode == 0 and "slower" in done.stderr, done.stderr


MOVING = r"""
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>
enum { MIB = 1 << 20 };
__attribute__((noinline, noclone)) static int moves(void) {
    char *memory = mmap(NULL, MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory = mremap(memory, MIB, 3 * MIB, MREMAP_MAYMOVE);
    return munmap(memory, MIB);
}
int main(int count, char **arguments) {
    sbrk(4096);
    if (count > 1) return moves() + 1;
    char *again[] = {arguments[0], "again", NULL};
    return execv(arguments[0], again);
}
"""


@needs_gcc
@needs_tables
def test_memory_that_moves_and_a_program_that_becomes_another(tmp_path: Path) -> None:
    """Asked for: 1 and 3 MiB; given back: the 1, and 1 of the 3. Where the heap of a program is tells nothing of what
    another one asks for.
    """
    (tmp_path / "m.c").write_text(MOVING)
    subprocess.run(["gcc", "-O1", "-o", tmp_path / "moving", tmp_path / "m.c"], check=True)
    profile = profiled(tmp_path, "alloc", "--", str(tmp_path / "moving"))
    found: Counter[str] = Counter()
    for sample in profile.samples:
        found[profile.frames_of(sample)[-1].name] += sample.value
    assert found["[given back]"] == 2 << 20
    assert 2 << 20 <= found["[kept]"] < 4 << 20  # the C library's own, too


CALLING = "import os, time\nfor part in range(4):\n for n in range(5000): os.getppid()\n time.sleep(0.3)"


def test_a_recording_loses_nothing_between_its_parts(tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    command = [sys.executable, "-c", CALLING]
    done = kernscope("profile", "record", "syscalls", "--to", str(folder), "--every", "0.2", "--", *command)
    assert done.returncode == 0 and "recorded: " in done.stderr, done.stderr
    parts = [read_profile(Path(path).read_bytes()) for *_, path in recorded_parts(str(folder))]
    assert len(parts) >= 2
    calls = [
        sum(sample.count for sample in part.samples if part.frames_of(sample)[-1].name == "getppid")
        for part in parts
    ]
    assert sum(calls) == 20_000, calls
    whole = merge(parts)
    assert sum(s.count for s in whole.samples if whole.frames_of(s)[-1].name == "getppid") == 20_000
    shown = kernscope("profile", "show", str(folder), "--from", "1h", "-f", "collapsed")
    assert shown.returncode == 0 and "getppid" in shown.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_recording_that_is_ended_writes_its_last_part(tmp_path: Path, number: int) -> None:
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("these tests run under nohup")
    folder = tmp_path / "recorded"
    command = [*KERNSCOPE, "profile", "record", "faults", "--to", str(folder)]
    with Tracer(command=command, ready="recording ") as tracer:
        subprocess.run([sys.executable, "-c", "x = bytearray(1 << 22)"], check=True)
        done = tracer.stop(number)
    assert done.code == 0, done.err
    ((_, mode, path),) = recorded_parts(str(folder))
    assert mode == "faults" and read_profile(Path(path).read_bytes()).count > 100


def test_a_minimum_leaves_out_what_took_less(tmp_path: Path) -> None:
    sleeping = "import time\nfor n in range(20): time.sleep(0.001)\ntime.sleep(0.3)"
    profile = profiled(tmp_path, "syscalls", "--min-us", "250000", "--", sys.executable, "-c", sleeping)
    sleeps = [
        s for s in profile.samples if profile.frames_of(s)[-1].name.startswith(("clock_nanosleep", "pselect"))
    ]
    assert (
        1 <= sum(sample.count for sample in sleeps) < 10
    )  # a loaded machine may make one of the others long
    assert max(sample.value for sample in sleeps) >= 300_000_000


def test_nothing_ran(tmp_path: Path) -> None:
    done = kernscope("profile", "cpu", "--once", "-d", "0.2", "--comm", "nobody-has-it")
    assert done.returncode == 0 and "no sample" in done.stderr and "0 samples" in done.stdout


def test_bad_luck(tmp_path: Path) -> None:
    done = kernscope("profile", "cpu", "--", "there-is-no-such-command")
    assert done.returncode == 3 and "no such program" in done.stderr
    done = kernscope("profile", "cpu", "-p", "4194303")
    assert done.returncode == 3 and "no process" in done.stderr
    work = "import time\nwhile time.process_time() < 0.2: pass"
    words = ["--once", "-f", "html", "-o", "/dev/full", "--", sys.executable, "-c", work]
    done = kernscope("profile", "cpu", *words)
    assert done.returncode == 3 and "No space left" in done.stderr and "FUNCTION" in done.stdout
    for text in (done.stderr, done.stdout):
        assert "Traceback" not in text

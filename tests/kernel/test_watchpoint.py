"""`watchpoint` on the running kernel: every access to an address of a process or of the kernel, counted exactly."""

import re

import pytest
from command_line import Tracer, eventually, kernscope, needs_tracing
from steered import Steered

import kernscope as ks
from kernscope.kernel import Kernel

pytestmark = [
    needs_tracing,
    pytest.mark.skipif(not Kernel().has_feature("watchpoint"), reason="this machine has no debug registers"),
]

_CELLS = """
import ctypes
memory = ctypes.create_string_buffer(128)
start = (ctypes.addressof(memory) + 63) & ~63
cells = (ctypes.c_uint64 * 8).from_address(start)
def write(cell, times):
    for i in range(times): cells[cell] = i
def read(cell, times):
    return sum(cells[cell] for _ in range(times))
"""


def counts(text: str) -> dict[str, int]:
    return {key: int(n) for key, n in re.findall(r"^@\[(.*)\]: (\d+)$", text, re.MULTILINE)}


def test_writes_of_a_process() -> None:
    with Steered(_CELLS) as work:
        start = work.do("start")
        program = f"watchpoint:{start:#x}:8:w {{ @[probe] = count(); @v = stats(*(uint64 *){start}); }}"
        with Tracer("-p", str(work.pid), "-e", program) as tracer:
            work.do("write(0, 100)")
            work.do("write(1, 50)")  # a neighbour
            work.do("read(0, 30)")
            done = tracer.stop()
    assert f"@[watchpoint:{start:#x}:8:w]: 100" in done.lines
    # the program runs after the write, and in the process
    assert "@v: { .count = 100, .average = 49, .total = 4950 }" in done.lines


def test_watching_ends_with_unwatch() -> None:
    """Of one of two addresses, as soon as the tracer has heard of it."""
    with Steered(_CELLS) as work:
        start = work.do("start")
        program = (
            f"watchpoint:{start:#x}:8:w {{ @first++; unwatch({start:#x}); }} "
            f"watchpoint:{start + 8:#x}:8:w {{ @second = count(); }}"
        )
        with ks.run(program, pid=work.pid, only_pid=True) as session:

            def first_after(times: int) -> int:
                session.wait(0.01)  # what was sent is handled
                work.do(f"write(0, {times})")
                return int(session.maps["@first"].value)

            assert first_after(1) == 1
            assert eventually(lambda: session.maps["@first"].value == first_after(1))
            before = session.maps["@first"].value
            assert first_after(100) == before
            work.do("write(1, 30)")
            assert session.maps["@second"].value == 30


def test_reads_too() -> None:
    with Steered(_CELLS) as work:
        start = work.do("start")
        program = f"w:{start + 8}:8:rw {{ @any = count(); }} w:{start + 8}:8:w {{ @written = count(); }}"
        with Tracer("-p", str(work.pid), "-e", program) as tracer:
            work.do("read(1, 30)")
            done = tracer.stop()
    assert [line for line in done.lines if line] == ["@any: 30"]


def test_four_at_once_and_a_fifth() -> None:
    with Steered(_CELLS) as work:
        start = work.do("start")
        probes = [f"watchpoint:{start + 8 * i:#x}:8:w {{ @[{i}] = count(); }}" for i in range(5)]
        with Tracer("-p", str(work.pid), "-e", " ".join(probes[:4])) as tracer:
            for i in range(4):
                work.do(f"write({i}, {i + 1})")
            done = tracer.stop()
        assert counts(done.out) == {"0": 1, "1": 2, "2": 3, "3": 4}
        full = kernscope("run", "-p", str(work.pid), "-e", " ".join(probes))
        assert full.returncode == 3 and "debug registers are in use" in full.stderr
        # what was attached before the refusal is gone: four fit again
        with Tracer("-p", str(work.pid), "-e", " ".join(probes[:4])) as tracer:
            work.do("write(3, 7)")
            assert counts(tracer.stop().out) == {"3": 7}


def test_every_thread() -> None:
    threads = """
import threading
def in_threads(n):
    ts = [threading.Thread(target=write, args=(0, 10)) for _ in range(n)]
    [t.start() for t in ts]; [t.join() for t in ts]
gate = threading.Event()
old = threading.Thread(target=lambda: gate.wait() and write(0, 5)); old.start()
"""
    with Steered(_CELLS + threads) as work:
        program = f"watchpoint:{work.do('start'):#x}:8:w {{ @ = count(); @t[tid] = count(); }}"
        with Tracer("-p", str(work.pid), "-e", program) as tracer:
            work.do("in_threads(3)")  # threads that are started later
            work.do("gate.set() or old.join()")  # one that was there before
            done = tracer.stop()
    assert "@: 35" in done.lines
    assert sum(line.startswith("@t[") for line in done.lines) == 4


def test_execution_of_a_function() -> None:
    setup = _CELLS + "libc = ctypes.CDLL(None); where = ctypes.cast(libc.getpgid, ctypes.c_void_p).value\n"
    with Steered(setup) as work:
        program = f'watchpoint:{work.do("where"):#x}:8:x {{ @[reg("ip") == {work.do("where")}] = count(); }}'
        with Tracer("-p", str(work.pid), "-e", program) as tracer:
            work.do("[libc.getpgid(0) for _ in range(25)]")
            done = tracer.stop()
    assert "@[true]: 25" in done.lines


def test_an_address_of_the_kernel() -> None:
    """`signal->oom_score_adj` is written once for each write to /proc/PID/oom_score_adj."""
    find = 'tracepoint:syscalls:sys_enter_getpgid /pid == PID/ { printf("%lld\\n", '
    find += "(uint64)&curtask.signal.oom_score_adj); exit(); }"
    with Steered("import os\ndef adjust(): open('/proc/self/oom_score_adj', 'w').write('17')") as work:
        with Tracer("-q", "-e", find.replace("PID", str(work.pid)) + " begin { }", ready="") as tracer:
            while tracer.process.poll() is None:
                work.do("os.getpgid(0)")
            address = int(tracer.wait().lines[0]) & (1 << 64) - 1
        program = f"watchpoint:{address:#x}:2:w {{ @[pid] = count(); }}"
        with Tracer("-e", program) as tracer:
            work.do("[adjust() for _ in range(9)]")
            done = tracer.stop()
        assert f"@[{work.pid}]: 9" in done.lines


def test_nothing_stays() -> None:
    with Steered(_CELLS) as work:
        program = f"watchpoint:{work.do('start'):#x}:8:w {{ @ = count(); }}"
        with Tracer("-p", str(work.pid), "-e", program) as tracer:
            tracer.process.kill()
            tracer.process.wait()
        work.do("write(0, 3)")
        probes = " ".join(f"watchpoint:{work.do('start') + 8 * i:#x}:8:w {{ }}" for i in range(4))
        with Tracer("-p", str(work.pid), "-e", probes) as tracer:
            assert tracer.stop().code == 0


def test_a_command_from_its_start() -> None:
    """Its addresses are not known before it runs; nothing is hit at one where nothing is."""
    done = kernscope("run", "-c", "true", "-e", "watchpoint:0x1000:8:rw { @ = count(); } end { print(1); }")
    assert (done.returncode, done.stdout.split()) == (0, ["1"])

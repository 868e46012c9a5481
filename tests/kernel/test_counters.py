"""`software` and `hardware` on the running kernel: exact counts against the kernel's own counters of a process."""

import os

import pytest
from command_line import Tracer, kernscope, needs_tracing
from steered import Steered

from kernscope.kernel import Kernel

pytestmark = needs_tracing

_PAGES = """
import mmap
def touch(pages):
    area = mmap.mmap(-1, pages * mmap.PAGESIZE)
    area.madvise(mmap.MADV_NOHUGEPAGE)
    for page in range(pages):
        area[page * mmap.PAGESIZE] = 1
"""
_MINOR_FAULTS = 10
"""Field of /proc/PID/stat."""


def number(text: str, name: str) -> int:
    return next(int(line.split(": ")[1]) for line in text.splitlines() if line.startswith(f"@{name}: "))


def test_faults_of_a_process_are_counted_exactly() -> None:
    program = "software:minor-faults:1 { @one = count(); } software:minor-faults:10 { @ten = count(); }"
    with Steered(_PAGES) as work:
        work.asleep()
        with Tracer("-p", str(work.pid), "-e", program) as tracer:
            before = int(work.stat(_MINOR_FAULTS))
            work.do("touch(500)")
            work.asleep()
            faults = int(work.stat(_MINOR_FAULTS)) - before
            done = tracer.stop()
    assert faults >= 500
    assert number(done.out, "one") == faults
    assert number(done.out, "ten") == faults // 10


def test_faults_on_every_cpu_have_those_of_a_process_among_them() -> None:
    with Steered(_PAGES) as work:
        work.asleep()
        program = f"software:minor-faults:1 /pid == {work.pid}/ {{ @of[probe] = count(); @ = count(); }}"
        with Tracer("-e", program) as tracer:
            before = int(work.stat(_MINOR_FAULTS))
            work.do("touch(300)")
            work.asleep()
            faults = int(work.stat(_MINOR_FAULTS)) - before
            done = tracer.stop()
    assert f"@: {faults}" in done.lines
    assert f"@of[software:minor-faults:1]: {faults}" in done.lines


def test_context_switches_of_a_process() -> None:
    with Steered("import time") as work:
        work.asleep()

        def switches() -> int:
            return work.status("voluntary_ctxt_switches") + work.status("nonvoluntary_ctxt_switches")

        with Tracer("-p", str(work.pid), "-e", "s:cs:1 { @ = count(); }") as tracer:
            before = switches()
            work.do("[time.sleep(0.001) for _ in range(20)]")
            work.asleep()
            wanted = switches() - before
            done = tracer.stop()
    assert wanted >= 20
    assert number(done.out, "") == wanted


def test_threads_of_a_process_and_its_command_are_seen() -> None:
    threads = "import threading; ts = []; gate = threading.Event()"
    with Steered(_PAGES + threads) as work:
        work.do("[ts.append(threading.Thread(target=lambda: gate.wait() and touch(100))) for _ in range(3)]")
        work.do("[t.start() for t in ts]")
        program = "software:minor-faults:1 /tid != pid/ { @[tid] = count(); }"
        with Tracer("-p", str(work.pid), "-e", program) as tracer:
            work.do("gate.set() or [t.join() for t in ts]")
            done = tracer.stop()
    counts = [int(line.split(": ")[1]) for line in done.lines if line.startswith("@[")]
    assert len(counts) == 3 and min(counts) >= 100

    done_command = kernscope("run", "-c", "sleep 0.1", "-e", "software:page-faults:1 { @[comm] = count(); }")
    names = {line.partition("]")[0] for line in done_command.stdout.splitlines() if line.startswith("@[")}
    assert "@[sleep" in names and names <= {"@[sleep", "@[kernscope", "@[python3", "@[python"}


def test_where_a_fault_happened() -> None:
    """A page fault has the registers of the process that made it."""
    with Steered(_PAGES) as work:
        program = 'software:page-faults:1 { @[reg("ip") > 0] = count(); }'
        with Tracer("-p", str(work.pid), "-e", program) as tracer:
            work.do("touch(50)")
            done = tracer.stop()
    assert any(line.startswith("@[true]: ") and int(line.split(": ")[1]) >= 50 for line in done.lines)


def test_nothing_stays() -> None:
    with Steered() as work, Tracer("-p", str(work.pid), "-e", "software:cs:1 { @ = count(); }") as tracer:
        pid = tracer.process.pid
        events = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        assert events.count("anon_inode:[perf_event]") == 1
        tracer.process.kill()
        tracer.process.wait()
        assert work.do("1 + 1") == 2


def test_every_software_event_can_be_attached() -> None:
    done = kernscope("list", "software:*")
    names = done.stdout.split()
    assert len(names) == 14
    # `task-clock` would fire every nanosecond if nothing else were said
    program = " ".join(f"{name}1000000000 {{ }}" for name in names)
    done = kernscope("run", "-e", program + " interval:ms:1 { exit() }")
    assert (done.returncode, done.stderr) == (0, "Attached 15 probes\n")


def test_a_processor_without_counters_is_told() -> None:
    if Kernel().has_feature("hardware"):
        pytest.skip("this machine has hardware counters")
    done = kernscope("run", "-e", "hardware:cache-misses:1e6 { }")
    assert done.returncode == 3
    assert done.stderr.startswith("error: perf_event_open for `hardware:cache-misses:1000000`: ")
    assert "has no such counter" in done.stderr and "`software:cpu-clock:1e6`" in done.stderr


def test_a_processor_with_counters() -> None:
    if not Kernel().has_feature("hardware"):
        pytest.skip("this machine has no hardware counters")
    program = "hardware:instructions:1e5 { @ = count(); }"
    done = kernscope("run", "-c", "true", "-e", program)
    assert number(done.stdout, "") > 0


def test_a_process_that_is_not_there() -> None:
    done = kernscope("run", "-p", "4194304", "-e", "software:cs:1 { }")
    assert done.returncode != 0 and "there is no process 4194304" in done.stderr

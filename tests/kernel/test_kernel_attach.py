"""Attaching on the running kernel: events are seen, and nothing stays attached."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from struct import pack, unpack

import pytest
from bpf_snippets import RETURN_0, count_runs, insn, load_map_value, needs_bpf, send_argument

from kernscope.kernel import AttachError, Kernel, facts
from kernscope.kernel.bpf import Map, map_create, prog_load
from kernscope.kernel.ringbuf import RingBuffer
from kernscope.kernel.syscall import Buffer, bpf_result
from kernscope.tables.bpf import Command, MapFlag, MapType, ProgramType

pytestmark = needs_bpf


def counter() -> Map:
    return map_create(MapType.ARRAY, 4, 8, 1, MapFlag.MMAPABLE)


def value(map: Map) -> int:
    return int(map.mmap()[:8].cast("Q")[0])


def program_exists(identity: int) -> bool:
    fd = bpf_result(Command.PROG_GET_FD_BY_ID, Buffer(pack("=III", identity, 0, 0)))
    if fd >= 0:
        os.close(fd)
    return fd >= 0


def eventually(condition: Callable[[], bool], seconds: float = 5, pause: float = 0.01) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def test_raw_tracepoints_see_every_call_and_stop() -> None:
    # Only this thread's getppid (110 on x86-64) counts: compare bpf_get_current_pid_tgid() with ours.
    if os.uname().machine != "x86_64":
        pytest.skip("knows the number of getppid on x86-64 only")
    us = os.getpid() << 32 | os.getpid()
    with Kernel() as kernel, counter() as map:
        code = insn(0xBF, 6, 1) + insn(0x79, 7, 6, 8) + insn(0x55, 7, 0, 8, 110)
        code += insn(0x85, imm=14) + insn(0x18, 1, 0, 0, us & 0xFFFFFFFF) + insn(0, imm=us >> 32)
        code += (
            insn(0x5D, 0, 1, 4)
            + load_map_value(1, map.fd)
            + insn(0xB7, 2, imm=1)
            + insn(0xDB, 1, 2)
            + RETURN_0
        )
        with prog_load(ProgramType.RAW_TRACEPOINT, code) as program:
            with kernel.attach_raw_tracepoint(program, "sys_enter"):
                for _ in range(1000):
                    os.getppid()
                assert value(map) == 1000
            for _ in range(100):
                os.getppid()
            assert value(map) == 1000


def test_unknown_raw_tracepoint() -> None:
    with prog_load(ProgramType.RAW_TRACEPOINT, RETURN_0) as program, pytest.raises(AttachError) as caught:
        Kernel().attach_raw_tracepoint(program, "no_such_event")
    assert caught.value.target == "no_such_event" and caught.value.errno == errno.ENOENT and caught.value.hint


@pytest.mark.parametrize("background", [False, True])
def test_perf_tracepoints_attach_and_detach_together(background: bool) -> None:
    with Kernel() as kernel, counter() as map, counter() as other:
        with (
            prog_load(ProgramType.TRACEPOINT, count_runs(map.fd), name="execs") as program,
            prog_load(ProgramType.TRACEPOINT, count_runs(other.fd), name="others") as second,
        ):
            identity = program.statistics().id
            links = [kernel.attach_tracepoint(program, "sched", "sched_process_exec")]
            links += [kernel.attach_tracepoint(second, "jbd2", n) for n in kernel.tracepoints("jbd2")[:6]]
            for _ in range(3):
                subprocess.run(["true"], check=True)
            assert value(map) >= 3
            kernel.detach([link for link in links if link], background=background)
            seen = value(map)
            subprocess.run(["true"], check=True)
            assert value(map) == seen
            assert all(link.closed for link in links)
        assert eventually(lambda: not program_exists(identity))


def test_interval_runs_on_one_cpu_and_profile_on_all() -> None:
    with Kernel() as kernel, map_create(MapType.PERCPU_ARRAY, 4, 8, 1) as map:
        # value = lookup(map, &0); if (value) ++*value
        code = insn(0x62, 10, 0, -4) + insn(0xBF, 2, 10) + insn(0x07, 2, imm=-4)
        code += insn(0x18, 1, 1, 0, map.fd) + insn(0) + insn(0x85, imm=1) + insn(0x15, 0, 0, 2)
        code += insn(0xB7, 1, imm=1) + insn(0xDB, 0, 1) + RETURN_0

        def counts() -> tuple[int, ...]:
            return unpack(f"={facts.possible_cpus()}Q", map.lookup(bytes(4)) or b"")

        with prog_load(ProgramType.PERF_EVENT, code) as program:
            links = kernel.attach_timer(program, period_ns=5_000_000)
            start = time.monotonic()
            assert eventually(lambda: sum(counts()) >= 20, seconds=10)
            kernel.detach(links)
            periods = (time.monotonic() - start) / 0.005
            found = counts()
            assert len(links) == 1 and sum(1 for n in found if n) == 1
            # A busy machine may lose some, none may come early.
            assert sum(found) <= periods + 1
            time.sleep(0.05)
            assert counts() == found
            map.clear()
            links = kernel.attach_timer(program, frequency=200, every_cpu=True)
            assert len(links) == len(facts.online_cpus())
            try:
                for cpu in facts.online_cpus():
                    # An idle CPU of a virtual machine may not be sampled at all: keep it busy.
                    os.sched_setaffinity(0, {cpu})
                    assert eventually(lambda: counts()[os.sched_getaffinity(0).pop()] > 2, pause=0)
            finally:
                os.sched_setaffinity(0, facts.online_cpus())
                kernel.detach(links)


def test_failing_half_way_detaches_the_first_half(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    monkeypatch.setattr("kernscope.kernel.perf.online_cpus", lambda: (0, 4095))
    with prog_load(ProgramType.PERF_EVENT, RETURN_0) as program, pytest.raises(AttachError):
        Kernel().attach_timer(program, frequency=10, every_cpu=True)
    # The wrong type of program on an event: the event is closed too.
    monkeypatch.undo()
    with prog_load(ProgramType.RAW_TRACEPOINT, RETURN_0) as program, Kernel() as kernel:
        with pytest.raises(AttachError) as caught:
            kernel.attach_tracepoint(program, "sched", "sched_switch")
        assert caught.value.target == "sched:sched_switch"
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_ring_buffer_wraps_around_and_loses_nothing_it_took() -> None:
    page = Kernel().page_size
    with (
        map_create(MapType.RINGBUF, 0, 0, page) as map,
        RingBuffer.open(map) as ring,
        prog_load(ProgramType.RAW_TRACEPOINT, send_argument(map.fd, 20)) as program,
    ):
        room = page // 32
        sent = 0
        for _ in range(40):
            for _ in range(room * 3 // 4):
                assert program.test_run(pack("=Q", sent)).retval == 0
                sent += 1
            first = sent - room * 3 // 4
            records = ring.drain()
            assert [unpack("=QQI", record)[1] for record in records] == list(range(first, sent))
            assert {len(record) for record in records} == {20}
        assert ring.producer_pos == ring.consumer_pos == 32 * sent > 20 * page
        # Full: the helper says -EAGAIN and the reader still gets what was there.
        results = [program.test_run(pack("=Q", n)).retval for n in range(room + 5)]
        assert results[:room].count(0) + 1 >= room and results[-5:] == [2**32 - errno.EAGAIN] * 5
        assert len(ring.drain()) == results.count(0)


def test_a_process_killed_in_the_middle_leaves_nothing_attached() -> None:
    script = (
        "from kernscope.kernel import Kernel\n"
        "import sys, time\n"
        "k = Kernel()\n"
        "p = k.prog_load(17, bytes.fromhex('b700000000000000' '9500000000000000'), name='doomed')\n"
        "l = k.attach_raw_tracepoint(p, 'sys_enter')\n"
        "print(p.statistics().id, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        identity = int(child.stdout.readline())
        assert program_exists(identity)
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert eventually(lambda: not program_exists(identity))


def test_a_command_is_seen_from_its_exec_on() -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("knows the number of execve on x86-64 only")
    with Kernel() as kernel, counter() as map, kernel.start_command(["true"]) as command:
        code = insn(0x79, 7, 1, 8) + insn(0x55, 7, 0, 7, 59) + insn(0x85, imm=14) + insn(0x77, 0, imm=32)
        code += (
            insn(0x55, 0, 0, 4, command.pid)
            + load_map_value(1, map.fd)
            + insn(0xB7, 2, imm=1)
            + insn(0xDB, 1, 2)
        )
        with prog_load(ProgramType.RAW_TRACEPOINT, code + RETURN_0) as program:
            with kernel.attach_raw_tracepoint(program, "sys_enter"):
                command.resume()
                assert command.wait() == 0
            assert value(map) >= 1


def test_pid_namespace_identity_is_the_one_the_kernel_wants() -> None:
    with Kernel() as kernel, counter() as map:
        if not kernel.has_feature("ns_pid_tgid"):
            pytest.skip("this kernel has no bpf_get_ns_current_pid_tgid()")
        ours = kernel.pid_namespace
        # bpf_get_ns_current_pid_tgid(device, inode, value, 8) is helper 120; value becomes { pid, tgid }.
        code = (
            insn(0x18, 1, 0, 0, ours.device)
            + insn(0)
            + insn(0x18, 2, 0, 0, ours.inode - (1 << 32) * (ours.inode >> 31))
        )
        code += insn(0) + load_map_value(3, map.fd) + insn(0xB7, 4, imm=8) + insn(0x85, imm=120) + insn(0x95)
        with prog_load(ProgramType.RAW_TRACEPOINT, code) as program:
            assert program.test_run().retval == 0
            assert unpack("=II", map.lookup(bytes(4)) or b"") == (os.getpid(), os.getpid())

"""Counting is exact: a known number of system calls from several processes and threads, to the last one."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Tracer, counts, eventually, kernscope, lost_total, needs_tracing
from workload import CALLS

import kernscope as library

pytestmark = needs_tracing

WORKLOAD = str(Path(__file__).with_name("workload.py"))
NAME = "ks-known-work"
PROCESSES, THREADS, TIMES = 3, 4, 500
TOTALS = {call: factor * PROCESSES * THREADS * TIMES for call, factor in CALLS.items()}


def work(processes: int = PROCESSES, threads: int = THREADS, times: int = TIMES) -> None:
    subprocess.run([sys.executable, WORKLOAD, NAME, *map(str, (processes, threads, times))], check=True)


def traced(program: str) -> str:
    with Tracer("-e", program) as tracer:
        work()
        done = tracer.stop()
    assert done.code == 0
    assert lost_total(done.err) == 0
    return done.out


def test_by_probe() -> None:
    found = counts(traced("tracepoint:syscalls:sys_enter_* { @[probe] = count(); }"))
    assert {call: found[f"tracepoint:syscalls:sys_enter_{call}"] for call in TOTALS} == TOTALS


def test_by_probe_at_the_return() -> None:
    found = counts(traced("tracepoint:syscalls:sys_exit_* { @[probe] = count(); }"))
    assert {call: found[f"tracepoint:syscalls:sys_exit_{call}"] for call in TOTALS} == TOTALS


def test_by_name_and_probe() -> None:
    found = counts(traced("tracepoint:syscalls:sys_enter_* { @[comm, probe] = count(); }"))
    assert {call: found[f"{NAME}, tracepoint:syscalls:sys_enter_{call}"] for call in TOTALS} == TOTALS


def test_by_process_and_thread() -> None:
    program = f'tracepoint:syscalls:sys_enter_times /comm == "{NAME}"/ {{ @[pid, tid] = count(); }}'
    found = counts(traced(program))
    assert sorted(found.values()) == [2 * TIMES] * (PROCESSES * THREADS)
    assert len({key.split(", ")[0] for key in found}) == PROCESSES


def test_one_clause_with_several_probes_and_a_list() -> None:
    listed = ",\n".join(f"tracepoint:syscalls:sys_enter_{call}" for call in CALLS)
    out = traced(f'{listed} /comm == "{NAME}"/ {{ @all = count(); @n++; @sum = sum(1); }}')
    total = sum(TOTALS.values())
    # `@n++` is not atomic over CPUs in bpftrace's language either: it is only known not to exceed.
    assert f"@all: {total}\n" in out and f"@sum: {total}\n" in out
    assert 0 < int(out.split("@n: ")[1].split()[0]) <= total


def test_sizes_of_known_writes() -> None:
    """The aggregations of the sizes of writes, against the same in Python."""
    sizes = [n % 97 for n in range(3000)]
    script = (
        "import ctypes, os, sys\n"
        f"ctypes.CDLL(None).prctl(15, b'{NAME}')\n"
        "fd = os.open('/dev/null', os.O_WRONLY)\n"
        f"for n in range({len(sizes)}): os.write(fd, bytes(n % 97))\n"
        "ctypes.CDLL(None).prctl(15, b'done')\n"
    )
    program = (
        f'tracepoint:syscalls:sys_enter_write /comm == "{NAME}"/ {{ @count = count(); '
        "@sum = sum(args.count); @avg = avg(args.count); @min = min(args.count); @max = max(args.count); "
        "@stats = stats(args.count); @hist = hist(args.count); @lhist = lhist(args.count, 10, 60, 10); }"
    )
    with library.run(program) as session:
        subprocess.run([sys.executable, "-c", script], check=True)
    total = sum(sizes)
    maps = session.maps
    assert maps["@count"].value == len(sizes)
    assert maps["@sum"].value == total
    assert maps["@avg"].value == total // len(sizes)
    assert (maps["@min"].value, maps["@max"].value) == (0, 96)
    stats = maps["@stats"].value
    assert (stats.count, stats.average, stats.total) == (len(sizes), total // len(sizes), total)
    powers: dict[int, int] = {}
    for size in sizes:
        low = 0 if size == 0 else 1 << (size.bit_length() - 1)
        powers[low] = powers.get(low, 0) + 1
    assert {bucket.low: bucket.count for bucket in maps["@hist"].value.buckets if bucket.count} == powers
    tens: dict[int | None, int] = {}
    for size in sizes:
        tens_low = None if size < 10 else min(60, size // 10 * 10)
        tens[tens_low] = tens.get(tens_low, 0) + 1
    assert {bucket.low: bucket.count for bucket in maps["@lhist"].value.buckets} == tens


def test_summary_of_a_command() -> None:
    done = kernscope("syscalls", "--format", "json", "--", sys.executable, WORKLOAD, NAME, "2", "3", "100")
    assert done.returncode == 0, done.stderr
    rows = {row["syscall"]: row for row in json.loads(done.stdout)["rows"]}
    assert {call: rows[call]["calls"] for call in CALLS} == {
        call: factor * 600 for call, factor in CALLS.items()
    }


COMPAT = r"""
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    prctl(PR_SET_NAME, argv[1]);
    /* i386 numbers: 64 is getppid there and semget on x86-64; 102 is socketcall there, getuid here */
    for (int i = 0; i < 100; i++) {
        long result = 64;
        __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
        if (result != getppid())
            return 1;
    }
    return 0;
}
"""


def test_32_bit_calls_do_not_count(tmp_path: Path) -> None:
    """System call tracepoints do not fire for 32-bit calls: their numbers mean other calls."""
    if os.uname().machine != "x86_64" or shutil.which("gcc") is None:
        pytest.skip("needs x86-64 and gcc to make 32-bit calls")
    (tmp_path / "compat.c").write_text(COMPAT)
    subprocess.run(["gcc", "-O1", "-o", tmp_path / "compat", tmp_path / "compat.c"], check=True)
    command = [tmp_path / "compat", NAME]
    if subprocess.run(command, stderr=subprocess.DEVNULL).returncode == -signal.SIGSEGV:
        pytest.skip("this kernel has no 32-bit calls (CONFIG_IA32_EMULATION)")
    program = (
        f'tracepoint:syscalls:sys_enter_* /comm == "{NAME}"/ {{ @enter[probe] = count(); }} '
        f'tracepoint:syscalls:sys_exit_* /comm == "{NAME}"/ {{ @exit[probe] = count(); }}'
    )
    with Tracer("-e", program) as tracer:
        subprocess.run(command, check=True)
        done = tracer.stop()
    entered, left = counts(done.out, "@enter"), counts(done.out, "@exit")
    # The 64-bit getppid of the comparison is seen, the 32-bit one is not, under no name.
    assert entered["tracepoint:syscalls:sys_enter_getppid"] == 100
    assert left["tracepoint:syscalls:sys_exit_getppid"] == 100
    assert "tracepoint:syscalls:sys_enter_semget" not in entered
    assert "tracepoint:syscalls:sys_exit_semget" not in left
    assert sum(entered.values()) < 110


FLOOD = (
    "config = {{ perf_rb_pages = 1 }} "
    'tracepoint:syscalls:sys_enter_{call} /comm == "' + NAME + '"/ {{ printf("%d\\n", pid); @ = count(); }}'
)


@pytest.mark.parametrize("stopped", [False, True], ids=["reading", "reader stopped"])
def test_flood(stopped: bool) -> None:
    """Printed lines and reported losses together are all that happened."""
    total = 3 * 4 * 2 * 2000
    with Tracer("-e", FLOOD.format(call="times")) as tracer:
        if stopped:
            tracer.process.send_signal(signal.SIGSTOP)
        work(3, 4, 2000)
        tracer.process.send_signal(signal.SIGCONT)
        done = tracer.stop()
    assert done.code == 0
    printed = sum(line.isdigit() for line in done.lines)
    lost = lost_total(done.err)
    assert printed + lost == total
    assert f"@: {total}\n" in done.out
    if stopped:
        assert lost > 0 and printed > 0


def test_flood_with_default_buffer() -> None:
    """Nothing is lost when the reader runs."""
    program = f'tracepoint:syscalls:sys_enter_times /comm == "{NAME}"/ {{ printf("%d %d\\n", pid, tid); }}'
    with Tracer("-e", program) as tracer:
        work(2, 2, 10_000)
        done = tracer.stop()
    lines = [line for line in done.lines if line]
    assert len(lines) + lost_total(done.err) == 2 * 2 * 2 * 10_000
    assert len({line.split()[0] for line in lines}) == 2
    assert len(set(lines)) == 4


def test_events_of_a_session_and_its_losses() -> None:
    total = 2 * 2 * 2 * 1000
    program = f'tracepoint:syscalls:sys_enter_times /comm == "{NAME}"/ {{ print((pid, tid)); }}'
    with library.run(program) as session:
        process = subprocess.Popen([sys.executable, WORKLOAD, NAME, "2", "2", "1000"])
        seen = 0
        assert eventually(lambda: process.poll() is not None, 30)
        for event in session.events(timeout=1):
            seen += isinstance(event, library.ValueEvent)
        session.stop()
        seen += sum(isinstance(event, library.ValueEvent) for event in session)
    assert process.returncode == 0
    assert seen + session.lost == total == session.delivered + session.lost


def test_clauses_that_need_nothing_of_their_tracepoints_stay_apart() -> None:
    program = """
        tracepoint:sched:sched_process_exec /pid == cpid/ { @exec = count(); }
        tracepoint:sched:sched_process_exit /pid == cpid/ { @exit = count(); }
        tracepoint:sched:sched_process_fork /pid == cpid/ { @fork = count(); }
    """
    done = kernscope("run", "-e", program, "-c", "true")
    assert done.stdout.split("\n")[2:-1] == ["@exec: 1", "@exit: 1"]

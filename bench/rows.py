"""The measurements, one function each; every function interleaves the tools round by round."""

import contextlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from process import RunError, measure, tracing, workload
from result import Budget, Row
from tools import Tool, Workloads

__all__ = [
    "FASTEST",
    "Job",
    "Setup",
    "burst",
    "check_count",
    "count_all",
    "cpus",
    "interleave",
    "per_call",
    "start_up",
]

COUNT = "tracepoint:syscalls:sys_enter_* { @[probe] = count(); }"
COUNT_A_SECOND = COUNT + " interval:s:1 { exit(); }"
NOTHING = "begin { exit() }"
LINES = (
    'tracepoint:syscalls:sys_enter_openat /comm == "burst"/ '
    r'{ printf("PID %d called openat(\"%s\")\n", pid, str(args.filename)); }'
)
FASTEST = 1
"""Which word of `calls` counts: on a machine with other load the fastest slice is the least disturbed one."""
EXACT = "C, exact"
# 35 characters, so that a line has a common length.
BURST_PATH = "/nonexistent/kernscope/bench/a-file"


class Setup(NamedTuple):
    """What there is to measure with, and how thoroughly to do it."""

    kernscope: Tool
    bpftrace: Tool | None
    workloads: Workloads | None
    folder: Path
    quick: bool

    def tools(self) -> list[Tool]:
        """The tools that take bpftrace programs."""
        return [self.kernscope, *([self.bpftrace] if self.bpftrace else [])]

    def rounds(self, full: int, quick: int) -> int:
        """How many rounds."""
        return quick if self.quick else full

    def loader(self, name: str, *options: str) -> list[str] | None:
        """Command of the hand-written tracer `name`, where it could be built."""
        if self.workloads is None or not self.workloads.loader:
            return None
        return [self.workloads.loader, str(self.folder / f"{name}.bpf.o"), *options]


class Job(NamedTuple):
    """One tool's part of a row: `take` yields one sample and runs in the first `rounds` rounds."""

    tool: str
    rounds: int
    take: Callable[[], float]


def interleave(row: Row, jobs: list[Job]) -> None:
    """Take the samples round by round; a job that fails leaves a note and is not tried again."""
    samples: dict[str, list[float]] = {job.tool: [] for job in jobs}
    broken: set[str] = set()
    for turn in range(max((job.rounds for job in jobs), default=0)):
        for job in jobs:
            if turn >= job.rounds or job.tool in broken:
                continue
            try:
                samples[job.tool].append(job.take())
            except RunError as error:
                broken.add(job.tool)
                row.notes.append(f"{job.tool} failed: {error}")
            print(f"  {row.name}: round {turn + 1}, {job.tool}", file=sys.stderr)
    for tool, taken in samples.items():
        row.add(tool, taken)


def _wall_s(command: list[str]) -> float:
    return measure(command).wall_s


def count_all(setup: Setup) -> list[Row]:
    """Counting all system calls for one second, as a user sees it: the whole process."""
    wall = Row(
        "count-all",
        "count all system calls for 1 s, whole process",
        "s",
        Budget("bpftrace", 1 / 15, text="1/15"),
    )
    slow = setup.rounds(3, 1)
    jobs = [
        Job(
            tool.name,
            slow if tool is setup.bpftrace else setup.rounds(7, 3),
            partial(_wall_s, tool.run(COUNT_A_SECOND)),
        )
        for tool in setup.tools()
    ]
    loader = setup.loader("count", "1")
    if loader:
        jobs.append(Job("C", setup.rounds(7, 3), partial(_wall_s, loader)))
    interleave(wall, jobs)
    return [wall]


def start_up(setup: Setup) -> list[Row]:
    """`begin { exit() }`: wall time, CPU time and peak memory; bare Python is the baseline."""
    wall = Row(
        "start-wall",
        "`begin { exit() }`, wall",
        "ms",
        Budget("bpftrace", 1 / 3, text="1/3"),
        Budget("baseline", 1.0, plus=60.0),
    )
    cpu = Row("start-cpu", "`begin { exit() }`, CPU time", "ms")
    peak = Row("start-memory", "`begin { exit() }`, peak memory", "MiB", Budget("bpftrace", 0.5))
    commands = {tool.name: tool.run(NOTHING) for tool in setup.tools()}
    commands["baseline"] = [sys.executable, "-c", "pass"]
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}

    def take(name: str) -> float:
        cost = measure(commands[name])
        taken[name].append((cost.cpu_s * 1e3, cost.peak_kib / 1024))
        return cost.wall_s * 1e3

    # Python's first run after a change also writes its byte code: not what a user waits for every time.
    for name in commands:
        with contextlib.suppress(RunError):
            take(name)
        taken[name].clear()
    rounds = setup.rounds(20, 5)
    interleave(wall, [Job(name, rounds, partial(take, name)) for name in commands])
    for name, costs in taken.items():
        cpu.add(name, [cost for cost, _ in costs])
        peak.add(name, [memory for _, memory in costs])
    return [wall, cpu, peak]


def per_call(setup: Setup) -> list[Row]:
    """What counting by probe adds to one system call: getppid(2), traced minus the untraced median."""
    row = Row(
        "per-call",
        "added time per traced system call, count by probe",
        "ns",
        Budget("bpftrace", 0.4),
        Budget("C", 1.1),
    )
    title = "the same, against C with the tracepoints' exact meaning"
    exact = Row("per-call-exact", title, "ns", Budget("C", 1.1))
    workloads = setup.workloads
    if workloads is None:
        row.notes.append("left out, needs a C compiler")
        return [row]
    count = 500_000 if setup.quick else 2_000_000
    calls = [workloads.calls, str(count), "20", "1" if cpus() > 1 else "0"]

    def bare() -> float:
        return float(workload(calls)[FASTEST])

    def traced(command: list[str], counted: str) -> float:
        with tracing(command, setup.folder) as tracer:
            took = float(workload(calls)[FASTEST])
            tracer.stop()
            check_count(tracer.stdout.read_text(errors="replace"), counted, count)
        return took

    slow = setup.rounds(3, 1)
    jobs = [Job("baseline", setup.rounds(9, 3), bare)]
    for name, hand_written in (("C", "count"), (EXACT, "count_exact")):
        loader = setup.loader(hand_written)
        if loader:
            jobs.append(Job(name, setup.rounds(9, 3), partial(traced, loader, "110")))
    for tool in setup.tools():
        rounds = slow if tool is setup.bpftrace else setup.rounds(9, 3)
        jobs.append(Job(tool.name, rounds, partial(traced, tool.run(COUNT), "getppid")))
    interleave(row, jobs)
    if "baseline" not in row.series:
        row.series.clear()
        return [row]
    untraced = row.series["baseline"].middle
    for name, series in row.series.items():
        if name != "baseline":
            row.add(name, [took - untraced for took in series.samples])
    if "kernscope" in row.series and EXACT in row.series:
        exact.series = {"kernscope": row.series["kernscope"], "C": row.series.pop(EXACT)}
    row.notes.append("the baseline is the untraced call itself; a sample is the fastest of 20 slices")
    exact.notes.append("this C leaves out 32-bit compat tasks and numbers without a tracepoint, as ours must")
    return [row, exact]


def cpus() -> int:
    return len(
        [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("processor")]
    )


def check_count(output: str, key: str, at_least: int) -> None:
    for line in output.splitlines():
        name, _, value = line.rpartition(": ")
        if name == key or name.endswith(f"{key}]"):
            if int(value) < at_least:
                raise RunError(f"counted {value} of {at_least} calls")
            return
    raise RunError(f"its output has no count for {key}")


def burst(setup: Setup) -> list[Row]:
    """A burst of openat(2), each printed as a line into a file: how many arrive, what one costs."""
    share = Row(
        "burst-share",
        "burst of openat printed as lines: share that arrives",
        "%",
        Budget("", 1, plus=100.0, at_least=True),
    )
    cost = Row("burst-cost", "the same: consumer CPU time per line", "µs", Budget("bpftrace", 0.7))
    rate = Row("burst-rate", "the same: the traced process, per call", "µs")
    workloads = setup.workloads
    if workloads is None:
        share.notes.append("left out, needs a C compiler")
        return [share]
    count = 100_000 if setup.quick else 1_000_000
    marker = f'called openat("{BURST_PATH}")'.encode()
    costs: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {}

    def run(name: str, command: list[str], output: Path | None) -> float:
        with tracing(command, setup.folder) as tracer:
            before = tracer.cpu_s()
            made, wall_ns = workload([workloads.burst, str(count), BURST_PATH])
            tracer.wait_idle()
            used = tracer.cpu_s() - before
            tracer.stop()
            with (output or tracer.stdout).open("rb") as lines:
                arrived = sum(marker in line for line in lines)
        if arrived:
            costs.setdefault(name, []).append(used * 1e6 / arrived)
        rates.setdefault(name, []).append(int(wall_ns) / int(made) / 1e3)
        return 100.0 * arrived / count

    jobs = []
    rounds = setup.rounds(5, 2)
    for tool in setup.tools():
        output = setup.folder / f"lines-{tool.name}"
        command = tool.run(LINES, "-o", str(output))
        jobs.append(
            Job(
                tool.name,
                rounds,
                partial(run, tool.name, command, output),
            )
        )
    loader = setup.loader("lines")
    if loader:
        jobs.append(Job("C", rounds, partial(run, "C", loader, None)))
    jobs.append(Job("baseline", rounds, partial(_untraced_burst, workloads.burst, count, rates)))
    interleave(share, jobs)
    share.series.pop("baseline", None)
    for name, values in costs.items():
        cost.add(name, values)
    for name, values in rates.items():
        rate.add(name, values)
    return [share, cost, rate]


def _untraced_burst(command: str, count: int, rates: dict[str, list[float]]) -> float:
    made, wall_ns = workload([command, str(count), BURST_PATH])
    rates.setdefault("baseline", []).append(int(wall_ns) / int(made) / 1e3)
    return 0.0

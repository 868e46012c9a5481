"""How right, how complete and how cheap profiles are: ``python bench/profiling.py [--quick] [NAME …]``.

The programs of tests/workloads say how much processor time their parts really took; Kernscope, and beside it perf,
py-spy and bpftrace where they are installed, profile the same run of each, one after the other. Peers: `perf` on PATH,
`py-spy` on PATH or in the environment variable PYSPY, bpftrace in BPFTRACE. Needs root. A full run takes about 12
minutes, a quick one 2.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "workloads"))
from known_work import Work, build, python_work
from profiling_peers import PEERS, Seen, kernscope_profile
from run import machine

__all__ = ["main"]

ACCURACY_POINTS = 2.0
COMPLETE_PERCENT = 99.0
SLOWER_PERCENT = 0.5
PROCESSOR_PERCENT = 1.0
MEMORY_MIB = 150


def workloads(folder: Path, seconds: float) -> dict[str, list[object]]:
    """Title → command; those that cannot be built are left out."""
    found: dict[str, list[object]] = {}
    for name, title in (
        ("split", "C, no frame pointers"),
        ("split-stripped", "C, stripped"),
        ("split-pointers", "C, frame pointers"),
        ("split-c++", "C++"),
    ):
        made = build(name, folder)
        if isinstance(made, Path):
            found[title] = [made, seconds]
    found["Python"] = [*python_work("split.py", seconds)]
    library = build("libparts.so", folder)
    if isinstance(library, Path):
        found["Python and C"] = [*python_work("mixed.py", seconds, library)]
    return found


def error_points(seen: Seen, truth: dict[str, int], by_rank: bool) -> float | None:
    """The largest difference of a share from the truth, in percentage points; None where nothing was seen."""
    names = [name for name in truth if name != "elapsed"]
    real = [truth[name] for name in names]
    counted = seen.ranked(len(names)) if by_rank else [seen.with_function(name) for name in names]
    if by_rank:
        real.sort(reverse=True)
    if not seen.total or not sum(counted):
        return None
    return max(abs(100 * c / seen.total - 100 * r / sum(real)) for c, r in zip(counted, real))


def accuracy(folder: Path, quick: bool) -> list[str]:
    """Shares and completeness, by program and tool."""
    seconds = 2.0 if quick else 30.0
    lines = [
        f"Shares of processor time, {seconds:g} s of it at 99 Hz: the largest error in percentage points, and in "
        "brackets which part of the samples reaches `main` or the start of the program. "
        f"Budget: {ACCURACY_POINTS:g} points, {COMPLETE_PERCENT:g} %.",
        "",
        "| program | kernscope | " + " | ".join(PEERS) + " |",
        "| --- " * (len(PEERS) + 2) + "|",
    ]
    for title, command in workloads(folder, seconds).items():
        cells = []
        for name, tool in (("kernscope", kernscope_profile), *PEERS.items()):
            print(f"  {title}: {name}", file=sys.stderr)
            with Work(command) as work:
                seen = tool(work, folder, 99)
                truth = work.finish() if not isinstance(seen, str) else {}
            cells.append(seen if isinstance(seen, str) else _cell(seen, truth, "stripped" in title, name))
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines


def _cell(seen: Seen, truth: dict[str, int], by_rank: bool, tool: str) -> str:
    if not seen.total:
        return "no samples"
    error = error_points(seen, truth, by_rank)
    complete = 100 * seen.complete / seen.total
    text = f"{'–' if error is None else f'{error:.1f}'} ({complete:.1f} %)"
    if tool == "kernscope":
        kept = error is not None and error <= ACCURACY_POINTS and complete >= COMPLETE_PERCENT
        text += ": kept" if kept else ": **missed**"
    return text


def waiting(folder: Path, quick: bool) -> list[str]:
    """`profile offcpu` against the clock."""
    seconds = 4 if quick else 30
    made = build("waits", folder)
    if isinstance(made, str):
        return [f"Waiting: left out, {made}"]
    with Work([made, seconds, folder / "file"]) as work:
        seen = kernscope_profile(work, folder, 99, mode="offcpu", tid=work.pid)
        truth = work.finish()
    lines = [
        f"Waiting, {seconds} s of `profile offcpu`. Budget: {ACCURACY_POINTS:g} points.",
        "",
        "| function | truth | kernscope | difference |",
        "| --- | --- | --- | --- |",
    ]
    total, whole = sum(truth.values()), sum(seen.with_function(name) for name in truth) or 1
    for name, took in truth.items():
        real, shown = 100 * took / total, 100 * seen.with_function(name) / whole
        kept = "kept" if abs(shown - real) <= ACCURACY_POINTS else "**missed**"
        lines.append(f"| `{name}` | {real:.1f} % | {shown:.1f} % | {shown - real:+.2f}: {kept} |")
    return lines


def cost(folder: Path, quick: bool) -> list[str]:
    """What being profiled costs a program, and what the profiler takes itself, with 200 processes there."""
    lines = [
        "Cost, the whole machine being profiled, with 200 more processes. Slow-down: the processor time of a fixed "
        "loop beside the same without a profiler; processor: of the profiler after its first "
        f"5 seconds. Budget at 99 Hz: {SLOWER_PERCENT:g} %, {PROCESSOR_PERCENT:g} %, {MEMORY_MIB} MiB.",
        "",
        "| rate | slow-down | processor | memory |",
        "| --- | --- | --- | --- |",
    ]
    many = [subprocess.Popen(["sleep", "600"]) for _ in range(200)]
    try:
        for hz in (99, 999):
            lines.append(_cost_line(hz, folder, quick))
    finally:
        for process in many:
            process.kill()
        for process in many:
            process.wait()
    return lines


def _cost_line(hz: int, folder: Path, quick: bool) -> str:
    script = Path(sys.executable).parent / "kernscope"
    rounds, seconds = (3, 10) if quick else (8, 30)
    command = [str(script), "profile", "cpu", "-F", str(hz), "--once", "-o", str(folder / "cost.json")]
    profiler = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(5)
        first, began = _processor_s(profiler.pid), time.monotonic()
        while time.monotonic() < began + seconds:
            time.sleep(0.5)
        spent = 100 * (_processor_s(profiler.pid) - first) / (time.monotonic() - began)
        memory = _peak_mib(profiler.pid)
        profiled = [_loop_s() for _ in range(rounds)]
    finally:
        profiler.terminate()
        profiler.wait()
    alone = [_loop_s() for _ in range(rounds)]
    slower = 100 * (median(profiled) / median(alone) - 1)
    judged = hz == 99

    def cell(value: float, limit: float, unit: str) -> str:
        verdict = (": kept" if value <= limit else ": **missed**") if judged else ""
        return f"{value:.2f} {unit}{verdict}"

    return (
        f"| {hz} Hz | {cell(slower, SLOWER_PERCENT, '%')} | {cell(spent, PROCESSOR_PERCENT, '%')} "
        f"| {cell(memory, MEMORY_MIB, 'MiB')} |"
    )


def _loop_s() -> float:
    """Processor time of a fixed loop, in a process of its own."""
    code = "total = 0\nfor i in range(8_000_000): total += i"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-S", "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


PARTS = {"accuracy": accuracy, "waiting": waiting, "cost": cost}


def main(arguments: list[str] | None = None) -> int:
    """Run the parts asked for, print their tables; 0 when every budget is kept."""
    parser = argparse.ArgumentParser(description="How right, complete and cheap profiles are.")
    parser.add_argument("--quick", action="store_true", help="shorter runs")
    parser.add_argument("--json", metavar="FILE", help="also write the lines as JSON")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"parts: {', '.join(PARTS)} (default: all)")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in PARTS]
    if unknown:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    if os.geteuid() != 0:
        print("bench: left out, profiling needs root", file=sys.stderr)
        return 2
    if shutil.which("gcc") is None:
        print("bench: C programs are left out, gcc is not installed", file=sys.stderr)
    lines = [f"{machine()}\n"]
    with tempfile.TemporaryDirectory(prefix="kernscope-bench-") as folder:
        for name in options.names or PARTS:
            lines += [*PARTS[name](Path(folder), options.quick), ""]
    print("\n".join(lines))
    if options.json:
        Path(options.json).write_text(json.dumps(lines, indent=1) + "\n")
    return 1 if any("**missed**" in line for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())

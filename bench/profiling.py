"""How right, how complete and how cheap profiles are: ``python bench/profiling.py [--quick] [-o FILE] [NAME …]``.

The programs of tests/workloads say how much processor time their parts really took. Kernscope profiles one run of each;
perf, py-spy and bpftrace, as far as they are installed, another one together. Peers are looked for on PATH, and in the
environment variables PERF, PYSPY and BPFTRACE. A NAME is a part, or one row of it: `accuracy`, `cost:kernscope`,
`accuracy:Python`. Needs root. A full run takes a quarter of an hour, a quick one 5 minutes.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "workloads"))
from choice import may_run
from known_work import Work, build, python_work
from profiling_cost import cost
from profiling_peers import PEERS, Seen, kernscope_profile, peer_profiles
from run import machine

__all__ = ["main"]

ACCURACY_POINTS = 2.0
COMPLETE_PERCENT = 99.0


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
    """The largest difference of a share from the truth, in percentage points; None where most have no names."""
    names = [name for name in truth if name != "elapsed"]
    real = [truth[name] for name in names]
    counted = seen.ranked(len(names)) if by_rank else [seen.with_function(name) for name in names]
    if by_rank:
        real.sort(reverse=True)
    if not seen.total or sum(counted) < seen.total / 2:
        return None  # it has no names for them
    return max(abs(100 * c / seen.total - 100 * r / sum(real)) for c, r in zip(counted, real))


def accuracy(folder: Path, quick: bool, wanted: str) -> Iterator[str]:
    """Shares and completeness, by program and tool."""
    seconds = 2.0 if quick else 30.0
    yield (
        f"Shares of processor time, {seconds:g} s of it at 99 Hz: the largest error in percentage points, and in "
        "brackets which part of the samples reaches `main` or the start of the program. "
        f"Budget: {ACCURACY_POINTS:g} points, {COMPLETE_PERCENT:g} %.\n"
    )
    yield "| program | kernscope | " + " | ".join(PEERS) + " |"
    yield "| --- " * (len(PEERS) + 2) + "|"
    for title, command in workloads(folder, seconds).items():
        if wanted not in title:
            continue
        print(f"  {title}", file=sys.stderr)
        by_rank = "stripped" in title
        with Work(command) as work:
            ours = kernscope_profile(work, folder, 99)
            cells = [_cell(ours, work.finish(), by_rank, judged=True)]
        with Work(command) as work:
            seen = peer_profiles(work, folder, 99, seconds)
            truth = work.finish()
        cells += [_cell(seen[name], truth, by_rank, judged=False) for name in PEERS]
        yield f"| {title} | " + " | ".join(cells) + " |"


def _cell(seen: Seen | str, truth: dict[str, int], by_rank: bool, *, judged: bool) -> str:
    if isinstance(seen, str):
        return seen
    if not seen.total:
        return "no samples" + (": **missed**" if judged else "")
    error = error_points(seen, truth, by_rank)
    complete = 100 * seen.complete / seen.total
    text = f"{'–' if error is None else f'{error:.1f}'} ({complete:.1f} %)"
    if judged:
        kept = error is not None and error <= ACCURACY_POINTS and complete >= COMPLETE_PERCENT
        text += ": kept" if kept else ": **missed**"
    return text


def waiting(folder: Path, quick: bool, wanted: str) -> Iterator[str]:
    """`profile offcpu` against the clock."""
    seconds = 4 if quick else 30
    made = build("waits", folder)
    if isinstance(made, str):
        yield f"Waiting: left out, {made}"
        return
    with Work([made, seconds, folder / "file"]) as work:
        seen = kernscope_profile(work, folder, 99, mode="offcpu", tid=work.pid)
        truth = work.finish()
    yield f"Waiting, {seconds} s of `profile offcpu`. Budget: {ACCURACY_POINTS:g} points.\n"
    yield "| function | truth | kernscope | difference |"
    yield "| --- | --- | --- | --- |"
    total, whole = sum(truth.values()), sum(seen.with_function(name) for name in truth) or 1
    for name, took in truth.items():
        if wanted not in name:
            continue
        real, shown = 100 * took / total, 100 * seen.with_function(name) / whole
        kept = "kept" if abs(shown - real) <= ACCURACY_POINTS else "**missed**"
        yield f"| `{name}` | {real:.1f} % | {shown:.1f} % | {shown - real:+.2f}: {kept} |"


PARTS = {"accuracy": accuracy, "waiting": waiting, "cost": cost}


def _wanted(names: list[str]) -> dict[str, str]:
    """Part → the row of it that is wanted; empty: all of them."""
    return {part: row for part, _, row in (name.partition(":") for name in names or PARTS)}


def main(arguments: list[str] | None = None) -> int:
    """Run the parts asked for, print their tables; 0 when every budget is kept."""
    parser = argparse.ArgumentParser(description="How right, complete and cheap profiles are.")
    parser.add_argument("--quick", action="store_true", help="shorter runs")
    parser.add_argument("-o", "--output", metavar="FILE", help="also write the tables, as Markdown")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{', '.join(PARTS)} or PART:ROW (default: all)"
    )
    options = parser.parse_args(arguments)
    wanted = _wanted(options.names)
    if not may_run(parser, wanted, PARTS, what="part", work="profiling"):
        return 2
    if shutil.which("gcc") is None:
        print("bench: C programs are left out, gcc is not installed", file=sys.stderr)
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        print(line, flush=True)
        if options.output:  # at once: what was measured is there even if something fails later
            Path(options.output).write_text("\n".join(lines) + "\n")

    tell(f"{machine()}\n")
    with tempfile.TemporaryDirectory(prefix="kernscope-bench-") as folder:
        for name, row in wanted.items():
            for line in PARTS[name](Path(folder), options.quick, row):
                tell(line)
            tell("")
    return 1 if any("**missed**" in line for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())

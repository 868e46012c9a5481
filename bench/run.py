"""Compare Kernscope, bpftrace and C: ``python bench/run.py [--quick] [--json FILE] [--vm KERNEL] [NAME …]``.

bpftrace takes part when the environment variable BPFTRACE names its command (a wrapper that enters a
chroot is fine when /tmp is the same folder inside), hand-written C when clang, libbpf-dev and cc are
installed. Needs root.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from attach import attach_times
from choice import may_run
from compiled import code_size, compile_time
from events import event_costs
from result import Row, as_json, markdown
from rows import Setup, burst, count_all, per_call, start_up
from symbols import source_lines, symbols
from tools import Tool, bpftrace, build_workloads, hand_written_c, kernscope

__all__ = ["main"]

ROWS: dict[str, Callable[[Setup], list[Row]]] = {
    "start": start_up,
    "per-call": per_call,
    "burst": burst,
    "compile": compile_time,
    "code-size": code_size,
    "events": event_costs,
    "attach": attach_times,
    "count-all": count_all,
    "symbols": symbols,
    "lines": source_lines,
}


def prepare(folder: Path, quick: bool) -> tuple[Setup, list[str]]:
    """What takes part, and a line for each that does not."""
    left_out = []
    other = bpftrace()
    if isinstance(other, str):
        left_out.append(other)
    workloads = build_workloads(folder)
    if isinstance(workloads, str):
        left_out.append(workloads)
        return Setup(kernscope(), other if isinstance(other, Tool) else None, None, folder, quick), left_out
    with_c = hand_written_c(workloads)
    if isinstance(with_c, str):
        left_out.append(with_c)
    else:
        workloads = with_c
    return Setup(kernscope(), other if isinstance(other, Tool) else None, workloads, folder, quick), left_out


def machine() -> str:
    """The machine in one line: kernel, processor, CPUs, load."""
    model = next(
        (
            line.partition(": ")[2]
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    load = os.getloadavg()[0]
    cpus, python = os.cpu_count(), platform.python_version()
    return f"Linux {platform.release()}, {model}, {cpus} CPUs, Python {python}, load {load:.1f}"


def in_virtual_machine(name: str, arguments: list[str]) -> int:
    """The same on another kernel, for kinds that this one does not have; an emulated processor: ratios only."""
    sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "vm"))
    import virtual_machine
    from kernels import kernel_folder

    why = virtual_machine.obstacle()
    kernel = why or kernel_folder(name, virtual_machine.CACHE)
    if isinstance(kernel, str):
        print(f"bench: left out: {kernel}", file=sys.stderr)
        return 2
    tracer = os.environ.get("BPFTRACE", "")
    command = ["env", *([f"BPFTRACE={tracer}"] if tracer else []), sys.executable, __file__, *arguments]
    outcome = virtual_machine.run(
        kernel, command, limit_s=1800, show=lambda text: print(text, end="", flush=True)
    )
    return 1 if outcome.code is None else outcome.code


def main(arguments: list[str] | None = None) -> int:
    """Run the rows asked for, print the table; 0 when every budget that could be judged is kept."""
    parser = argparse.ArgumentParser(
        description="Compare Kernscope, bpftrace and hand-written C on this machine."
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", metavar="FILE", help="also write everything, samples included, as JSON")
    parser.add_argument(
        "--vm", metavar="KERNEL", help="run it on a kernel of tests/vm/kernels.py, minutes longer"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"rows: {', '.join(ROWS)} (default: all)")
    options = parser.parse_args(arguments)
    if not may_run(parser, options.names, ROWS, what="row", work="tracing"):
        return 2
    if options.vm:
        return in_virtual_machine(options.vm, [*(["--quick"] if options.quick else []), *options.names])
    # Installed programs have their byte code cached; a shell that forbids it would have us measure Python's
    # compiler instead.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="kernscope-bench-") as folder:
        setup, left_out = prepare(Path(folder), options.quick)
        before, start = machine(), time.monotonic()
        for name in options.names or ROWS:
            rows += ROWS[name](setup)
    print(f"{before} before, {os.getloadavg()[0]:.1f} after; {time.monotonic() - start:.0f} s\n")
    print(
        "".join(f"- {tool.name}: {tool.version}\n" for tool in setup.tools())
        + "".join(f"- {line}\n" for line in left_out)
    )
    print(markdown(rows))
    if options.json:
        document = {"machine": before, "quick": options.quick, "left_out": left_out, "rows": as_json(rows)}
        Path(options.json).write_text(json.dumps(document, indent=1) + "\n")
    return 0 if all(kept for row in rows for _, kept in row.verdicts()) else 1


if __name__ == "__main__":
    sys.exit(main())

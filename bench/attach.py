"""How long attaching to 1, 100 and 1,000 targets takes, and detaching from them, as a user waits for it."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from process import tracing
from result import Budget, Row
from rows import Job, Setup, interleave
from tools import Tool

__all__ = ["attach_times"]

SIZES = (1, 100, 1000)
_ACTION = " { @ = count(); }"


class Program(NamedTuple):
    """A program with `targets` targets, and how much slower ours may be than bpftrace when it detaches."""

    kind: str
    targets: int
    text: str
    detach: float = 1.0
    slow: bool = False


def attach_times(setup: Setup) -> list[Row]:
    """Two rows per program: from the start of the command until all is attached; from Ctrl-C to its end."""
    from kernscope.kernel import Kernel

    rows = []
    with Kernel() as kernel:
        programs = [program for make in _MAKERS for program in make(setup, kernel)]
    for program in programs:
        rows += _rows(setup, program)
    return rows


def _rows(setup: Setup, program: Program) -> list[Row]:
    name = f"{program.kind.replace(' ', '-')}-{program.targets}"
    targets = f"{program.targets:,} target{'s' if program.targets > 1 else ''}"
    limit = Budget("bpftrace", program.detach, text="1/5" if program.detach == 0.2 else "")
    attach = Row(f"attach-{name}", f"attach a {program.kind} to {targets}", "ms", Budget("bpftrace", 1.0))
    detach = Row(f"detach-{name}", f"detach it from {targets}", "ms", limit)
    file = setup.folder / f"attach-{name}.bt"
    file.write_text(program.text)
    left: dict[str, list[float]] = {}

    def take(tool: Tool) -> float:
        start = time.monotonic()
        with tracing([*tool.command, str(file)], setup.folder) as tracer:
            took = (time.monotonic() - start) * 1e3
            left.setdefault(tool.name, []).append(tracer.stop() * 1e3)
        return took

    rounds = 1 if program.slow else setup.rounds(5, 2)
    jobs = [
        Job(tool.name, rounds if tool is setup.bpftrace else max(rounds, 2), partial(take, tool))
        for tool in setup.tools()
    ]
    interleave(attach, jobs)
    for tool, samples in left.items():
        detach.add(tool, samples)
    return [attach, detach]


def _raw_tracepoints(setup: Setup, kernel: object) -> Iterator[Program]:
    events = {n for c in kernel.tracepoint_categories() for n in kernel.tracepoints(c)}  # type: ignore[attr-defined]
    # bpftrace knows those that are events, too.
    names = [n for n in kernel.raw_tracepoints() if n in events]  # type: ignore[attr-defined]
    for size in SIZES:
        chosen = names[:size] if size > 1 else ["sched_process_exec"]
        yield Program(
            "raw tracepoint", len(chosen), ", ".join(f"rawtracepoint:{n}" for n in chosen) + _ACTION
        )


def _tracepoints(setup: Setup, kernel: object) -> Iterator[Program]:
    """Each target has a program of its own that uses its `args`, so that a perf event is under it."""
    found = []
    for category in kernel.tracepoint_categories():  # type: ignore[attr-defined]
        if category in ("syscalls", "raw_syscalls", "ftrace", "bpf_trace", "bpf_test_run"):
            continue
        for name in kernel.tracepoints(category):  # type: ignore[attr-defined]
            fields = kernel.tracepoint_format(category, name).own_fields  # type: ignore[attr-defined]
            plain = [
                f.name
                for f in fields
                if f.size in (4, 8) and not f.count and not f.dynamic and "*" not in f.type_text
            ]
            if plain and re.fullmatch(r"[a-z_]+", plain[0]):
                found.append(f"tracepoint:{category}:{name} {{ @[args.{plain[0]}] = count(); }}")
    yield Program("tracepoint", 1, "tracepoint:sched:sched_process_exec { @[args.pid] = count(); }")
    yield Program("tracepoint", 100, "\n".join(found[:100]), detach=0.2, slow=True)


def _user(setup: Setup, kernel: object) -> Iterator[Program]:
    """A program with a thousand functions, and as many static probes."""
    if setup.workloads is None:
        return
    binary = many_functions(setup.folder)
    for kind, place in (
        ("uprobe", f"{binary}:{{}}"),
        ("uretprobe", f"{binary}:{{}}"),
        ("usdt", f"{binary}:many:{{}}"),
    ):
        for size, pattern in zip(SIZES, ("one_*", "some_*", "*_*"), strict=True):
            yield Program(kind, size, f"{kind}:{place.format(pattern)}" + _ACTION, slow=size == 1000)


def many_functions(folder: Path) -> Path:
    """1 function `one_…`, 99 `some_…`, 900 `all_…` of … each with a static probe of the same name."""
    note = (
        '__asm__ volatile("990: nop\\n.pushsection .note.stapsdt,\\"\\",\\"note\\"\\n.balign 4\\n'
        '.4byte 992f-991f, 994f-993f, 3\\n991: .asciz \\"stapsdt\\"\\n992: .balign 4\\n993: .8byte 990b, 0, 0\\n'
        '.asciz \\"many\\"\\n.asciz \\"{name}\\"\\n.asciz \\"\\"\\n994: .balign 4\\n.popsection\\n");'
    )
    names = ["one_0", *(f"some_{n}" for n in range(100)), *(f"all_{n}" for n in range(899))]
    code = [f"void {name}(void) {{ {note.replace('{name}', name)} }}" for name in names]
    source, binary = folder / "many.c", folder / "many"
    source.write_text("\n".join([*code, "int main(void) { return 0; }"]))
    subprocess.run(["cc", "-O1", "-fno-omit-frame-pointer", "-o", binary, source], check=True)
    return binary


def _software(setup: Setup, kernel: object) -> Iterator[Program]:
    yield Program("software event", 1, "software:page-faults:1000" + _ACTION)


def _kernel_functions(setup: Setup, kernel: object) -> Iterator[Program]:
    """Patterns, so that both may use one link for all of their functions."""
    lists = Path("/sys/kernel/tracing/available_filter_functions")
    if not lists.exists() or not kernel.has_feature("kprobe"):  # type: ignore[attr-defined]
        return
    names = re.findall(r"^([a-z]\w+)$", lists.read_text(), re.MULTILINE)
    for size in SIZES:
        pattern = _pattern(names, size)
        number = sum(n.startswith(pattern.rstrip("*")) for n in names) if pattern.endswith("*") else 1
        for kind in ("kprobe", "fentry"):
            if kind == "kprobe" or size <= 100:  # a fentry is a program per function in bpftrace
                yield Program(kind, number, f"{kind}:{pattern}" + _ACTION, slow=size > 1)


def _pattern(names: list[str], size: int) -> str:
    """The prefix that has nearly so many functions."""
    if size == 1:
        return "vfs_fsync"
    counts: dict[str, int] = {}
    for name in names:
        prefix = name.partition("_")[0] + "_"
        counts[prefix] = counts.get(prefix, 0) + 1
    return min(counts, key=lambda prefix: abs(counts[prefix] - size)) + "*"


_MAKERS: tuple[Callable[[Setup, object], Iterator[Program]], ...] = (
    _raw_tracepoints,
    _tracepoints,
    _user,
    _software,
    _kernel_functions,
)

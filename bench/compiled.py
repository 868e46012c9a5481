"""Compiler rows: how long compiling takes, how many instructions come out, against clang -O2 and bpftrace."""

import json
import struct
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from process import RunError
from result import Budget, Row
from tools import bpf_object

if TYPE_CHECKING:
    from rows import Setup

__all__ = ["code_size", "compile_time"]

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
# Programs with a C twin in c/ or c/pairs/; the twin says in its first line what it does.
TWINS = (
    "arithmetic",
    "block",
    "count",
    "latency",
    "lines",
    "opens",
    "runqueue",
    "signals",
    "sizes",
    "switches",
    "written",
)
INSTRUCTION_BYTES = 8
SHF_EXECINSTR = 4


def elf_instructions(data: bytes) -> int:
    """Instructions in all executable sections of an ELF64 object (elf(5)); ld_imm64 counts as two."""
    if data[:4] != b"\x7fELF":
        raise RunError("not an ELF object")
    (offset,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    total = 0
    for index in range(count):
        _, _, flags, _, _, length = struct.unpack_from("<IIQQQQ", data, offset + index * size)
        if flags & SHF_EXECINSTR:
            total += length
    return total // INSTRUCTION_BYTES


def _ours(program: Path) -> dict[str, float]:
    command = [sys.executable, str(HERE / "compile_once.py"), str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RunError(f"{program.name} does not compile: {last}")
    result: dict[str, float] = json.loads(done.stdout)
    return result


def compile_time(setup: "Setup") -> list[Row]:
    """Compiling the largest program: the first time in a new process, and again when all is imported."""
    title = "compile `bench/programs/large.bt`"
    again = Row("compile", f"{title}, after imports", "ms", Budget("", 1, plus=50.0))
    first = Row("compile-first", f"{title}, first in a new process with its imports", "ms")
    try:
        # The first run may have byte code to write.
        _ours(PROGRAMS / "large.bt")
        runs = [_ours(PROGRAMS / "large.bt") for _ in range(setup.rounds(9, 3))]
    except RunError as error:
        again.notes.append(f"kernscope failed: {error}")
        return [again]
    again.add("kernscope", [run["again_ms"] for run in runs])
    first.add("kernscope", [run["first_ms"] for run in runs])
    return [again, first]


def _bpftrace_instructions(setup: "Setup", program: Path) -> int | None:
    if setup.bpftrace is None:
        return None
    # The object and the program lie in the benchmark's folder in /tmp, which a chroot shares.
    source, made = setup.folder / program.name, setup.folder / f"{program.stem}.o"
    source.write_text(program.read_text())
    command = [*setup.bpftrace.command, "--dry-run", "--emit-elf", str(made), str(source)]
    subprocess.run(command, capture_output=True, timeout=180, check=False)
    return elf_instructions(made.read_bytes()) if made.exists() else None


def code_size(setup: "Setup") -> list[Row]:
    """Instructions of the programs that have a C twin, summed; each program's numbers stand in the notes."""
    title = "instructions emitted, sum of the programs in the notes"
    row = Row("code-size", title, "instructions", Budget("C", 1.3))
    sums: dict[str, list[int]] = {"kernscope": [], "bpftrace": [], "C": []}
    ratios = []
    for name in TWINS:
        program = PROGRAMS / f"{name}.bt"
        counts: dict[str, int | None] = {"kernscope": None, "bpftrace": None, "C": None}
        try:
            counts["kernscope"] = int(_ours(program)["instructions"])
        except RunError as error:
            row.notes.append(f"kernscope failed: {error}")
        if name != "count":
            counts["bpftrace"] = _bpftrace_instructions(setup, program)
        made = bpf_object(name, setup.folder)
        if isinstance(made, Path):
            counts["C"] = elf_instructions(made.read_bytes())
        for tool, number in counts.items():
            if number is not None:
                sums[tool].append(number)
        ours, theirs = counts["kernscope"], counts["C"]
        if ours is not None and theirs:
            ratios.append(ours / theirs)
        shown = ", ".join(f"{tool} {number}" for tool, number in counts.items() if number is not None)
        row.notes.append(f"`{name}.bt`: {shown}")
    if ratios:
        row.notes.append(f"in the median of the programs kernscope has {median(ratios):.2f} of what C has")
    row.notes.append("bpftrace makes a program of its own for each tracepoint, so its `count.bt` is left out")
    for tool, numbers in sums.items():
        # A sum is comparable only where every program is in it.
        if len(numbers) == len(TWINS):
            row.add(tool, [float(sum(numbers))])
    return [row]

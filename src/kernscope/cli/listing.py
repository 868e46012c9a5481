"""`kernscope list`, and `run -l` and `run --info`: the probes of this kernel, and what it supports."""

import os

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option
from kernscope.cli.terminal import complain, write

__all__ = ["COMMAND", "run_listing", "show_info"]

_COLUMN = 35
"""Width of the columns of `--info`, as bpftrace sets them."""


def _run(arguments: Arguments) -> int:
    names = _of_program(arguments)
    if names is None:
        pattern = ",".join(arguments.words) if arguments.words else "*"
        names = kernscope.list_probes(pattern)
        if not names:
            complain(f"no probe of this kernel matches `{pattern}`")
            return 1
    _write(names, arguments.flag("verbose"))
    return 0


def run_listing(arguments: Arguments) -> int:
    """`run -l`, as bpftrace does it: nothing found is nothing printed."""
    names = _of_program(arguments)
    if names is None:
        names = kernscope.list_probes(",".join(arguments.words) if arguments.words else "*")
    _write(names, arguments.flag("verbose"))
    return 0


def _of_program(arguments: Arguments) -> list[str] | None:
    """The probes of the program that is given, if one is."""
    words = arguments.words
    is_file = len(words) == 1 and (words[0] == "-" or os.path.isfile(words[0]))
    if not arguments.given("e") and not is_file:
        return None
    from kernscope.cli.program import read_program

    program = read_program(arguments)
    if program.bundle is not None:
        return list(dict.fromkeys(a.probe for spec in program.bundle.programs for a in spec.attach))
    return kernscope.program_probes(program.text, name=program.name)


def _write(names: list[str], verbose: bool) -> None:
    write(kernscope.syscalls.listing_text(names, kernscope.probe_fields if verbose else None))


def show_info() -> int:
    """`run --info`: the first two sections as lines, the others in two columns."""
    lines: list[str] = []
    for number, (section, rows) in enumerate(kernscope.machine_info()):
        wide = number >= 2
        lines.append(f"{section:<{_COLUMN}}" if number >= 3 else section)
        cells = [f"{key}: {value}" for key, value in rows]
        if wide:
            for left, right in zip(cells[::2], [*cells[1::2], ""]):
                first = f"  {left}"
                lines.append(f"{first:<{_COLUMN}}" + (f"{right:<{_COLUMN}}" if right else ""))
        else:
            lines += [f"  {cell}" for cell in cells]
        lines.append("")
    write("\n".join(lines) + "\n")
    return 0


COMMAND = Command(
    "list",
    ["[PATTERN ...] [-v]", "FILE [-v]", "-e PROGRAM [-v]"],
    "List the probes of this kernel whose names match a pattern, or those of a program, with their arguments\n"
    "under -v. A pattern may hold `*`, `?` and `[…]`, and leave out the kind: 'tracepoint:sched:*', '*exec*'.",
    [
        Option("-v --verbose", "", "show the members of `args` and their types"),
        Option("-e", "PROGRAM", "list the probes of this program"),
    ],
    _run,
    examples=[
        ("'*openat*'", "all probes with `openat` in their name"),
        ("-v tracepoint:sched:sched_switch", "what `args` holds there"),
        ("-e 'tracepoint:syscalls:sys_enter_open* { }'", "what a program would attach to"),
    ],
)

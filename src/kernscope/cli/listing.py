"""`kernscope list`, and `run -l` and `run --info`: the probes of this kernel, and what it supports."""

import os

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, positive
from kernscope.cli.terminal import complain, write

__all__ = ["COMMAND", "run_listing", "show_info"]

_TYPES = ("struct ", "union ", "enum ")
_COLUMN = 35
"""Width of the columns of `--info`, as bpftrace sets them."""


def _run(arguments: Arguments) -> int:
    if run_listing(arguments):
        return 0
    pattern = ",".join(arguments.words) or "*"
    if pattern.startswith(_TYPES):
        complain(f"no type of this kernel matches `{pattern}`")
        return 1
    names, why = _as_target(pattern) if ":" in pattern and not arguments.given("pid") else ([], [])
    if names:
        write("".join(f"{name}\n" for name in names))
        return 0
    complain("\n  = note: ".join([f"no probe of this kernel matches `{pattern}`", *why]))
    return 1


def _as_target(pattern: str) -> tuple[list[str], list[str]]:
    """What a program's target of this text means, of which there may be too many to be listed (`kprobe:vfs_read+4`);
    or else why it means nothing.
    """
    try:
        return kernscope.program_probes(pattern + " { }"), []
    except kernscope.CompileError as problem:
        first = problem.diagnostics[0]
        return [], [first.message, *first.notes]


def run_listing(arguments: Arguments) -> bool:
    """`run -l`, as bpftrace does it: nothing found is nothing printed. Whether anything was found."""
    verbose = arguments.flag("verbose")
    pattern = ",".join(arguments.words) or "*"
    names = _of_program(arguments)
    if names is None and pattern.startswith(_TYPES):
        types = kernscope.list_types(pattern)
        # bpftrace says where a type is from: there may be several, of modules
        write("".join(f"vmlinux: {kernscope.type_text(t)}\n" if verbose else f"{t}\n" for t in types))
        return bool(types)
    if names is None:
        names = kernscope.list_probes(pattern, arguments.integer("pid") or 0)
    write(kernscope.syscalls.listing_text(names, kernscope.probe_fields if verbose else None))
    return bool(names)


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
    ["[PATTERN ...] [-v] [-p PID]", "FILE [-v]", "-e PROGRAM [-v]"],
    "List the probes of this kernel whose names match a pattern, or those of a program, with their arguments\n"
    "under -v. A pattern may hold `*`, `?` and `[…]`, and leave out the kind: 'tracepoint:sched:*', '*exec*'.",
    [
        Option("-v --verbose", "", "show the members of `args` and their types"),
        Option("-e", "PROGRAM", "list the probes of this program"),
        Option(
            "-p --pid",
            "PID",
            "files in the pattern are those of this process; `*` is all that it uses",
            convert=positive,
        ),
    ],
    _run,
    examples=[
        ("'*openat*'", "all probes with `openat` in their name"),
        ("-v tracepoint:sched:sched_switch", "what `args` holds there"),
        ("'uprobe:bash:*read*'", "functions of a program; of a library: 'uprobe:libc:*'"),
        ("-p $$ 'uprobe:*:malloc'", "what a process has mapped"),
        ("-v 'struct list_head'", "a type of the kernel; without -v, the names that match"),
        ("-e 'tracepoint:syscalls:sys_enter_open* { }'", "what a program would attach to"),
    ],
)

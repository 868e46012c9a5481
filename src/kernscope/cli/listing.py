"""`kernscope list`: the probes of this kernel."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, UsageError
from kernscope.cli.terminal import complain, write

__all__ = ["COMMAND"]


def _run(arguments: Arguments) -> int:
    if len(arguments.words) > 1:
        raise UsageError("one pattern at a time; quote it, so that the shell leaves it alone")
    pattern = arguments.words[0] if arguments.words else "*"
    names = kernscope.list_probes(pattern)
    if not names:
        complain(f"no probe of this kernel matches `{pattern}`")
        return 1
    fields = kernscope.probe_fields if arguments.flag("verbose") else None
    write(kernscope.syscalls.listing_text(names, fields))
    return 0


COMMAND = Command(
    "list",
    ["[PATTERN] [-v]"],
    "List the probes of this kernel whose names match a pattern, with their arguments under -v.",
    [Option("-v --verbose", "", "show the members of `args` and their types")],
    _run,
    examples=[
        ("'*openat*'", "all probes with `openat` in their name"),
        ("-v tracepoint:sched:sched_switch", "what `args` holds there"),
    ],
)

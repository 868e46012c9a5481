"""`kernscope doctor`: what works here."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, UsageError
from kernscope.cli.terminal import is_terminal, terminal_width, write

__all__ = ["COMMAND"]


def _run(arguments: Arguments) -> int:
    if arguments.words:
        raise UsageError(f"`{arguments.words[0]}` is no option")
    report = kernscope.doctor()
    syscalls = kernscope.syscalls
    if arguments.text("format") == "json":
        write(syscalls.doctor_json(report))
    else:
        write(syscalls.doctor_text(report, color=is_terminal(), width=terminal_width(1)))
    return 0 if report.main_job_works else 3


COMMAND = Command(
    "doctor",
    [""],
    "Say what this kernel and these privileges allow: which probes and features work, why others do not,\n"
    "and what would make them work. The exit code is 0 if system calls can be counted and traced.",
    [Option("-f --format", "FORMAT", "text or json", choices=("text", "json"))],
    _run,
)

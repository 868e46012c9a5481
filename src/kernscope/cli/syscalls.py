"""`kernscope syscalls`: the machine's system calls as a table."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, UsageError, positive, seconds
from kernscope.cli.terminal import StopOnSignals, complain, is_terminal, write_result

__all__ = ["COMMAND"]

_KEYS = ("syscall", "process", "pid")
_SORTS = ("calls", "time", "errors")
_FORMATS = ("table", "json", "csv")


def _prepare(arguments: Arguments) -> "kernscope.syscalls.Summary":
    syscalls = kernscope.syscalls
    if arguments.words:
        raise UsageError(f"`{arguments.words[0]}` is no option; put a command to run after `--`")
    try:
        filter = syscalls.Filter(
            comm=arguments.text("comm") or None,
            pid=arguments.integer("pid"),
            command=bool(arguments.rest),
        )
    except syscalls.FilterError as error:
        raise UsageError(str(error)) from None
    return syscalls.Summary(by=arguments.text("by"), sort=arguments.text("sort"), filter=filter)


def _run(arguments: Arguments) -> int:
    summary = _prepare(arguments)
    format = arguments.text("format") or "table"
    # A command writes to the same terminal: redrawing in place would overwrite its output.
    live = format == "table" and is_terminal() and not arguments.flag("once") and not arguments.rest
    watcher = kernscope.syscalls.Watcher(summary, top=arguments.integer("top") or 0, escape=is_terminal())
    session = kernscope.run(
        summary.text,
        name="kernscope syscalls",
        command=arguments.rest or None,
        pid=arguments.integer("pid"),
        duration=arguments.number("duration"),
        sinks=[watcher.sink],
        print_maps=False,
    )
    interval_s = arguments.number("interval") or 1.0
    with StopOnSignals(session.stop), session:
        watcher.watch(session, screen_fd=1 if live else None, interval_s=interval_s)
    code = write_result(watcher.text(format))
    for warning in watcher.warnings:
        complain(f"warning: {warning}")
    return code


COMMAND = Command(
    "syscalls",
    ["[OPTIONS]", "[OPTIONS] -- COMMAND [ARGUMENT ...]"],
    "Count the system calls of the whole machine, of one process, or of a command and its children: how\n"
    "often, how many failed and why, and how long they took. On a terminal the table is live until Ctrl-C.",
    [
        Option("-d --duration", "DURATION", "end after this time: 10, 500ms, 2m", convert=seconds),
        Option("-n --top", "N", "show only the first N rows", convert=positive),
        Option("--by", "KEY", "what a row stands for", choices=_KEYS, default="syscall"),
        Option("--sort", "KEY", "what ranks the rows", choices=_SORTS, default="calls"),
        Option("--comm", "NAME", "only processes of this name"),
        Option("-p --pid", "PID", "only this process", convert=positive),
        Option("-i --interval", "DURATION", "time between redraws; default 1", convert=seconds),
        Option("-f --format", "FORMAT", "how to print the result", choices=_FORMATS),
        Option("--once", "", "no live table, only the final one"),
    ],
    _run,
    examples=[
        ("", "live table of the whole machine"),
        ("-d 10 --by process", "ten seconds, one row per process name"),
        ("-f json -- make", "what a build asks of the kernel, as JSON"),
    ],
    epilogue="Calls are counted when they begin, errors and times when they return. Our own are left out.",
)

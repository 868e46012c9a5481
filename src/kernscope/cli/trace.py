"""`kernscope trace`: each call of some system calls as one line."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, UsageError, positive, seconds
from kernscope.cli.terminal import StopOnSignals, complain, is_terminal

__all__ = ["COMMAND"]

_PREFIX = "tracepoint:syscalls:sys_enter_"


def _prepare(arguments: Arguments) -> "kernscope.syscalls.Trace":
    syscalls = kernscope.syscalls
    if not arguments.words:
        raise UsageError("which system calls? For instance `kernscope trace openat`, or a pattern")
    available = [name.removeprefix(_PREFIX) for name in kernscope.list_probes(_PREFIX + "*")]
    try:
        chosen = syscalls.match_syscalls(arguments.words, available)
        filter = syscalls.Filter(
            comm=arguments.text("comm") or None,
            pid=arguments.integer("pid"),
            command=bool(arguments.rest),
        )
    except (syscalls.UnknownSyscall, syscalls.FilterError) as error:
        raise UsageError(str(error)) from None
    # The first field is the number of the system call.
    fields = {name: tuple(kernscope.probe_fields(_PREFIX + name)[1:]) for name in chosen}
    return syscalls.Trace(chosen, fields, filter=filter, failed=arguments.flag("failed"))


def _run(arguments: Arguments) -> int:
    trace = _prepare(arguments)
    sink = kernscope.syscalls.TraceSink(trace, 1, format=arguments.text("format") or "text")
    session = kernscope.run(
        trace.text,
        name="kernscope trace",
        command=arguments.rest or None,
        pid=arguments.integer("pid"),
        duration=arguments.number("duration"),
        sinks=[sink],
        print_maps=False,
    )
    with StopOnSignals(session.stop), session:
        if is_terminal(2) and not arguments.rest:
            names = [call.name for call in trace.calls]
            what = f"`{names[0]}`" if len(names) == 1 else f"{len(names)} system calls"
            complain(f"tracing {what}; Ctrl-C ends it")
        while not session.wait(None):
            pass
    sink.write_unfinished(session.maps["@call"])
    if isinstance(sink.error, BrokenPipeError):
        raise sink.error
    for warning in sink.warnings:
        complain(f"warning: {warning}")
    if sink.error is not None:
        complain(f"error: writing the output: {sink.error.strerror}")
        return 3
    return 0


COMMAND = Command(
    "trace",
    ["[OPTIONS] SYSCALL ...", "[OPTIONS] SYSCALL ... -- COMMAND [ARGUMENT ...]"],
    "Print each call of these system calls, on the whole machine or by some process, as one line: time,\n"
    "process, process id, call with its arguments, result, duration. SYSCALL is a name or a pattern such\n"
    "as 'open*'.",
    [
        Option("--failed", "", "only calls that return an error"),
        Option("--comm", "NAME", "only processes of this name"),
        Option("-p --pid", "PID", "only this process", convert=positive),
        Option("-d --duration", "DURATION", "end after this time: 10, 500ms, 2m", convert=seconds),
        Option("-f --format", "FORMAT", "text, or one JSON object per line", choices=("text", "json")),
    ],
    _run,
    examples=[
        ("openat", "each file that is opened"),
        ("--failed 'open*' connect", "what cannot be opened or reached, and why"),
        ("execve exit_group -- make", "which programs a build starts"),
    ],
)

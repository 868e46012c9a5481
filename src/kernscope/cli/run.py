"""`kernscope run`: run a bpftrace program."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, UsageError, positive
from kernscope.cli.program import read_program
from kernscope.cli.terminal import complain

__all__ = ["COMMAND"]

# SIGINT and SIGTERM by number: the module `signal` takes long to import.
_ENDING = (2, 15)
_BUFFERING = ("full", "line", "none")


def _run(arguments: Arguments) -> int:
    name, text, parameters = read_program(arguments)
    command = _split_command(arguments.text("c"))
    output = _open_output(arguments.text("o"))
    try:
        sink = _sink(arguments, output)
        session = kernscope.run(
            text,
            name=name,
            args=parameters,
            command=command,
            pid=arguments.integer("pid"),
            sinks=[sink],
        )
        if arguments.flag("verbose"):
            _describe(session.bundle)
        # From before the start on, so that Ctrl-C right after attaching also ends it cleanly.
        code = session.run(signals=_ENDING)
    finally:
        if output != 1:
            import os

            os.close(output)
    if isinstance(sink.error, BrokenPipeError):
        raise sink.error
    if sink.error is not None:
        where = arguments.text("o") or "standard output"
        complain(f"error: writing to {where}: {sink.error.strerror}")
        _rescue(sink)
        return 3
    return code


def _describe(bundle: "kernscope.Bundle") -> None:
    """What the program has become, program by program."""
    for program in bundle.programs:
        where = program.attach[0].probe + (f" and {n} more" if (n := len(program.attach) - 1) else "")
        complain(f"{program.name}: {len(program.code) // 8} instructions, at {where}")
    complain(f"{bundle.probe_count} probes, {len(bundle.user_maps)} maps of the program")


def _rescue(sink: object) -> None:
    """What was collected and could not be written where it should go: to standard error, as far as kept."""
    unwritten = getattr(sink, "unwritten", b"")
    if unwritten:
        complain("  = note: what could not be written follows")
        complain(unwritten.decode("utf-8", "surrogateescape"))


def _split_command(text: str) -> list[str] | None:
    if not text:
        return None
    import shlex

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"`-c {text}`: {error}") from None
    if not words:
        raise UsageError("`-c` needs a command")
    return words


def _open_output(name: str) -> int:
    if not name:
        return 1
    import os

    try:
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise UsageError(f"cannot write `{name}`: {error.strerror}") from None


def _sink(arguments: Arguments, output: int) -> "kernscope.TextSink | kernscope.JsonSink":
    quiet = arguments.flag("quiet")
    buffering = arguments.text("B") or "full"
    if (arguments.text("format") or "text") == "json":
        return kernscope.JsonSink(output, buffering=buffering, quiet=quiet)
    return kernscope.TextSink(output, None if quiet else 2, buffering=buffering, quiet=quiet)


COMMAND = Command(
    "run",
    ["[OPTIONS] FILE [ARGUMENT ...]", "[OPTIONS] -e PROGRAM [-- ARGUMENT ...]"],
    "Run a program in the bpftrace language until it exits, its command ends, or Ctrl-C. Maps are printed\n"
    "at the end.",
    [
        Option("-e", "PROGRAM", "the program's text"),
        Option("-c", "COMMAND", "start this command, trace it, and end with it"),
        Option("-p --pid", "PID", "end when this process ends", convert=positive),
        Option("-o", "FILE", "write the program's output to a file"),
        Option("-f --format", "FORMAT", "how to print events and maps", choices=("text", "json")),
        Option("-B", "MODE", "when output is written", choices=_BUFFERING),
        Option("-q --quiet", "", "no messages"),
        Option("-v --verbose", "", "say what is loaded"),
    ],
    _run,
    examples=[
        ("-e 'tracepoint:sched:sched_process_exec { printf(\"%s\\n\", comm); }'", "each program that starts"),
        ("script.bt 1000", "a file; `$1` in it is 1000"),
    ],
)

"""What the commands that run a program share: the command to trace, where output goes, how a run ends."""

import os

import kernscope
from kernscope.cli.options import UsageError
from kernscope.cli.terminal import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    FileSink = kernscope.TextSink | kernscope.JsonSink

__all__ = ["split_command", "trace"]

# SIGHUP, SIGINT and SIGTERM by number: the module `signal` takes long to import.
_ENDING = (1, 2, 15)


def trace(
    output: str, make_sink: "Callable[[int], FileSink]", prepare: "Callable[[FileSink], kernscope.Session]"
) -> int:
    """Run the session that `prepare` makes until it ends, and return the exit code.

    Args:
        output: name of a file for what the program prints; standard output if empty.
        make_sink: the sink that writes to a descriptor.
        prepare: the session that writes to a sink, ready to start.
    """
    descriptor = _open_output(output)
    try:
        sink = make_sink(descriptor)
        session = prepare(sink)
        # From before the start on, so that Ctrl-C right after attaching also ends it cleanly.
        code = session.run(signals=_ending_signals())
    finally:
        if descriptor != 1:
            os.close(descriptor)
    if isinstance(sink.error, BrokenPipeError):
        raise sink.error
    if sink.error is not None:
        complain(f"error: writing to {output or 'standard output'}: {sink.error.strerror}")
        _rescue(sink)
        return 3
    return code


def split_command(text: str) -> list[str] | None:
    """The words of `-c`, as a shell would split them."""
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
    try:
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise UsageError(f"cannot write `{name}`: {error.strerror}") from None


def _ending_signals() -> tuple[int, ...]:
    """Not SIGHUP where it is ignored, as nohup(1) has it."""
    import _signal  # type: ignore[import-not-found]  # `signal` makes enumerations of it: 2 ms

    ignored = _signal.getsignal(_signal.SIGHUP) == _signal.SIG_IGN
    return _ENDING[1:] if ignored else _ENDING


def _rescue(sink: object) -> None:
    """What was collected and could not be written where it should go: to standard error, as far as kept."""
    unwritten = getattr(sink, "unwritten", b"")
    if unwritten:
        complain("  = note: what could not be written follows")
        complain(unwritten.decode("utf-8", "surrogateescape"))

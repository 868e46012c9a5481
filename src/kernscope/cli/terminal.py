"""Standard output and the signals that end a session."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["complain", "ended_by_signals", "is_terminal", "terminal_width", "write"]


def is_terminal(fd: int = 1) -> bool:
    """Whether a descriptor is a terminal."""
    try:
        return os.isatty(fd)
    except OSError:
        return False


def terminal_width(fd: int = 2) -> int:
    """Columns of the terminal; 100 where there is none."""
    try:
        return os.get_terminal_size(fd).columns or 100
    except OSError:
        return 100


def write(text: str, fd: int = 1) -> None:
    """Write all of `text`; bytes that were not UTF-8 go out as they came. Raises OSError, BrokenPipeError."""
    data = memoryview(text.encode("utf-8", "surrogateescape"))
    while data:
        data = data[os.write(fd, data) :]


def complain(text: str) -> None:
    """A line to standard error; nothing is raised where that is closed."""
    with suppress(OSError):
        write(text if text.endswith("\n") else text + "\n", 2)


@contextmanager
def ended_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Within the block, SIGINT and SIGTERM call `stop`; a second SIGINT gives up at once."""
    import signal

    seen = False

    def on_signal(number: int, frame: object) -> None:
        nonlocal seen
        if seen and number == signal.SIGINT:
            raise KeyboardInterrupt
        seen = True
        stop()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def close_quietly() -> None:
    """Let the interpreter's own flush at exit find nothing to complain about."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)
    except OSError:
        pass
    sys.stdout = None  # type: ignore[assignment]

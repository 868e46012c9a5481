"""Standard output and the signals that end a session."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "StopOnSignals",
    "close_quietly",
    "complain",
    "is_terminal",
    "terminal_width",
    "use_color",
    "write",
    "write_bytes",
    "write_result",
]


_SIGINT = 2


def is_terminal(fd: int = 1) -> bool:
    """Whether a descriptor is a terminal."""
    try:
        return os.isatty(fd)
    except OSError:
        return False


def use_color(fd: int = 1) -> bool:
    """Whether to colour what goes to a descriptor: BPFTRACE_COLOR says `always` or `never`, NO_COLOR (see
    no-color.org) no, and otherwise a terminal yes.
    """
    wish = os.environ.get("BPFTRACE_COLOR", "auto")
    if wish in ("always", "never"):
        return wish == "always"
    return not os.environ.get("NO_COLOR") and is_terminal(fd)


def terminal_width(fd: int = 2) -> int:
    """Columns of the terminal; 100 where there is none."""
    try:
        return os.get_terminal_size(fd).columns or 100
    except OSError:
        return 100


def write(text: str, fd: int = 1) -> None:
    """Write all of `text`; bytes that were not UTF-8 go out as they came. Raises OSError, BrokenPipeError."""
    write_bytes(text.encode("utf-8", "surrogateescape"), fd)


def write_bytes(data: bytes, fd: int) -> None:
    """Write all of `data`. Raises OSError, BrokenPipeError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def write_result(text: str) -> int:
    """Write a result that took time to get; where standard output takes no more, it goes to standard error.

    Returns the exit code: 0, or 3 where it could not be written. Raises BrokenPipeError: nobody wants it then.
    """
    try:
        write(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        complain(f"error: writing to standard output: {error.strerror}")
        complain("  = note: what could not be written follows")
        complain(text)
        return 3
    return 0


def complain(text: str) -> None:
    """A line to standard error; nothing is raised where that is closed."""
    try:  # noqa: SIM105 - contextlib costs more time to import than the rest of the command
        write(text if text.endswith("\n") else text + "\n", 2)
    except OSError:
        pass


class StopOnSignals:
    """Within the block, SIGINT, SIGTERM and SIGHUP call `stop`; a second SIGINT gives up at once. SIGHUP, by which the
    end of a terminal is told, stays what it is where that was chosen: ignored (nohup), or to read a file again.

    One that comes within `grace_s` seconds of the first is the same: keys are pressed twice by impatience, and what was
    collected would be lost.
    """

    def __init__(self, stop: "Callable[[], None]", *, grace_s: float = 0.0) -> None:
        self._stop = stop
        self._grace_s = grace_s
        self._seen = False
        self._first_s = 0.0
        self._before: dict[int, object] = {}

    def __enter__(self) -> None:
        import signal

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) != signal.SIG_DFL:
                continue
            self._before[number] = signal.signal(number, self._on_signal)

    def __exit__(self, *_: object) -> None:
        import signal

        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _on_signal(self, number: int, frame: object) -> None:
        import time

        if self._seen and number == _SIGINT and time.monotonic() - self._first_s >= self._grace_s:
            raise KeyboardInterrupt
        if not self._seen:
            self._seen, self._first_s = True, time.monotonic()
        self._stop()


def close_quietly() -> None:
    """Let the interpreter's own flush at exit find nothing to complain about."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)
    except OSError:
        pass
    sys.stdout = None

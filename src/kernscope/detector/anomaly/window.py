"""What each process did in a window of time, counted."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["WINDOW_NS", "Window", "Windows"]

WINDOW_NS = 5_000_000_000
MOST_DIFFERENT = 1000
"""Files and ports of a process that are told apart in a window."""
_MOST_PROCESSES = 8192
_MOST_CALLS = 512
"""Kinds of system calls that are told apart in a window."""


class Window:
    """One process in one window.

    Attributes:
        process: who; the caller's own key.
        exe: its executable.
        duration_ns: the window's length.
        calls: how often each system call was made, by number.
        total, failed: of all calls. Calls that were sampled stand for several.
        seen: how many of them were really seen.
        forks: processes that it started.
        files, ports: how many different ones events named; at most `MOST_DIFFERENT`.
        unknown: runs of three calls that its executable was not known to make.
    """

    __slots__ = (
        "calls",
        "duration_ns",
        "exe",
        "failed",
        "files",
        "forks",
        "ports",
        "process",
        "seen",
        "total",
        "unknown",
    )

    def __init__(self, process: Hashable, exe: str, duration_ns: int = WINDOW_NS) -> None:
        self.process, self.exe, self.duration_ns = process, exe, duration_ns
        self.calls: dict[int, int] = {}
        self.total = self.seen = self.failed = self.forks = self.unknown = 0
        self.files: set[int] = set()
        self.ports: set[int] = set()

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.total * 1e9 / self.duration_ns

    @property
    def error_share(self) -> float:
        """Of all calls, from 0 to 1."""
        return self.failed / self.total if self.total else 0.0

    def add(self, number: int, count: int, failed: bool, seen: int = -1) -> None:
        """Count a call; `seen`: of how many samples, where it is not each."""
        self.total += count
        self.seen += count if seen < 0 else seen
        if failed:
            self.failed += count
        if number in self.calls or len(self.calls) < _MOST_CALLS:
            self.calls[number] = self.calls.get(number, 0) + count


class Windows:
    """The windows that are open: all begin and end together.

    Attributes:
        forgotten: processes that found no room.
    """

    def __init__(self, most: int = _MOST_PROCESSES) -> None:
        self._open: dict[Hashable, Window] = {}
        self._most = most
        self.forgotten = 0

    def of(self, process: Hashable, exe: str) -> Window:
        """The open window of a process. A process that executes another program has one for each."""
        key = (process, exe)
        found = self._open.get(key)
        if found is None:
            found = Window(process, exe)
            if len(self._open) < self._most:
                self._open[key] = found
            else:
                self.forgotten += 1
        return found

    def close(self, duration_ns: int) -> list[Window]:
        """All windows, in the order in which they were opened; new ones begin."""
        closed, self._open = list(self._open.values()), {}
        for window in closed:
            window.duration_ns = max(duration_ns, 1)
        return closed

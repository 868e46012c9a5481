"""Names of code that a process makes itself: /tmp/perf-PID.map (tools/perf/Documentation/jit-interface.txt in Linux).

The file lies in the process's own mount namespace and is called by its number in its own pid namespace. It grows while
the process runs: only what is new is read. Lines that make no sense are left out.
"""

import os
from array import array
from bisect import bisect_right

from kernscope.kernel.mappings import namespace_pid, open_regular
from kernscope.symbols.files import root_of

__all__ = ["PerfMap"]

MOST_BYTES = 1 << 26
"""Of one file; what comes behind is not read."""
MOST_BACK = 32
"""Entries before an address among which the one that covers it is looked for: they may overlap."""
_MOST_NAME = 1024


class PerfMap:
    """The map of one process. Its place is found when this is made, while the process lives."""

    __slots__ = ("_at", "_entries", "_identity", "_paths", "_rest", "_starts", "path")

    def __init__(self, pid: int) -> None:
        own, root = namespace_pid(pid), root_of(pid)
        self.path = f"/tmp/perf-{own}.map"
        # When the process has ended its root is gone, but where that is ours the file is still there.
        self._paths = [f"/proc/{pid}/root{self.path}"] + ([] if root else [self.path])
        self._forget()

    def _forget(self) -> None:
        self._identity: tuple[int, int] | None = None
        self._at, self._rest = 0, b""
        self._entries: list[tuple[int, int, int, str]] = []
        self._starts = array("Q")

    def lookup(self, address: int) -> tuple[str, int] | None:
        """(name, offset into it) of the code at an address. What was written last counts."""
        self._refresh()
        at = bisect_right(self._starts, address) - 1
        best: tuple[int, int, int, str] | None = None
        for i in range(at, max(-1, at - MOST_BACK), -1):
            entry = self._entries[i]
            if address < entry[0] + entry[2] and (best is None or entry[1] > best[1]):
                best = entry
        return None if best is None else (best[3], address - best[0])

    def _refresh(self) -> None:
        for path in self._paths:
            try:
                fd = open_regular(path)
            except OSError:
                continue
            try:
                self._read(fd)
            except OSError:
                pass
            finally:
                os.close(fd)
            return

    def _read(self, fd: int) -> None:
        status = os.fstat(fd)
        identity = (status.st_dev, status.st_ino)
        if identity != self._identity or status.st_size < self._at:
            self._forget()
            self._identity = identity
        wanted = min(status.st_size, MOST_BYTES) - self._at
        if wanted <= 0:
            return
        text = os.pread(fd, wanted, self._at)
        self._at += len(text)
        lines = (self._rest + text).split(b"\n")
        self._rest = lines.pop()[-_MOST_NAME:]  # its end may not be written yet
        number = len(self._entries)
        for line in lines:
            entry = _entry(line, number)
            if entry is not None:
                self._entries.append(entry)
                number += 1
        self._entries.sort()
        self._starts = array("Q", [entry[0] for entry in self._entries])


def _entry(line: bytes, number: int) -> tuple[int, int, int, str] | None:
    """(start, number, size, name)"""
    parts = line[: _MOST_NAME + 64].split(maxsplit=2)
    try:
        start, size = int(parts[0], 16), int(parts[1], 16)
        name = parts[2][:_MOST_NAME].decode("utf-8", "surrogateescape").strip()
    except (IndexError, ValueError):
        return None
    if not 0 <= start < 1 << 63 or not 0 < size < 1 << 40:
        return None
    return start, number, size, name

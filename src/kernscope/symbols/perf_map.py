"""Names of code that a process makes itself: /tmp/perf-PID.map (tools/perf/Documentation/jit-interface.txt in Linux).

The file lies in the process's own mount namespace and is called by its number in its own pid namespace. It grows while
the process runs: only what is new is read. Anyone may write to /tmp, so that a file counts only if it belongs to the
process's user or to root; lines that make no sense are left out, and what is kept of all files together is bounded.
"""

import os
import time
from array import array
from bisect import bisect_right

from kernscope.kernel.mappings import namespace_pid, open_regular, user_ids
from kernscope.symbols.files import root_of

__all__ = ["PerfMap"]

MOST_BYTES = 1 << 25
"""Read of one file; what comes behind is not read."""
MOST_ENTRIES = 1 << 19
"""Of one file."""
MOST_BYTES_IN_ALL = 1 << 26
"""Kept of the files of all processes together; more is not read."""
MOST_BACK = 32
"""Entries before an address among which the one that covers it is looked for: they may overlap."""
REST, LONG_S = 10, 0.02
"""If it took longer than `LONG_S` to read what was new, nothing is read for `REST` times as long: a file may grow
without an end.
"""
_MOST_NAME = 1024
_MOST_LINE = _MOST_NAME + 64
_CHUNK_BYTES = 1 << 20
_FEW = 64
"""So many new entries are put in their places; more are sorted together with the others."""
_ENTRY_BYTES = 32
_NUMBER_BITS = 20


class PerfMap:
    """The map of one process. Its place is found when this is made, while the process lives.

    Entries are numbered in the order in which they were written. `_sizes`, `_names` (where in `_text` its name begins)
    are by number, `_starts` and `_numbers` by address.
    """

    __slots__ = (
        "_at",
        "_cut",
        "_identity",
        "_names",
        "_next_s",
        "_numbers",
        "_owners",
        "_paths",
        "_rest",
        "_sizes",
        "_starts",
        "_text",
        "path",
    )

    _bytes_in_all = 0

    def __init__(self, pid: int) -> None:
        self._text, self._names, self._next_s = bytearray(), array("I"), 0.0
        own, root = namespace_pid(pid), root_of(pid)
        self.path = f"/tmp/perf-{own}.map"
        # When the process has ended its root is gone, but where that is ours the file is still there.
        self._paths = [f"/proc/{pid}/root{self.path}"] + ([] if root else [self.path])
        self._owners = {0, *user_ids(pid)}
        self._forget()

    def _forget(self) -> None:
        PerfMap._bytes_in_all -= self._held()
        self._identity: tuple[int, int] | None = None
        self._at, self._rest, self._cut = 0, b"", False
        self._sizes, self._names, self._text = array("Q"), array("I"), bytearray()
        self._starts, self._numbers = array("Q"), array("I")

    def _held(self) -> int:
        return len(self._text) + _ENTRY_BYTES * len(self._names)

    def __del__(self) -> None:
        PerfMap._bytes_in_all -= self._held()

    def lookup(self, address: int) -> tuple[str, int] | None:
        """(name, offset into it) of the code at an address. What was written last counts."""
        self.refresh()
        at = bisect_right(self._starts, address) - 1
        best = -1
        for i in range(at, max(-1, at - MOST_BACK), -1):
            number = self._numbers[i]
            if number > best and address - self._starts[i] < self._sizes[number]:
                best, start = number, self._starts[i]
        if best < 0:
            return None
        name = self._text[self._names[best] : self._text.index(b"\n", self._names[best])]
        return name.decode("utf-8", "surrogateescape"), address - start

    def refresh(self) -> None:
        """Read what is new, so that it is known when the process and its file are gone."""
        began = time.monotonic()
        if began < self._next_s:
            return
        for path in self._paths:
            try:
                fd = open_regular(path, follow=False)
            except OSError:
                continue
            try:
                self._read(fd)
            except OSError:
                pass
            finally:
                os.close(fd)
            break
        now = time.monotonic()
        if now - began > LONG_S:
            self._next_s = now + REST * (now - began)

    def _read(self, fd: int) -> None:
        status = os.fstat(fd)
        if status.st_uid not in self._owners:
            return
        identity = (status.st_dev, status.st_ino)
        if identity != self._identity or status.st_size < self._at:
            self._forget()
            self._identity = identity
        new: list[int] = []
        while len(self._names) < MOST_ENTRIES and PerfMap._bytes_in_all < MOST_BYTES_IN_ALL:
            wanted = min(status.st_size, MOST_BYTES) - self._at
            text = os.pread(fd, min(wanted, _CHUNK_BYTES), self._at) if wanted > 0 else b""
            if not text:
                break
            self._at += len(text)
            before = self._held()
            self._take(text, new)
            PerfMap._bytes_in_all += self._held() - before
        self._place(new)

    def _take(self, text: bytes, new: list[int]) -> None:
        """Add the entries of some text; to `new` their starts, with their numbers behind."""
        lines = (self._rest + text).split(b"\n")
        last = lines.pop()
        if self._cut and lines:  # the end of a line that was too long
            del lines[0]
            self._cut = False
        for line in lines[: MOST_ENTRIES - len(self._names)]:
            entry = _entry(line)
            if entry is not None:
                start, size, name = entry
                new.append(start << _NUMBER_BITS | len(self._names))
                self._sizes.append(size)
                self._names.append(len(self._text))
                self._text += name
                self._text += b"\n"
        # The end of the last one may not be written yet.
        self._cut = self._cut or len(last) > _MOST_LINE
        self._rest = b"" if self._cut else last

    def _place(self, new: list[int]) -> None:
        mask = (1 << _NUMBER_BITS) - 1
        if len(new) <= _FEW:
            for key in new:
                at = bisect_right(self._starts, key >> _NUMBER_BITS)
                self._starts.insert(at, key >> _NUMBER_BITS)
                self._numbers.insert(at, key & mask)
            return
        keys = [
            start << _NUMBER_BITS | number for start, number in zip(self._starts, self._numbers, strict=True)
        ]
        keys += new
        keys.sort()
        self._starts = array("Q", [key >> _NUMBER_BITS for key in keys])
        self._numbers = array("I", [key & mask for key in keys])


def _entry(line: bytes) -> tuple[int, int, bytes] | None:
    """(start, size, name) of a line."""
    parts = line[:_MOST_LINE].split(maxsplit=2)
    try:
        start, size, name = int(parts[0], 16), int(parts[1], 16), parts[2][:_MOST_NAME].strip()
    except (IndexError, ValueError):
        return None
    if not 0 <= start < 1 << 63 or not 0 < size < 1 << 40 or not name:
        return None
    return start, size, name

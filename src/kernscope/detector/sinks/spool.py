"""Lines that wait on disk until they were delivered, in their order, across restarts.

A folder of files with lines, each file begun anew after some size; `position` says how far delivery is, and is
overwritten in place. What was delivered while the position could not be written is delivered again after a restart:
each line carries the alert's number. A line whose writer was killed has no end, and is left out.
"""

from __future__ import annotations

import errno
import os
import struct

from kernscope.detector.private_files import UnsafePath, open_private, private_folder

__all__ = ["Spool", "SpoolFull"]

SEGMENT_BYTES = 256 << 10
_MOST_LINE = 256 << 10
_POSITION = struct.Struct("<QQ")
_SUFFIX = ".lines"


class SpoolFull(Exception):
    """It has the size that it may have."""


class Spool:
    """One process uses a folder at a time; not for several threads at once. Raises UnsafePath, OSError.

    Attributes:
        waiting: lines that are not delivered.
    """

    def __init__(self, folder: str, max_bytes: int) -> None:
        import fcntl

        private_folder(folder)
        self._folder, self._max_bytes = folder, max_bytes
        self._position_fd = open_private(os.path.join(folder, "position"), os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self._position_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._position_fd)
            raise UnsafePath(
                f"another process uses the spool `{folder}`", "give each webhook its own `spool`"
            ) from None
        self._write_fd = self._read_fd = -1
        self._write_bytes = 0
        self._sizes = {number: self._size(number) for number in self._numbers()}
        self._segment = max(self._sizes, default=0)  # old files are never added to
        at, offset = self._position()
        for number in [number for number in self._sizes if number < at]:
            self._remove(number)
        self._reading = min(self._sizes, default=self._segment + 1)
        self._offset = offset if self._reading == at else 0
        self.waiting = sum(self._lines(number) for number in sorted(self._sizes))

    def put(self, line: bytes) -> None:
        """Add a line, which holds no line end. Raises SpoolFull; UnsafePath and OSError where it cannot be written."""
        if sum(self._sizes.values()) + len(line) + 1 > self._max_bytes:
            raise SpoolFull
        if self._write_fd < 0 or self._write_bytes + len(line) >= SEGMENT_BYTES:
            self._begin_segment()
        written = os.write(self._write_fd, line + b"\n")
        if written <= len(line):
            os.ftruncate(self._write_fd, self._write_bytes)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._write_bytes += written
        self._sizes[self._segment] = self._write_bytes
        self.waiting += 1

    def first(self) -> bytes | None:
        """The line to deliver next; None where there is none. Raises OSError."""
        while self._reading in self._sizes:
            if self._read_fd < 0:
                self._read_fd = open_private(self._file(self._reading), os.O_RDONLY)
            data = os.pread(self._read_fd, _MOST_LINE, self._offset)
            end = data.find(b"\n")
            if end >= 0:
                return data[:end]
            if self._reading == self._segment and self._write_fd >= 0:
                return None
            os.close(self._read_fd)
            self._read_fd = -1
            self._remove(self._reading)
            self._go_on(min(self._sizes, default=self._segment + 1), 0)
        return None

    def done(self, line: bytes) -> None:
        """The first line was delivered."""
        self._go_on(self._reading, self._offset + len(line) + 1)
        self.waiting -= 1

    def close(self) -> None:
        for fd in (self._write_fd, self._read_fd, self._position_fd):
            if fd >= 0:
                os.close(fd)
        self._write_fd = self._read_fd = self._position_fd = -1

    def _go_on(self, segment: int, offset: int) -> None:
        self._reading, self._offset = segment, offset
        try:  # noqa: SIM105 - a full disk does not hinder it; other failures mean that a line is sent twice
            os.pwrite(self._position_fd, _POSITION.pack(segment, offset), 0)
        except OSError:
            pass

    def _begin_segment(self) -> None:
        if self._write_fd >= 0:
            os.close(self._write_fd)
            self._write_fd = -1
        number = max(self._segment, self._reading - 1) + 1
        self._write_fd = open_private(self._file(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        self._segment, self._write_bytes, self._sizes[number] = number, 0, 0
        if self._reading not in self._sizes:
            self._go_on(number, 0)

    def _file(self, number: int) -> str:
        return os.path.join(self._folder, f"{number:016d}{_SUFFIX}")

    def _numbers(self) -> list[int]:
        names = [name.removesuffix(_SUFFIX) for name in os.listdir(self._folder) if name.endswith(_SUFFIX)]
        return sorted(int(name) for name in names if len(name) == 16 and name.isdecimal())

    def _size(self, number: int) -> int:
        return os.stat(self._file(number), follow_symlinks=False).st_size

    def _position(self) -> tuple[int, int]:
        found = os.pread(self._position_fd, _POSITION.size, 0)
        if len(found) < _POSITION.size:
            os.pwrite(self._position_fd, _POSITION.pack(0, 0), 0)  # takes its room while there is some
            return 0, 0
        segment, offset = _POSITION.unpack(found)
        return segment, offset

    def _lines(self, number: int) -> int:
        fd = open_private(self._file(number), os.O_RDONLY)
        with open(fd, "rb") as file:
            if number == self._reading:
                file.seek(self._offset)
            return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 16), b""))

    def _remove(self, number: int) -> None:
        self._sizes.pop(number, None)
        try:  # noqa: SIM105
            os.unlink(self._file(number))
        except OSError:
            pass

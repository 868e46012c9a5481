"""Files of the cache that grow by pieces: what one run has read of a large file, the next one adds to.

A file is a row of records: a head with the piece's key, size and checksum, and the piece. One writer adds at a time;
a record that a crash has cut off is taken away before the next one is written.
"""

import os
from fcntl import LOCK_EX, LOCK_NB, flock
from struct import Struct
from zlib import crc32

from kernscope.kernel.cache import cache_folder, open_cached

__all__ = ["CacheLog"]

_HEAD = Struct("<4sIQQ")
"""Mark, CRC-32 of the piece, key, size."""
_MARK = b"KSL1"

MOST_BYTES = 1 << 26
"""Of one file; what comes then is not kept."""
MOST_BYTES_IN_ALL = 1 << 29
"""Of all files that grow; the ones that were not added to for longest go."""


class CacheLog:
    """One file of pieces by key. Where there is no cache everything is forgotten; nothing raises."""

    __slots__ = ("_end", "_name", "_places", "_prefix")

    def __init__(self, prefix: str, name: str) -> None:
        """The file is called `prefix` and `name`; all that begin with `prefix` are bounded together."""
        self._prefix, self._name = prefix, prefix + name
        self._places: dict[int, tuple[int, int, int]] = {}
        self._end = 0
        fd = open_cached(self._name)
        if fd >= 0:
            try:
                self._scan(fd)
            except OSError:
                self._places = {}
            finally:
                os.close(fd)

    def _scan(self, fd: int) -> None:
        """Note where the records are that were added since the last time."""
        size = os.fstat(fd).st_size
        if size < self._end:  # it was made anew
            self._places, self._end = {}, 0
        while self._end + _HEAD.size <= size:
            mark, checksum, key, length = _HEAD.unpack(os.pread(fd, _HEAD.size, self._end))
            behind = self._end + _HEAD.size + length
            if mark != _MARK or behind > size:
                break
            self._places.setdefault(key, (self._end + _HEAD.size, length, checksum))
            self._end = behind

    def get(self, key: int) -> bytes | None:
        """A piece, or None."""
        place = self._places.get(key)
        fd = open_cached(self._name) if place is not None else -1
        if place is None or fd < 0:
            return None
        try:
            content = os.pread(fd, place[1], place[0])
        except (OSError, OverflowError, MemoryError):
            return None
        finally:
            os.close(fd)
        return content if len(content) == place[1] and crc32(content) == place[2] else None

    def add(self, key: int, content: bytes) -> None:
        """Keep a piece."""
        if key in self._places or self._end + len(content) > MOST_BYTES:
            return
        folder = cache_folder(create=True)
        if folder is None:
            return
        if not self._end:
            _make_room(folder, self._prefix, MOST_BYTES_IN_ALL)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(os.path.join(folder, self._name), flags, 0o600)
        except OSError:
            return
        try:
            self._append(fd, key, content)
        except OSError:
            pass  # a full disk, or another writer
        finally:
            os.close(fd)

    def _append(self, fd: int, key: int, content: bytes) -> None:
        flock(fd, LOCK_EX | LOCK_NB)
        self._scan(fd)
        if key in self._places:
            return
        os.ftruncate(fd, self._end)
        record = _HEAD.pack(_MARK, crc32(content), key, len(content)) + content
        if os.pwrite(fd, record, self._end) == len(record):
            self._scan(fd)


def _make_room(folder: str, prefix: str, most: int) -> None:
    """Remove the oldest of our files that begin with `prefix` until they have less than `most` bytes."""
    try:
        names = [name for name in os.listdir(folder) if name.startswith(prefix)]
        found = [(os.stat(path).st_mtime_ns, path) for path in (os.path.join(folder, name) for name in names)]
        total = sum(os.stat(path).st_size for _, path in found)
        for _, path in sorted(found):
            if total < most:
                return
            total -= os.stat(path).st_size
            os.unlink(path)
    except OSError:
        pass

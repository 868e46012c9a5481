"""Fills the maps of `kernscope.tables.unwinding`: how the frames of the code in a file look.

Programs tell of each mapping that they meet. A file's table is read once for all processes, and kept in the user's
cache folder by the file's build id.
"""

import os
from _thread import allocate_lock, start_new_thread  # `threading` costs 5 ms to import
from array import array
from struct import Struct
from time import monotonic

from kernscope.elf import ElfError, ElfFile
from kernscope.elf.eh_frame import UnwindTable, read_unwind_table
from kernscope.kernel.cache import read_cached, write_cached
from kernscope.tables.unwinding import (
    BLOCK_BITS,
    BLOCK_BYTES,
    FILE_BYTES,
    FILES_MAP,
    MOST_SEGMENTS,
    MOST_WORDS,
    NO_FILE_KEY,
    ROWS_MAP,
    TOLD_MAP,
    VDSO_KEY,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.kernel.map import Map
    from kernscope.symbols.files import MappedFile

    Key = tuple[int, ...]

__all__ = ["UnwindTables", "indexed", "key_of"]

_KEY = Struct("=QQQ")
_PLACE = Struct("=II")
_SEGMENT = Struct("=QQ")
_KERNEL_MINOR_BITS = 20
"""Of a device's number inside the kernel (include/linux/kdev_t.h)."""
_CACHED_HEADER = Struct("<QQ")
"""base, blocks"""
_CACHE_VERSION = 2
ROOM_SECONDS = 10.0
"""At least between two times at which everything is forgotten to make room."""
_NOTHING = bytes(FILE_BYTES)
"""The value of a file without a table."""
_WORD = (1 << 64) - 1


def key_of(file: "MappedFile") -> "Key":
    """What the kernel knows a file by, as far as can be told from outside: for one in layered file systems, programs
    come with another key.
    """
    identity = getattr(file.content, "identity", None)
    if identity is None:
        return VDSO_KEY
    device, ino, size, changed_ns = identity
    version = (size ^ changed_ns // 1_000_000_000 << 32) & _WORD
    return os.major(device) << _KERNEL_MINOR_BITS | os.minor(device), ino, version


class UnwindTables:
    """Works on the maps of a session, by name.

    A thread of its own does the work: the table of a large library takes seconds to read for the first time, and the
    session has to go on meanwhile.
    """

    def __init__(self, maps: "dict[str, Map]") -> None:
        self._files, self._told = maps[FILES_MAP], maps[TOLD_MAP]
        self._rows = maps[ROWS_MAP].mmap()
        self._used = 0
        self._known: dict[Key, MappedFile] = {}
        self._values: dict[MappedFile, bytes] = {}
        self.full: set[str] = set()
        """What there was no room for, in words."""
        self._made_room = monotonic()
        self._wanted: list[tuple[Key, MappedFile]] = []
        self._lock = allocate_lock()
        self._working = allocate_lock()
        self._closed = False
        self._files.update(_KEY.pack(*NO_FILE_KEY), _NOTHING)

    def file(self, key: "Key") -> "MappedFile | None":
        """The file of a key that was wanted before."""
        return self._known.get(key)

    def want(self, key: "Key", file: "MappedFile") -> None:
        """Let programs know the table of a file, soon."""
        if key in self._known:
            return
        self._known[key] = file
        with self._lock:
            self._wanted.append((key, file))
            idle = not self._working.locked()
            if idle:
                self._working.acquire()
        if idle:
            try:
                start_new_thread(self._work, ())
            except RuntimeError:  # no more threads
                self._work()

    def ask_again(self) -> None:
        """Let programs tell of all mappings once more."""
        self._told.clear()

    def finish(self, seconds: float) -> bool:
        """Wait until all that is wanted has been done; False if that takes longer."""
        done = self._working.acquire(timeout=seconds)
        if done:
            self._working.release()
        return done

    def close(self) -> None:
        """Stop working; the maps are not touched any more when this returns."""
        self._closed = True
        self.finish(-1)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._wanted or self._closed:
                    self._wanted.clear()
                    self._working.release()
                    return
                key, file = self._wanted.pop(0)
            try:
                self._describe(key, file)
            except (OSError, MemoryError):
                self._known.pop(key, None)  # the next process that has it mapped may have better luck

    def _describe(self, key: "Key", file: "MappedFile") -> None:
        try:
            value = self._value(file)
            if not self._closed:
                self._files.update(_KEY.pack(*key), value)
        except (_NoRoom, OSError) as problem:
            self.full.add("unwind tables" if isinstance(problem, _NoRoom) else "files")
            self._make_room()

    def _make_room(self) -> None:
        """Forget everything: programs tell again of what still runs."""
        now = monotonic()
        if now < self._made_room + ROOM_SECONDS:
            return
        self._made_room, self._used = now, 0
        self._files.clear()  # first: nobody looks at rows any more that will be others'
        self._files.update(_KEY.pack(*NO_FILE_KEY), _NOTHING)
        self._known.clear()
        self._values.clear()
        self._told.clear()

    def _value(self, file: "MappedFile") -> bytes:
        """What programs are told of a file, after its table has been placed. _NoRoom: it does not fit any more."""
        value = self._values.get(file)
        if value is None:
            try:
                value = self._place(file)
            except (OSError, ElfError):
                value = _NOTHING
            self._values[file] = value
        return value

    def _place(self, file: "MappedFile") -> bytes:
        elf = file.elf
        if elf is None:
            return _NOTHING
        base, blocks, words = _table(elf, lambda: self._closed)
        count = len(words) // 8
        if not blocks or self._closed:
            return _NOTHING
        if count > MOST_WORDS:
            self.full.add("the unwind table of a file")
            return _NOTHING
        if self._used + count > MOST_WORDS:
            raise _NoRoom
        first, self._used = self._used, self._used + count
        self._rows[8 * first : 8 * self._used] = words
        return _PLACE.pack(first, blocks) + _segments(elf, base)


def _segments(elf: ElfFile, base: int) -> bytes:
    """Of the parts of a file that hold code: where each ends, and its addresses in the table less its offsets."""
    parts = sorted((s.offset + s.size, s.address - s.offset - base) for s in elf.segments if s.executable)
    parts = parts[:MOST_SEGMENTS]
    parts += parts[-1:] * (MOST_SEGMENTS - len(parts)) or [(0, -base)] * MOST_SEGMENTS
    return b"".join([_SEGMENT.pack(end & _WORD, shift & _WORD) for end, shift in parts])


class _NoRoom(Exception):
    """The rows of other files take all the room."""


def _table(elf: ElfFile, stop: "Callable[[], bool]") -> "tuple[int, int, bytes | memoryview]":
    """The unwind table of a file: base, blocks, and its words, from the cache where it has been read before. `stop`: it
    is not wanted any more.
    """
    build_id = elf.build_id()
    name = f"unwind-{_CACHE_VERSION}-{build_id}"
    if build_id:
        kept = read_cached(name)
        if kept is not None and len(kept) >= _CACHED_HEADER.size and len(kept) % 8 == 0:
            base, blocks = _CACHED_HEADER.unpack_from(kept)
            if 4 * blocks <= len(kept) - _CACHED_HEADER.size:
                return base, blocks, memoryview(kept)[_CACHED_HEADER.size :]
    table = read_unwind_table(elf, stop)
    blocks, words = indexed(table)
    if build_id and blocks:
        write_cached(name, _CACHED_HEADER.pack(table.base, blocks) + words)
    return table.base, blocks, words


def indexed(table: UnwindTable) -> tuple[int, bytes]:
    """A table with its index before it, as `kernscope.tables.unwinding` says; number of blocks, and the words.

    Nothing where a file claims to be larger than there is room for anyhow.
    """
    rows = table.rows
    blocks = ((rows[-1] & 0xFFFFFFFF) >> BLOCK_BITS) + 1 if rows else 0
    if not 0 < blocks < 2 * MOST_WORDS:
        return 0, b""
    first = (blocks + 2) // 2  # an even number of entries before the rows
    index = array("I")
    for number, row in enumerate(rows, first):
        begun = ((row & 0xFFFFFFFF) + BLOCK_BYTES - 1) >> BLOCK_BITS  # blocks that begin before this row does
        if begun > len(index):
            index.extend([max(number - 1, first)] * (begun - len(index)))
    index.extend([first + len(rows) - 1] * (2 * first - len(index)))
    return blocks, index.tobytes() + rows.tobytes()

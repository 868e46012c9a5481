"""Fills the maps of `kernscope.tables.unwinding`: where the code of processes is mapped, and how its frames look.

Programs ask for a process when they meet it, or an address of it that they do not know. A file's table is read once
for all processes, and kept in the user's cache folder by the file's build id.
"""

from _thread import allocate_lock, start_new_thread  # `threading` costs 5 ms to import
from array import array
from struct import Struct
from time import monotonic

from kernscope.elf import ElfError, ElfFile
from kernscope.elf.eh_frame import UnwindTable, read_unwind_table
from kernscope.kernel.cache import read_cached, write_cached
from kernscope.tables.unwinding import (
    ANY_EXEC_ID,
    ASKED_MAP,
    BLOCK_BITS,
    BLOCK_BYTES,
    MOST_MAPPINGS,
    MOST_WORDS,
    PROCESS_BYTES,
    PROCESSES_MAP,
    ROWS_MAP,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kernscope.kernel.map import Map
    from kernscope.kernel.mappings import Mapping
    from kernscope.symbols.files import MappedFile

    Mapped = list[tuple[Mapping, MappedFile | None]]

__all__ = ["UnwindTables", "indexed"]

_HEADER = Struct("=IIII")
_MAPPING = Struct("=QQQII")
_PID = Struct("=I")
_KEY = Struct("=Q")
_VDSO = "[vdso]"
_KERNEL_HALF = 1 << 63
"""The program's searches take the sign of a difference for its order: addresses have to be below."""
_CACHED_HEADER = Struct("<QQ")
"""base, blocks"""
_CACHE_VERSION = 2
ROOM_SECONDS = 10.0
"""At least between two times at which everything is forgotten to make room."""


class _Placed:
    """The table of one file in `unwind_rows`: from word `first` on; its addresses begin at `base`."""

    __slots__ = ("base", "blocks", "elf", "first")

    def __init__(self, elf: ElfFile, base: int, first: int, blocks: int) -> None:
        self.elf, self.base, self.first, self.blocks = elf, base, first, blocks


class UnwindTables:
    """Works on the maps of a session, by name.

    A thread of its own does the work: the table of a large library takes seconds to read for the first time, and the
    session has to go on meanwhile.
    """

    def __init__(self, maps: "dict[str, Map]") -> None:
        self._processes, self._asked = maps[PROCESSES_MAP], maps[ASKED_MAP]
        self._rows = maps[ROWS_MAP].mmap()
        self._used = 0
        self._files: dict[MappedFile, _Placed | None] = {}
        self.full: set[str] = set()
        """What there was no room for, in words."""
        self._made_room = monotonic()
        self._wanted: list[tuple[int, int, Mapped]] = []
        self._lock = allocate_lock()
        self._working = allocate_lock()
        self._closed = False

    def want(self, pid: int, page: int, mapped: "Mapped") -> None:
        """Have a process described, soon; `page` is what a program has asked for (0: everything)."""
        with self._lock:
            self._wanted.append((pid, page, mapped))
            idle = not self._working.locked()
            if idle:
                self._working.acquire()
        if idle:
            try:
                start_new_thread(self._work, ())
            except RuntimeError:  # no more threads
                self._work()

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
                pid, page, mapped = self._wanted.pop(0)
            try:  # noqa: SIM105  (contextlib costs start-up time)
                self.describe(pid, page, mapped)
            except (OSError, ElfError, MemoryError):
                pass  # gone meanwhile, or not to be had: its stacks stay incomplete

    def describe(self, pid: int, page: int, mapped: "Mapped") -> None:
        """Tell the programs what a process has mapped.

        What there is no room for is left out, so that programs ask for it when they get there: then room is made.
        """
        # Without [vsyscall], which lies in the kernel's half: nothing calls from there.
        mapped = [one for one in mapped if one[0].start < _KERNEL_HALF]
        entries = self._entries(mapped)
        if page and not _covered(entries, page) and _covered(mapped, page) and self._make_room():
            entries = self._entries(mapped)
        packed = b"".join([entry for _, entry in entries[:MOST_MAPPINGS]])
        header = _HEADER.pack(len(packed) // _MAPPING.size, 0, ANY_EXEC_ID, 0)
        if len(entries) > MOST_MAPPINGS:
            self.full.add("mappings of a process")
        if self._closed:
            return
        value = (header + packed).ljust(PROCESS_BYTES, b"\0")
        try:
            self._processes.update(_PID.pack(pid), value)
        except OSError:
            self.full.add("processes")
            if not self._make_room():
                return
            self._processes.update(_PID.pack(pid), value)
        if page == 0 or _covered(entries, page):
            self._asked.delete(_KEY.pack(pid << 32 | page))

    def _make_room(self) -> bool:
        """Forget everything: programs ask again for what still runs. False if that was done just before."""
        now = monotonic()
        if now < self._made_room + ROOM_SECONDS:
            return False
        self._made_room, self._used = now, 0
        self._processes.clear()  # first: nobody looks at rows any more that will be others'
        self._files.clear()
        self._asked.clear()
        return True

    def _entries(self, mapped: "Mapped") -> "list[tuple[Mapping, bytes]]":
        """Each mapping as the programs read it; those without room are left out."""
        found = []
        for mapping, file in mapped:
            placed = None
            if file is not None:
                try:
                    placed = self._placed(file)
                except _NoRoom:
                    self.full.add("unwind tables")
                    continue
            bias = first = blocks = 0
            if placed is not None:
                address = placed.elf.address_of(0 if mapping.path == _VDSO else mapping.offset)
                if address is not None:
                    bias = mapping.start - address + placed.base
                    first, blocks = placed.first, placed.blocks
            entry = _MAPPING.pack(mapping.start, mapping.end, bias & (1 << 64) - 1, first, blocks)
            found.append((mapping, entry))
        return found

    def _placed(self, file: "MappedFile") -> _Placed | None:
        """The table of what is mapped; None for code that no file describes."""
        if file not in self._files:
            try:
                self._files[file] = self._place(file)
            except (OSError, ElfError):
                self._files[file] = None
        return self._files[file]

    def _place(self, file: "MappedFile") -> _Placed | None:
        elf = file.elf
        if elf is None:
            return None
        base, blocks, words = _table(elf, lambda: self._closed)
        count = len(words) // 8
        if not blocks or self._closed:
            return None
        if count > MOST_WORDS:
            self.full.add("the unwind table of a file")
            return None
        if self._used + count > MOST_WORDS:
            raise _NoRoom
        first, self._used = self._used, self._used + count
        self._rows[8 * first : 8 * self._used] = words
        return _Placed(elf, base, first, blocks)


class _NoRoom(Exception):
    """The rows of other files take all the room."""


def _covered(mapped: "Sequence[tuple[Mapping, object]]", page: int) -> bool:
    """Whether a page that a program has asked for is in one of them: 32 bits of page numbers, 44 of addresses."""
    mask = (1 << 44) - 1
    return any((m.start & mask) >> 12 <= page < (m.end & mask) >> 12 for m, _ in mapped)


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

"""Fills the maps of `kernscope.tables.unwinding`: where the code of processes is mapped, and how its frames look.

Programs ask for a process when they meet it, or an address of it that they do not know. A file's table is read once
for all processes, and kept in the user's cache folder by the file's build id.
"""

from _thread import allocate_lock, start_new_thread  # `threading` costs 5 ms to import
from array import array
from struct import Struct

from kernscope.elf import ElfError, ElfFile
from kernscope.elf.eh_frame import UnwindTable, read_unwind_table
from kernscope.kernel.cache import read_cached, write_cached
from kernscope.kernel.mappings import Mapping, read_mapped_file, read_mappings, read_memory
from kernscope.tables.unwinding import (
    ANY_EXEC_ID,
    ASKED_MAP,
    MOST_MAPPINGS,
    MOST_ROWS,
    PROCESS_BYTES,
    PROCESSES_MAP,
    ROWS_MAP,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.kernel.map import Map

__all__ = ["UnwindTables"]

_HEADER = Struct("=IIII")
_MAPPING = Struct("=QQQII")
_PID = Struct("=I")
_KEY = Struct("=Q")
_VDSO = "[vdso]"
_KERNEL_HALF = 1 << 63
"""The program's searches take the sign of a difference for its order: addresses have to be below."""
_PF_BASE = Struct("<Q")
_CACHE_VERSION = 1


class _Placed:
    """The table of one file in `unwind_rows`: `rows` of them from `first` on; its addresses begin at `base`."""

    __slots__ = ("base", "elf", "first", "rows")

    def __init__(self, elf: ElfFile, base: int, first: int, rows: int) -> None:
        self.elf, self.base, self.first, self.rows = elf, base, first, rows


class UnwindTables:
    """Works on the maps of a session, by name.

    A thread of its own does the work: the table of a large library takes seconds to read for the first time, and the
    session has to go on meanwhile.
    """

    def __init__(self, maps: "dict[str, Map]") -> None:
        self._processes, self._asked = maps[PROCESSES_MAP], maps[ASKED_MAP]
        self._rows = maps[ROWS_MAP].mmap()
        self._used = 0
        self._files: dict[object, _Placed | None] = {}
        self.full = False
        """Whether there was no room for the table of a file."""
        self._wanted: list[tuple[int, int]] = []
        self._lock = allocate_lock()
        self._working = allocate_lock()
        self._closed = False

    def want(self, pid: int, page: int) -> None:
        """Have a process described, soon; `page` is what a program has asked for (0: everything)."""
        with self._lock:
            self._wanted.append((pid, page))
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
                pid, page = self._wanted.pop(0)
            try:  # noqa: SIM105  (contextlib costs start-up time)
                self.describe(pid, page)
            except (OSError, ElfError):
                pass  # gone meanwhile, or not to be had: its stacks stay incomplete

    def describe(self, pid: int, page: int) -> None:
        """Tell the programs what a process has mapped."""
        # Without [vsyscall], which lies in the kernel's half: nothing calls from there.
        mappings = [mapping for mapping in read_mappings(pid) if mapping.start < _KERNEL_HALF]
        entries = []
        for mapping in mappings[:MOST_MAPPINGS]:
            placed = self._placed(pid, mapping)
            bias = first = rows = 0
            if placed is not None:
                address = placed.elf.address_of(0 if mapping.path == _VDSO else mapping.offset)
                if address is not None:
                    bias = mapping.start - address + placed.base
                    first, rows = placed.first, placed.rows
            entries.append(_MAPPING.pack(mapping.start, mapping.end, bias & (1 << 64) - 1, first, rows))
        header = _HEADER.pack(len(entries), 0, ANY_EXEC_ID, 0)
        if self._closed:
            return
        try:
            self._processes.update(_PID.pack(pid), (header + b"".join(entries)).ljust(PROCESS_BYTES, b"\0"))
        except OSError:
            self._processes.clear()  # more processes than there is room for: those that still run ask again
            self._asked.clear()
            return
        if page == 0 or any(m.start >> 12 <= page < m.end >> 12 for m in _masked(mappings)):
            self._asked.delete(_KEY.pack(pid << 32 | page))

    def _placed(self, pid: int, mapping: Mapping) -> _Placed | None:
        """The table of what is mapped; None for code that no file describes."""
        if not mapping.path or (mapping.path.startswith("[") and mapping.path != _VDSO):
            return None
        key = (mapping.device, mapping.inode, mapping.path)
        if key not in self._files:
            try:
                self._files[key] = self._place(pid, mapping)
            except (OSError, ElfError):
                self._files[key] = None
        return self._files[key]

    def _place(self, pid: int, mapping: Mapping) -> _Placed | None:
        if mapping.path == _VDSO:
            data = memoryview(read_memory(pid, mapping.start, mapping.end - mapping.start))
        else:
            data = read_mapped_file(pid, mapping)
        elf = ElfFile(data)
        table = _table(elf, lambda: self._closed)
        count = len(table.rows)
        if not count or self._closed:
            return None
        if self._used + count > MOST_ROWS:
            self.full = True
            return None
        first, self._used = self._used, self._used + count
        self._rows[8 * first : 8 * self._used] = table.rows.tobytes()
        return _Placed(elf, table.base, first, count)


def _masked(mappings: list[Mapping]) -> list[Mapping]:
    """With addresses as far as the pages that programs ask for go: 32 bits of page numbers, 44 of addresses."""
    mask = (1 << 44) - 1
    return [Mapping(m.start & mask, m.end & mask, m.offset, m.device, m.inode, m.path) for m in mappings]


def _table(elf: ElfFile, stop: "Callable[[], bool]") -> UnwindTable:
    """The unwind table of a file, from the cache where it has been read before. `stop`: it is not wanted any more."""
    build_id = elf.build_id()
    name = f"unwind-{_CACHE_VERSION}-{build_id}"
    if build_id:
        kept = read_cached(name)
        if kept is not None and len(kept) >= 8 and len(kept) % 8 == 0:
            rows = array("Q")
            rows.frombytes(kept[8:])
            return UnwindTable(_PF_BASE.unpack_from(kept)[0], rows)
    table = read_unwind_table(elf, stop)
    if build_id and table.rows:
        write_cached(name, _PF_BASE.pack(table.base) + table.rows.tobytes())
    return table

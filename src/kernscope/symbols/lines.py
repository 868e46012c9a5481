"""Files and lines of code, and the functions that were inlined there, by the debug information of mapped files.

Units (what one source file was compiled to) and functions are read when an address of theirs is asked for, and kept:
in memory up to a bound, and in the user's cache folder by the file's build id, so that the next run does not need to
read any debug information.
"""

from kernscope.dwarf import (
    Dwarf,
    DwarfError,
    FunctionTable,
    SourceFrame,
    UnitIndex,
    UnitTable,
    read_function,
    read_unit,
)
from kernscope.elf import ElfError, ElfFile
from kernscope.kernel.cache_log import CacheLog
from kernscope.kernel.mappings import FileContent
from kernscope.symbols.debug_files import debug_file_and_path, supplementary_file

__all__ = ["NO_DEBUG_INFORMATION", "SourceLines", "close_debug_information"]

NO_DEBUG_INFORMATION = "no debug information is here"

_CACHE = "lines-2-"
_INDEX = (1 << 64) - 1
"""Key of the index in the cache; the others are offsets of units and of functions, which differ."""

MOST_TABLE_BYTES = 1 << 26
"""Memory of all tables together."""
MOST_OPEN = 2
"""Files whose debug information is in memory at a time."""
MOST_SECTION_BYTES = 1 << 30
"""Of one file's debug information once it is unpacked."""


class _Kept:
    """Tables and debug information in memory, of all files: what was used last stays."""

    def __init__(self) -> None:
        self.tables: dict[tuple[int, int], UnitTable | FunctionTable] = {}
        self.bytes = 0
        self.open: dict[int, Dwarf] = {}

    def table(self, key: tuple[int, int]) -> UnitTable | FunctionTable | None:
        found = self.tables.pop(key, None)
        if found is not None:
            self.tables[key] = found
        return found

    def add(self, key: tuple[int, int], table: UnitTable | FunctionTable) -> None:
        self.tables[key] = table
        self.bytes += table.size
        while self.bytes > MOST_TABLE_BYTES and len(self.tables) > 1:
            self.bytes -= self.tables.pop(next(iter(self.tables))).size

    def opened(self, key: int, dwarf: Dwarf) -> None:
        while len(self.open) >= MOST_OPEN:
            self.open.pop(next(iter(self.open)))
        self.open[key] = dwarf


_kept = _Kept()
_numbers = iter(range(1 << 62))


def close_debug_information() -> None:
    """Forget what is only needed to read more units: it can be had again."""
    _kept.open.clear()


class SourceLines:
    """Of one file.

    Args:
        elf: the file, which lies at `path`.
        build_id: names it in the cache; without one nothing is kept there.
        root: what stands before paths of the process that it was met in.

    Attributes:
        problem: why nothing is known of the file; empty where something is.
    """

    __slots__ = ("_build_id", "_code", "_elf", "_index", "_log", "_number", "_path", "_root", "problem")

    def __init__(self, elf: ElfFile, path: str, build_id: str, root: str = "") -> None:
        self._elf, self._path, self._build_id, self._root = elf, path, build_id, root
        executable = [segment for segment in elf.segments if segment.executable]
        self._code = (
            min([segment.address for segment in executable], default=0),
            max([segment.address + segment.size for segment in executable], default=0),
        )
        self._number = next(_numbers)
        self._index: UnitIndex | None = None
        self._log: CacheLog | None = None
        self.problem = ""

    def lookup(self, address: int) -> list[SourceFrame]:
        """The functions at an address of the file's own numbering: the compiled one first, then each that was inlined
        into the one before; none where nothing is known.
        """
        if self._index is None:
            self._index = self._read_index()
        for unit in self._index.units_at(address):
            table = self._unit(unit)
            function = table.function_at(address)
            found = table.frames(address, self._function(unit, function) if function >= 0 else None)
            if found:
                return found
        return []

    def _read_index(self) -> UnitIndex:
        if self._build_id:
            self._log = CacheLog(_CACHE, self._build_id)
            kept = self._log.get(_INDEX)
            index = UnitIndex.unpacked(kept) if kept is not None else None
            if index is not None:
                return index
        try:
            index = UnitIndex.read(self._dwarf(), self._code)
        except (OSError, ElfError, DwarfError) as problem:
            self.problem = str(problem)
            return UnitIndex.empty()
        if not len(index):
            self.problem = NO_DEBUG_INFORMATION
        else:
            self._keep(_INDEX, index.packed())
        return index

    def _unit(self, offset: int) -> UnitTable:
        key = (self._number, offset)
        found = _kept.table(key)
        if not isinstance(found, UnitTable):
            kept = self._log.get(offset) if self._log is not None else None
            found = UnitTable.unpacked(kept) if kept is not None else None
            if found is None:
                found = UnitTable.empty()
                try:
                    found = read_unit(self._dwarf().unit_starting(offset), self._code)
                    self._keep(offset, found.packed())
                except (OSError, ElfError, DwarfError) as problem:
                    self.problem = str(problem)
            _kept.add(key, found)
        return found

    def _function(self, unit: int, offset: int) -> FunctionTable:
        key = (self._number, offset)
        found = _kept.table(key)
        if not isinstance(found, FunctionTable):
            kept = self._log.get(offset) if self._log is not None else None
            found = FunctionTable.unpacked(kept) if kept is not None else None
            if found is None:
                found = FunctionTable.empty()
                try:
                    found = read_function(self._dwarf().unit_starting(unit), offset, self._code)
                    self._keep(offset, found.packed())
                except (OSError, ElfError, DwarfError) as problem:
                    self.problem = str(problem)
            _kept.add(key, found)
        return found

    def _keep(self, key: int, packed: bytes) -> None:
        if self._log is not None:
            self._log.add(key, packed)

    def _dwarf(self) -> Dwarf:
        """The debug information, the file's own or in another file."""
        found = _kept.open.get(self._number)
        if found is None:
            elf, path = self._elf, self._path
            if not _has_debug_information(elf):
                other = debug_file_and_path(elf, path, FileContent, self._root)
                if other is None:
                    raise DwarfError(NO_DEBUG_INFORMATION)
                elf, path = other
            shared = supplementary_file(elf, path, FileContent, self._root)
            found = Dwarf(_Bounded(elf).content, None if shared is None else Dwarf(_Bounded(shared).content))
            _kept.opened(self._number, found)
        return found


def _has_debug_information(elf: ElfFile) -> bool:
    section = elf.section(".debug_info")
    return section is not None and section.size > 0


class _Bounded:
    """The sections of a file, up to a bound: packed ones may claim to be anything."""

    def __init__(self, elf: ElfFile) -> None:
        self._elf, self._left = elf, MOST_SECTION_BYTES

    def content(self, name: str) -> memoryview:
        if self._left <= 0:
            raise DwarfError("the debug information is larger than what is read of one file")
        found = self._elf.content(name)
        self._left -= len(found)
        return found

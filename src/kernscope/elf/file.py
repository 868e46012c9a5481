"""The parts of an ELF file that symbolising needs. Little-endian, 64-bit files; others are refused.

A file may be anything that a process has mapped, so nothing in it is trusted: every offset is checked against
the size of the data, and what does not fit raises ElfError.
"""

from struct import Struct

from kernscope.elf.errors import ElfError
from kernscope.elf.functions import FunctionTable
from kernscope.elf.notes import iter_notes
from kernscope.elf.symbols import SymbolTable

__all__ = ["ElfError", "ElfFile", "Section", "Segment"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Content(Protocol):
        """Bytes that are read where they are asked for."""

        def __len__(self) -> int: ...

        def __getitem__(self, part: slice, /) -> memoryview: ...


Buffer = bytes | bytearray | memoryview

_HEADER = Struct("<16sHHIQQQIHHHHHH")
"""ident, type, machine, version, entry, phoff, shoff, flags, ehsize, phentsize, phnum, shentsize, shnum, shstrndx"""
_PROGRAM_HEADER = Struct("<IIQQQQQQ")
_SECTION_HEADER = Struct("<IIQQQQIIQQ")

_PT_LOAD, _PT_NOTE = 1, 4
_PF_EXECUTE = 1
_SHT_SYMTAB, _SHT_NOTE, _SHT_NOBITS, _SHT_DYNSYM = 2, 7, 8, 11
_SHF_COMPRESSED = 1 << 11
_NT_GNU_BUILD_ID = 3
_MOST_NOTES, _MOST_NOTE_BYTES = 64, 1 << 20
"""Sections of notes that may have the build id, and their size."""


class Segment:
    """A PT_LOAD segment: `size` bytes of the file from `offset` on are mapped at `address`."""

    __slots__ = ("address", "executable", "offset", "size")

    def __init__(self, offset: int, address: int, size: int, executable: bool = True) -> None:
        self.offset, self.address, self.size, self.executable = offset, address, size, executable


class Section:
    """A section's header: `size` bytes of the file from `offset` on; `name` is where its name begins in `.shstrtab`."""

    __slots__ = ("address", "entry", "flags", "kind", "link", "name", "offset", "size")

    def __init__(self, header: tuple[int, ...]) -> None:
        self.name, self.kind, self.flags, self.address, self.offset = header[:5]
        self.size, self.link, _, _, self.entry = header[5:]


class Part:
    """A part of a file that is not read before it is needed."""

    __slots__ = ("_data", "_offset", "_size")

    def __init__(self, data: "Content", offset: int, size: int) -> None:
        self._data, self._offset = data, offset
        self._size = max(0, min(size, len(data) - offset))

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> memoryview:
        start, stop, _ = part.indices(self._size)
        return self._data[self._offset + start : self._offset + max(start, stop)]


class ElfFile:
    """Reads headers when made, the rest when asked. Raises ElfError.

    `type` and `machine` are the numbers of the header (ET_*, EM_* of elf(5)).
    """

    __slots__ = ("_data", "_names", "_sections", "machine", "segments", "type")

    def __init__(self, data: "Buffer | Content") -> None:
        self._data: Content = memoryview(data) if isinstance(data, Buffer) else data
        identity = bytes(self._data[:6])
        if identity[:4] != b"\x7fELF":
            raise ElfError("not an ELF file: neither a program nor a library")
        if len(data) < _HEADER.size or identity[4:] != b"\x02\x01":
            what = "a 32-bit ELF file" if identity[4:5] == b"\x01" else "cut off, or of another byte order"
            raise ElfError(f"{what}; only 64-bit little-endian programs can be read")
        header = _HEADER.unpack(self._data[: _HEADER.size])
        _, self.type, self.machine, _, _, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum, names = (
            header
        )
        self.segments: list[Segment] = []
        self._names = names
        headers = self._table(_PROGRAM_HEADER, phoff, phentsize, phnum)
        for kind, flags, offset, address, _, size, _, _ in headers:
            if kind == _PT_LOAD:
                self.segments.append(Segment(offset, address, size, bool(flags & _PF_EXECUTE)))
        self._sections = [Section(h) for h in self._table(_SECTION_HEADER, shoff, shentsize, shnum)]

    def _table(self, layout: Struct, offset: int, stride: int, count: int) -> "list[tuple[int, ...]]":
        if not count or not offset:
            return []
        if stride < layout.size:
            raise ElfError("a table of headers has entries that are too small")
        if offset + count * stride > len(self._data):
            raise ElfError("a table of headers is cut off")
        table = self._content(offset, count * stride)
        return [layout.unpack_from(table, i * stride) for i in range(count)]

    def _content(self, offset: int, size: int) -> memoryview:
        if offset + size > len(self._data):
            raise ElfError("a section is cut off")
        content = self._data[offset : offset + size]
        if len(content) != size:
            raise ElfError("the file was cut off while it was read")
        return content

    def offset_of(self, address: int) -> int | None:
        """The byte of the file that is mapped at an address; None if no segment has it."""
        for segment in self.segments:
            if segment.address <= address < segment.address + segment.size:
                return address - segment.address + segment.offset
        return None

    def address_of(self, offset: int) -> int | None:
        """Where a byte of the file is mapped, before relocation; None if it is in no segment."""
        for segment in self.segments:
            if segment.offset <= offset < segment.offset + segment.size:
                return offset - segment.offset + segment.address
        return None

    @property
    def has_symbols(self) -> bool:
        """Whether it has all its functions' names (`.symtab`), not only those that other files may use."""
        return any(section.kind == _SHT_SYMTAB and section.size for section in self._sections)

    def functions(self) -> FunctionTable:
        """Functions by name: those of .symtab and of .dynsym."""
        by_type = {s.kind: s for s in self._sections if s.kind in (_SHT_SYMTAB, _SHT_DYNSYM) and s.size}
        return FunctionTable([self._symbols_and_names(section) for section in by_type.values()])

    def _symbols_and_names(self, section: Section) -> tuple[memoryview, memoryview]:
        if section.link >= len(self._sections) or section.entry != 24:
            raise ElfError("a symbol table has no names, or entries of another size")
        names = self._sections[section.link]
        return (
            self._content(section.offset, section.size - section.size % section.entry),
            self._content(names.offset, names.size),
        )

    def debug_link(self) -> tuple[str, int] | None:
        """Name and CRC-32 of the file that holds the debug information, from `.gnu_debuglink`."""
        content = self.content(".gnu_debuglink")
        if len(content) < 8:
            return None
        name = bytes(content).partition(b"\0")[0].decode("utf-8", "surrogateescape")
        return name, int.from_bytes(content[-4:], "little")

    def symbols(self, *, data: bool = False) -> SymbolTable:
        """Functions (with `data` also variables): those of .symtab, else those of .dynsym."""
        section = self._symbol_section()
        if section is None:
            return SymbolTable.read(memoryview(b""), memoryview(b""))
        table = self._content(section.offset, section.size - section.size % section.entry)
        return SymbolTable.read(table, self._names_of(section), data=data)

    def cached_symbols(self, kept: bytes) -> SymbolTable | None:
        """What `symbols` gives, from its cached form (`SymbolTable.packed`); None if that is of no use."""
        section = self._symbol_section()
        return None if section is None else SymbolTable.unpacked(kept, self._names_of(section))

    @property
    def symbol_count(self) -> int:
        """How many entries the table has that `symbols` reads."""
        section = self._symbol_section()
        return 0 if section is None else section.size // section.entry

    def _symbol_section(self) -> Section | None:
        by_type = {s.kind: s for s in self._sections if s.kind in (_SHT_SYMTAB, _SHT_DYNSYM) and s.size}
        section = by_type.get(_SHT_SYMTAB) or by_type.get(_SHT_DYNSYM)
        if section is not None and (section.link >= len(self._sections) or section.entry != 24):
            raise ElfError("a symbol table has no names, or entries of another size")
        return section

    def _names_of(self, section: Section) -> "Part":
        names = self._sections[section.link]
        return Part(self._data, names.offset, names.size)

    def bytes_at(self, offset: int, size: int) -> bytes:
        """Bytes of the file, fewer where it ends before."""
        return bytes(self._data[offset : offset + size])

    def section(self, name: str) -> Section | None:
        """The header of the first section of this name, or None."""
        if not 0 < self._names < len(self._sections):
            return None
        table = self._sections[self._names]
        names = self._content(table.offset, table.size)
        wanted = name.encode() + b"\0"
        for section in self._sections:
            if names[section.name : section.name + len(wanted)] == wanted:
                return section
        return None

    def content(self, name: str) -> memoryview:
        """What a section holds, decompressed; empty where the file has none of this name."""
        section = self.section(name)
        if section is None or section.kind == _SHT_NOBITS:
            return memoryview(b"")
        content = self._content(section.offset, section.size)
        if section.flags & _SHF_COMPRESSED:
            from kernscope.elf.compressed import decompress  # debug information only

            return decompress(content)
        return content

    def build_id(self) -> str:
        """The GNU build id in hex, or the empty string."""
        notes = [s for s in self._sections if s.kind == _SHT_NOTE and s.size <= _MOST_NOTE_BYTES]
        for section in notes[:_MOST_NOTES]:
            found = _build_id(self._content(section.offset, section.size))
            if found:
                return found
        return ""


def _build_id(notes: memoryview) -> str:
    for owner, kind, content in iter_notes(notes):
        if kind == _NT_GNU_BUILD_ID and owner == b"GNU\0":
            return bytes(content).hex()
    return ""

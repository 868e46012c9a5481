"""The parts of an ELF file that symbolising needs. Little-endian, 64-bit files; others are refused.

A file may be anything that a process has mapped, so nothing in it is trusted: every offset is checked against
the size of the data, and what does not fit raises ElfError.
"""

from struct import Struct

from kernscope.elf.symbols import SymbolTable

__all__ = ["ElfError", "ElfFile", "Segment"]

Buffer = bytes | bytearray | memoryview

_HEADER = Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = Struct("<IIQQQQQQ")
_SECTION_HEADER = Struct("<IIQQQQIIQQ")
_NOTE = Struct("<III")

_PT_LOAD, _PT_NOTE = 1, 4
_SHT_SYMTAB, _SHT_NOTE, _SHT_DYNSYM = 2, 7, 11
_NT_GNU_BUILD_ID = 3


class ElfError(ValueError):
    """The data is no ELF file that can be read here."""


class Segment:
    """A PT_LOAD segment: `size` bytes of the file from `offset` on are mapped at `address`."""

    __slots__ = ("address", "offset", "size")

    def __init__(self, offset: int, address: int, size: int) -> None:
        self.offset, self.address, self.size = offset, address, size


class ElfFile:
    """Reads headers when made, the rest when asked. Raises ElfError."""

    __slots__ = ("_data", "_sections", "segments", "type")

    def __init__(self, data: Buffer) -> None:
        self._data = memoryview(data)
        if len(data) < _HEADER.size or bytes(self._data[:6]) != b"\x7fELF\x02\x01":
            raise ElfError("not a 64-bit little-endian ELF file")
        _, self.type, _, _, _, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum, _ = (
            _HEADER.unpack_from(self._data)
        )
        self.segments: list[Segment] = []
        self._sections: list[tuple[int, int, int, int, int]] = []
        """type, offset, size, link, entry size"""
        for kind, _, offset, address, _, size, _, _ in self._table(_PROGRAM_HEADER, phoff, phentsize, phnum):
            if kind == _PT_LOAD:
                self.segments.append(Segment(offset, address, size))
        for _, kind, _, _, offset, size, link, _, _, entry in self._table(
            _SECTION_HEADER, shoff, shentsize, shnum
        ):
            self._sections.append((kind, offset, size, link, entry))

    def _table(self, layout: Struct, offset: int, stride: int, count: int) -> "list[tuple[int, ...]]":
        if not count or not offset:
            return []
        if stride < layout.size:
            raise ElfError("a table of headers has entries that are too small")
        if offset + count * stride > len(self._data):
            raise ElfError("a table of headers is cut off")
        return [layout.unpack_from(self._data, offset + i * stride) for i in range(count)]

    def _content(self, offset: int, size: int) -> memoryview:
        if offset + size > len(self._data):
            raise ElfError("a section is cut off")
        return self._data[offset : offset + size]

    def address_of(self, offset: int) -> int | None:
        """Where a byte of the file is mapped, before relocation; None if it is in no segment."""
        for segment in self.segments:
            if segment.offset <= offset < segment.offset + segment.size:
                return offset - segment.offset + segment.address
        return None

    def symbols(self, *, data: bool = False) -> SymbolTable:
        """Functions (with `data` also variables): those of .symtab, else those of .dynsym."""
        by_type = {kind: section for section in self._sections if (kind := section[0]) in (2, 11)}
        section = by_type.get(_SHT_SYMTAB) or by_type.get(_SHT_DYNSYM)
        if section is None:
            return SymbolTable(memoryview(b""), memoryview(b""))
        _, offset, size, link, entry = section
        if link >= len(self._sections) or entry != 24:
            raise ElfError("a symbol table has no names, or entries of another size")
        _, names_offset, names_size, _, _ = self._sections[link]
        return SymbolTable(
            self._content(offset, size - size % entry), self._content(names_offset, names_size), data=data
        )

    def build_id(self) -> str:
        """The GNU build id in hex, or the empty string."""
        for kind, offset, size, _, _ in self._sections:
            if kind == _SHT_NOTE:
                found = _build_id(self._content(offset, size))
                if found:
                    return found
        return ""


def _build_id(notes: memoryview) -> str:
    at = 0
    while at + _NOTE.size <= len(notes):
        name_size, size, kind = _NOTE.unpack_from(notes, at)
        name = at + _NOTE.size
        content = name + ((name_size + 3) & ~3)
        if kind == _NT_GNU_BUILD_ID and bytes(notes[name : name + name_size]) == b"GNU\0":
            return bytes(notes[content : content + size]).hex()
        at = content + ((size + 3) & ~3)
    return ""

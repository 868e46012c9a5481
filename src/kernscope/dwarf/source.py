"""Where code came from, unit by unit, in a compact form that can be kept: lines, and the functions that were inlined.

Everything is arrays of numbers and two lists of texts, so that a table that was kept is read in no time.
"""

from array import array
from bisect import bisect_right
from struct import Struct

from kernscope.dwarf.inlined import NO_SCOPE, Scopes, read_scopes
from kernscope.dwarf.lines import NO_FILE, LineRows, read_lines
from kernscope.tables.dwarf import Attribute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.dwarf.file import Dwarf
    from kernscope.dwarf.unit import Unit

__all__ = ["SourceFrame", "SourceTable", "UnitIndex", "read_source"]

_NUMBERS = ("Q", "I", "I", "Q", "I", "I", "I", "I", "I", "I", "I")
"""Types of a table's columns: lines' addresses, files and numbers; pieces' addresses and scopes; scopes' parents,
names, call files and call lines; where names end, where files end."""
_HEADER = Struct(f"<{len(_NUMBERS)}I")
_MOST_DEPTH = 256
"""Functions inlined into each other of which all are told."""


class SourceFrame:
    """A function at an address: its name as in symbol tables, and the file and line where it was; line 0: not known."""

    __slots__ = ("file", "line", "name")

    def __init__(self, name: str, file: str, line: int) -> None:
        self.name, self.file, self.line = name, file, line

    def __repr__(self) -> str:
        return f"SourceFrame({self.name!r}, {self.file!r}, {self.line})"


class SourceTable:
    """One unit. `columns` as `_NUMBERS` has them."""

    __slots__ = ("_columns", "_texts")

    def __init__(self, columns: "list[array[int]]", texts: bytes) -> None:
        self._columns, self._texts = columns, texts

    @classmethod
    def empty(cls) -> "SourceTable":
        """One that knows nothing."""
        return cls([array(kind) for kind in _NUMBERS], b"")

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return sum(column.itemsize * len(column) for column in self._columns) + len(self._texts) + 1024

    def packed(self) -> bytes:
        """All of it as bytes, for `unpacked`."""
        counts = _HEADER.pack(*map(len, self._columns))
        return b"".join([counts, *(column.tobytes() for column in self._columns), self._texts])

    @classmethod
    def unpacked(cls, kept: bytes) -> "SourceTable | None":
        """From what `packed` made; None if it is something else."""
        if len(kept) < _HEADER.size:
            return None
        columns, at, view = [], _HEADER.size, memoryview(kept)
        for kind, count in zip(_NUMBERS, _HEADER.unpack_from(kept), strict=True):
            column = array(kind)
            end = at + count * column.itemsize
            if end > len(kept):
                return None
            column.frombytes(view[at:end])
            columns.append(column)
            at = end
        return cls(columns, kept[at:])

    def lookup(self, address: int) -> list[SourceFrame]:
        """The functions at an address: the compiled one first, then what was inlined, each into the one before. One
        without a name where only the line is known; none where nothing is.
        """
        starts, files, numbers = self._columns[:3]
        at = bisect_right(starts, address) - 1
        file, line = (NO_FILE, 0) if at < 0 else (files[at], numbers[at])
        pieces, scopes, parents, names, call_files, call_lines = self._columns[3:9]
        at = bisect_right(pieces, address) - 1
        scope = scopes[at] if at >= 0 else NO_SCOPE
        found: list[SourceFrame] = []
        while scope != NO_SCOPE and len(found) < _MOST_DEPTH:
            found.append(SourceFrame(self._text(9, names[scope]), self._file(file), line))
            file, line = call_files[scope], call_lines[scope]
            scope = parents[scope]
        if not found and file != NO_FILE:
            found.append(SourceFrame("", self._file(file), line))
        found.reverse()
        return found

    def _file(self, number: int) -> str:
        return self._text(10, number) if number != NO_FILE else ""

    def _text(self, column: int, number: int) -> str:
        ends = self._columns[column]
        # All texts lie one after the other, those of the second list behind the first.
        base = self._columns[9][-1] if column == 10 and self._columns[9] else 0
        start = ends[number - 1] if number else 0
        return self._texts[base + start : base + ends[number]].decode("utf-8", "surrogateescape")


class _Texts:
    """Texts by number, each once."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))

    def packed(self) -> "tuple[array[int], bytes]":
        parts = [text.encode("utf-8", "surrogateescape") for text in self.numbers]
        ends, total = array("I"), 0
        for part in parts:
            total += len(part)
            ends.append(total)
        return ends, b"".join(parts)


def read_source(unit: "Unit", code: tuple[int, int]) -> SourceTable:
    """A unit's table. `code`: the first address of the file's code, and the one behind its last. Raises DwarfError."""
    root = unit.root
    offset = root.number(Attribute.STMT_LIST)
    rows = None
    if offset is not None and unit.sections.lines:
        rows = read_lines(unit.sections, offset, root.text(Attribute.COMP_DIR), code)
    return _compact(rows, read_scopes(unit, code))


def _compact(rows: LineRows | None, scopes: Scopes) -> SourceTable:
    files, names = _Texts(), _Texts()
    known: dict[int, int] = {NO_FILE: NO_FILE}

    def file(number: int) -> int:
        found = known.get(number)
        if found is None:
            path = rows.paths.path(number) if rows is not None else ""
            found = known[number] = files.number(path) if path else NO_FILE
        return found

    name_numbers = array("I", [names.number(name) for name in scopes.names])
    call_files = array("I", map(file, scopes.call_files))
    row_files = array("I", map(file, rows.files)) if rows is not None else array("I")
    name_ends, name_text = names.packed()
    file_ends, file_text = files.packed()
    columns = [
        rows.addresses if rows is not None else array("Q"),
        row_files,
        rows.numbers if rows is not None else array("I"),
        scopes.starts,
        scopes.pieces,
        scopes.parents,
        name_numbers,
        call_files,
        scopes.call_lines,
        name_ends,
        file_ends,
    ]
    return SourceTable(columns, name_text + file_text)


class UnitIndex:
    """Which unit the code at an address is of: by where its ranges begin and end, and where it lies in
    `.debug_info`."""

    __slots__ = ("_ends", "_starts", "_units")

    def __init__(self, starts: "array[int]", ends: "array[int]", units: "array[int]") -> None:
        self._starts, self._ends, self._units = starts, ends, units

    @classmethod
    def empty(cls) -> "UnitIndex":
        """One without units."""
        return cls(array("Q"), array("Q"), array("Q"))

    @classmethod
    def read(cls, dwarf: "Dwarf", code: tuple[int, int]) -> "UnitIndex":
        """From a file's debug information; what lies outside of its code is left out. Raises DwarfError."""
        kept = sorted(
            (first, end, unit.start)
            for first, end, unit in dwarf.unit_ranges()
            if code[0] <= first < end <= code[1]
        )
        return cls(*(array("Q", [entry[column] for entry in kept]) for column in range(3)))

    def packed(self) -> bytes:
        return self._starts.tobytes() + self._ends.tobytes() + self._units.tobytes()

    @classmethod
    def unpacked(cls, kept: bytes) -> "UnitIndex | None":
        """From what `packed` made; None if it is something else."""
        if len(kept) % 24:
            return None
        words = array("Q")
        words.frombytes(kept)
        count = len(words) // 3
        return cls(words[:count], words[count : 2 * count], words[2 * count :])

    def __len__(self) -> int:
        return len(self._starts)

    def units_at(self, address: int) -> list[int]:
        """Offsets of the units with code at an address, the likely one first."""
        at = bisect_right(self._starts, address)
        near = range(at - 1, max(-1, at - 1 - _MOST_OVERLAPPING), -1)
        return list(dict.fromkeys([self._units[i] for i in near if address < self._ends[i]]))


_MOST_OVERLAPPING = 8
"""Ranges before an address that are looked at: those of different units overlap in damaged files only."""

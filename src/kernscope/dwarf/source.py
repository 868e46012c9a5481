"""Where code came from, in a compact form that can be kept: a unit's lines and where its functions are, and of each
function what was inlined into it.

Everything is arrays of numbers and texts, so that a table that was kept is read in no time.
"""

from array import array
from bisect import bisect_right
from struct import Struct

from kernscope.dwarf.inlined import NO_FUNCTION, NO_SCOPE, read_functions, read_scopes
from kernscope.dwarf.lines import NO_FILE, LineRows, read_lines
from kernscope.tables.dwarf import Attribute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from kernscope.dwarf.file import Dwarf
    from kernscope.dwarf.unit import Unit

    Columns = list["array[int]"]

__all__ = ["FunctionTable", "SourceFrame", "UnitIndex", "UnitTable", "read_function", "read_unit"]

_MOST_DEPTH = 256
"""Functions inlined into each other of which all are told."""


class SourceFrame:
    """A function at an address: its name as in symbol tables, and the file and line where it was; line 0: not known."""

    __slots__ = ("file", "line", "name")

    def __init__(self, name: str, file: str, line: int) -> None:
        self.name, self.file, self.line = name, file, line

    def __repr__(self) -> str:
        return f"SourceFrame({self.name!r}, {self.file!r}, {self.line})"


class _Table:
    """Columns of numbers, whose last one says where each of the texts ends."""

    __slots__ = ("_columns", "_texts")
    _KINDS = ""

    def __init__(self, columns: "Columns", texts: bytes) -> None:
        self._columns, self._texts = columns, texts

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return sum(column.itemsize * len(column) for column in self._columns) + len(self._texts) + 1024

    def packed(self) -> bytes:
        """All of it as bytes, for `unpacked`."""
        counts = Struct(f"<{len(self._KINDS)}I").pack(*map(len, self._columns))
        return b"".join([counts, *(column.tobytes() for column in self._columns), self._texts])

    @classmethod
    def empty(cls) -> "Self":
        """One that knows nothing."""
        return cls([array(kind) for kind in cls._KINDS], b"")

    @classmethod
    def unpacked(cls, kept: bytes) -> "Self | None":
        """From what `packed` made; None if it is something else."""
        header = Struct(f"<{len(cls._KINDS)}I")
        if len(kept) < header.size:
            return None
        columns, at, view = [], header.size, memoryview(kept)
        for kind, count in zip(cls._KINDS, header.unpack_from(kept), strict=True):
            column = array(kind)
            end = at + count * column.itemsize
            if end > len(kept):
                return None
            column.frombytes(view[at:end])
            columns.append(column)
            at = end
        return cls(columns, kept[at:])

    def _text(self, number: int) -> str:
        ends = self._columns[-1]
        if number >= len(ends):
            return ""
        start = ends[number - 1] if number else 0
        return self._texts[start : ends[number]].decode("utf-8", "surrogateescape")


class FunctionTable(_Table):
    """What was inlined into one function: where pieces begin, the innermost scope of each; of scopes the parent, the
    name, and the file and line of the call.
    """

    __slots__ = ()
    _KINDS = "QIIIIII"

    def chain(self, address: int) -> list[tuple[str, int, int]]:
        """(name, file and line where it was called) of the functions at an address, the innermost first."""
        pieces, scopes, parents, names, call_files, call_lines, _ = self._columns
        at = bisect_right(pieces, address) - 1
        scope = scopes[at] if at >= 0 else NO_SCOPE
        found: list[tuple[str, int, int]] = []
        while scope != NO_SCOPE and len(found) < _MOST_DEPTH:
            found.append((self._text(names[scope]), call_files[scope], call_lines[scope]))
            scope = parents[scope]
        return found


class UnitTable(_Table):
    """One unit: addresses, files and numbers of lines; where pieces of functions begin, and where their entries are.
    The texts are the unit's files.
    """

    __slots__ = ()
    _KINDS = "QIIQQI"

    def function_at(self, address: int) -> int:
        """Where the entry of the function is that an address is in; -1 where it is in none."""
        starts, offsets = self._columns[3:5]
        at = bisect_right(starts, address) - 1
        return offsets[at] if at >= 0 and offsets[at] != NO_FUNCTION else -1

    def frames(self, address: int, function: FunctionTable | None) -> list[SourceFrame]:
        """The functions at an address: the compiled one first, then what was inlined, each into the one before. One
        without a name where only the line is known; none where nothing is. `function`: the table of the one
        that `function_at` tells.
        """
        addresses, files, numbers = self._columns[:3]
        at = bisect_right(addresses, address) - 1
        file, line = (NO_FILE, 0) if at < 0 else (files[at], numbers[at])
        found: list[SourceFrame] = []
        for name, call_file, call_line in function.chain(address) if function is not None else ():
            found.append(SourceFrame(name, self._text(file), line))
            file, line = call_file, call_line
        if not found and file != NO_FILE:
            found.append(SourceFrame("", self._text(file), line))
        found.reverse()
        return found


def _packed_texts(texts: list[str]) -> "tuple[array[int], bytes]":
    parts = [text.encode("utf-8", "surrogateescape") for text in texts]
    ends, total = array("I"), 0
    for part in parts:
        total += len(part)
        ends.append(total)
    return ends, b"".join(parts)


def read_unit(unit: "Unit", code: tuple[int, int]) -> UnitTable:
    """A unit's table. `code`: the first address of the file's code, and the one behind its last. Raises DwarfError."""
    root = unit.root
    offset = root.number(Attribute.STMT_LIST)
    rows: LineRows | None = None
    if offset is not None and unit.sections.lines:
        rows = read_lines(unit.sections, offset, root.text(Attribute.COMP_DIR), code)
    functions = read_functions(unit, code)
    ends, texts = _packed_texts(rows.paths.all() if rows is not None else [])
    lines = (
        [rows.addresses, rows.files, rows.numbers]
        if rows is not None
        else [array("Q"), array("I"), array("I")]
    )
    return UnitTable([*lines, functions.starts, functions.offsets, ends], texts)


def read_function(unit: "Unit", offset: int, code: tuple[int, int]) -> FunctionTable:
    """The table of the function whose entry is at an offset of `.debug_info`. Raises DwarfError."""
    scopes = read_scopes(unit, offset, code)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(scopes.names))}
    ends, texts = _packed_texts(list(numbers))
    names = array("I", [numbers[name] for name in scopes.names])
    return FunctionTable(
        [scopes.starts, scopes.pieces, scopes.parents, names, scopes.call_files, scopes.call_lines, ends],
        texts,
    )


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
        """All of it as bytes, for `unpacked`."""
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

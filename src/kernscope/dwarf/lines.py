"""Programs of lines (`.debug_line`): from which file and line each piece of code was compiled.

A program runs a small machine with the registers address, file and line, which appends rows to a table. A row counts
up to the next one; the last one of a sequence only says where it ends. Columns, statements and discriminators are
left out.

A linker that throws functions away leaves their rows, at addresses near 0 or near the end of memory: sequences that
begin outside of the file's code are left out.
"""

from array import array
from bisect import bisect_right
from operator import gt
from struct import Struct
from struct import error as StructError

from kernscope.dwarf.abbreviations import Format
from kernscope.dwarf.errors import DwarfError
from kernscope.dwarf.line_files import LineFiles
from kernscope.dwarf.numbers import sleb128, uleb128
from kernscope.tables.dwarf import LineExtended, LineOpcode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.dwarf.file import Sections

__all__ = ["NO_FILE", "LineRows", "read_lines"]

_U16, _U32, _U64 = Struct("<H"), Struct("<I"), Struct("<Q")
_LONG = 0xFFFFFFFF
_ADDRESSES = (1 << 64) - 1
NO_FILE = 0xFFFFFFFF
"""The file of a row that ends a sequence."""

MOST_BYTES = 1 << 24
"""Of one unit's program, which has at most a row for each; the largest known have about a tenth."""


class LineRows:
    """Rows sorted by address. `files` are numbers of `paths`."""

    __slots__ = ("addresses", "files", "numbers", "paths")

    def __init__(self, paths: LineFiles) -> None:
        self.addresses, self.files, self.numbers = array("Q"), array("I"), array("I")
        self.paths = paths

    def lookup(self, address: int) -> tuple[str, int]:
        """(path, line) of an address; empty and 0 where it is not known."""
        at = bisect_right(self.addresses, address) - 1
        if at < 0 or self.files[at] == NO_FILE:
            return "", 0
        return self.paths.path(self.files[at]), self.numbers[at]


class _Header:
    """What stands before a program."""

    __slots__ = (
        "end",
        "first",
        "format",
        "least_instruction",
        "lengths",
        "line_base",
        "line_range",
        "tables",
    )

    def __init__(self, data: memoryview, at: int) -> None:
        (length,) = _U32.unpack_from(data, at)
        at, offset_size = at + 4, 4
        if length == _LONG:
            (length,) = _U64.unpack_from(data, at)
            at, offset_size = at + 8, 8
        self.end = at + length
        if self.end > len(data):
            raise DwarfError("a program of lines is cut off")
        (version,) = _U16.unpack_from(data, at)
        if not 2 <= version <= 5:
            raise DwarfError(f"lines of DWARF version {version} are not read here")
        at += 2
        if version >= 5:
            if data[at] != 8 or data[at + 1]:
                raise DwarfError("lines of another machine")
            at += 2
        self.format = Format(version, 8, offset_size)
        (length,) = (_U64 if offset_size == 8 else _U32).unpack_from(data, at)
        at += offset_size
        self.first = at + length
        self.least_instruction = data[at]
        at += 1
        if version >= 4:
            if data[at] > 1:
                raise DwarfError("lines of a machine with several operations in one instruction")
            at += 1
        self.line_base = int.from_bytes(data[at + 1 : at + 2], "little", signed=True)
        self.line_range, opcode_base = data[at + 2], data[at + 3]
        self.tables = at + 4 + max(0, opcode_base - 1)
        self.lengths = [0, *data[at + 4 : self.tables]]
        if not self.line_range or len(self.lengths) != opcode_base or self.first > self.end:
            raise DwarfError("the head of a program of lines makes no sense")
        if self.end - self.first > MOST_BYTES:
            raise DwarfError("a program of lines is larger than can be")


def read_lines(sections: "Sections", offset: int, folder: str, code: tuple[int, int]) -> LineRows:
    """The rows of the program at an offset of `.debug_line`.

    Args:
        folder: where the compiler ran (DW_AT_comp_dir of the unit).
        code: the first address of the file's code, and the one behind its last.
    """
    try:
        header = _Header(sections.lines, offset)
        lines = sections.lines[: header.end]
        files = LineFiles(sections, lines, folder)
        if header.format.version >= 5:
            files.read_5(header.tables, header.format)
        else:
            files.read_4(header.tables)
        program = _Program(header, lines, files, code)
        program.run()
    except (StructError, IndexError, OverflowError):
        raise DwarfError("a program of lines is cut off") from None
    return program.sorted()


class _Program:
    """A program while it runs. `sequences` are (first address, first row, behind the last row)."""

    def __init__(self, header: _Header, data: memoryview, files: LineFiles, code: tuple[int, int]) -> None:
        self.header, self.data, self.code = header, data, code
        self.rows = LineRows(files)
        self.sequences: list[tuple[int, int, int]] = []
        self.begin = 0
        least, base = header.least_instruction, len(header.lengths)
        # By special opcode: how far it advances the address, and the line.
        self.advances = [max(0, i - base) // header.line_range * least for i in range(256)]
        self.steps = [header.line_base + max(0, i - base) % header.line_range for i in range(256)]

    def run(self) -> None:
        """The whole program: each step takes a byte at least."""
        data, at, end = self.data, self.header.first, self.header.end
        advances, steps, base = self.advances, self.steps, len(self.header.lengths)
        least = self.header.least_instruction
        rows = self.rows
        addresses, files, numbers = rows.addresses, rows.files, rows.numbers
        address, file, line, known = 0, 1, 1, (-1, -1)
        while at < end:
            opcode = data[at]
            at += 1
            if opcode >= base:
                address += advances[opcode]
                line += steps[opcode]
            elif opcode == LineOpcode.SET_COLUMN:  # the most frequent of the others
                while data[at] > 0x7F:
                    at += 1
                at += 1
                continue
            elif opcode == LineOpcode.ADVANCE_PC:
                step, at = uleb128(data, at)
                address = address + step * least & _ADDRESSES
                continue
            elif opcode == LineOpcode.ADVANCE_LINE:
                step, at = sleb128(data, at)
                line += step
                continue
            elif opcode == LineOpcode.SET_FILE:
                file, at = uleb128(data, at)
                file = min(file, NO_FILE - 1)
                continue
            elif opcode == LineOpcode.CONST_ADD_PC:
                address += advances[255]
                continue
            elif opcode == LineOpcode.FIXED_ADVANCE_PC:
                address += int(_U16.unpack_from(data, at)[0])
                at += 2
                continue
            elif opcode == LineOpcode.EXTENDED:
                size, at = uleb128(data, at)
                kind = data[at] if size else 0
                if kind == LineExtended.SET_ADDRESS:
                    address = int.from_bytes(data[at + 1 : at + min(size, 9)], "little")
                elif kind == LineExtended.END_SEQUENCE:
                    self._end_sequence(address)
                    address, file, line, known = 0, 1, 1, (-1, -1)
                at += size
                continue
            elif opcode == LineOpcode.NEGATE_STMT:
                continue
            elif opcode != LineOpcode.COPY:
                at = self._skip(opcode, at)
                continue
            if (file, line) != known:
                known = (file, line)
                if len(addresses) > self.begin and addresses[-1] == address:
                    files[-1], numbers[-1] = file, line & 0xFFFFFFFF
                else:
                    addresses.append(address)
                    files.append(file)
                    numbers.append(line & 0xFFFFFFFF)
        self._drop()  # a sequence without an end

    def _skip(self, opcode: int, at: int) -> int:
        """Where an opcode without meaning here ends: its operands are numbers, as many as the head says."""
        for _ in range(self.header.lengths[opcode]):
            at = uleb128(self.data, at)[1]
        return at

    def _drop(self) -> None:
        rows = self.rows
        for column in (rows.addresses, rows.files, rows.numbers):
            del column[self.begin :]

    def _end_sequence(self, address: int) -> None:
        rows = self.rows
        if len(rows.addresses) == self.begin:
            return
        if not self.code[0] <= rows.addresses[self.begin] < self.code[1]:
            self._drop()
            return
        rows.addresses.append(address)
        rows.files.append(NO_FILE)
        rows.numbers.append(0)
        self.sequences.append((rows.addresses[self.begin], self.begin, len(rows.addresses)))
        self.begin = len(rows.addresses)

    def sorted(self) -> LineRows:
        """The rows of all sequences by address."""
        old, found = self.rows, LineRows(self.rows.paths)
        for _, first, behind in sorted(self.sequences):
            order: list[int] | range = range(first, behind)
            part = old.addresses[first:behind]
            if any(map(gt, part, part[1:])):  # damaged, or of a compiler that does not follow the rules
                order = sorted(order, key=lambda i: (old.addresses[i], i))
                found.addresses.extend([old.addresses[i] for i in order])
                found.files.extend([old.files[i] for i in order])
                found.numbers.extend([old.numbers[i] for i in order])
            else:
                found.addresses.extend(part)
                found.files.extend(old.files[first:behind])
                found.numbers.extend(old.numbers[first:behind])
        return found

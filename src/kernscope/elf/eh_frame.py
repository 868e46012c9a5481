"""Unwind tables: `.eh_frame` → for every address of a file, how to find the caller.

The section (System V ABI for x86-64, section 4.2.4; DWARF 5, section 6.4) describes each function by a little program
whose execution gives rules: where the frame's base (CFA) is, and where in it the caller's registers were kept. On
x86-64 the return address is always just below the CFA, and of the other registers only `rbp` can be needed for the
next frame, so that a rule is a few bytes. `UnwindTable.rows` has one 64-bit word per change of rule, sorted by address:

    bits  0-31  address, less the table's `base`
    bits 32-47  offset of the CFA, signed
    bits 48-55  where the caller's rbp was kept, in words below the CFA; 0: rbp is the caller's still;
                RBP_AT_RBP: where rbp points
    bits 56-63  kind: one of the constants of `kernscope.elf.eh_rules`

Nothing in the file is trusted: every read is checked, programs and their nesting are bounded, and a function that is
not understood gets the kind UNSUPPORTED.
"""

from array import array

from kernscope.elf.eh_pointers import PointerReader, leb128
from kernscope.elf.eh_rules import NOTHING, SIGNAL, Rules, unpack, word
from kernscope.elf.errors import ElfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.elf.file import ElfFile

__all__ = ["UnwindTable", "read_unwind_table"]

MOST_ROWS = 4_000_000
"""More rows than any file in use has (a browser has about two million)."""
_MOST_COMMON_BYTES = 256
"""Of a CIE's instructions, which each function repeats; those in use have about ten."""
_PADDING_BYTES = 64
"""Smaller gaps between functions are padding, where nothing runs."""


class UnwindTable:
    """The rules of one file: `rows` as above, addresses from `base` on."""

    __slots__ = ("base", "rows")

    def __init__(self, base: int, rows: "array[int]") -> None:
        self.base, self.rows = base, rows

    def rule(self, address: int) -> tuple[int, int, int]:
        """(kind, CFA offset, rbp's place) at an address, for tests and explanations."""
        low, high = 0, len(self.rows)
        while low < high:
            middle = (low + high) // 2
            if (self.rows[middle] & 0xFFFFFFFF) + self.base <= address:
                low = middle + 1
            else:
                high = middle
        if not low:
            return NOTHING, 0, 0
        return unpack(self.rows[low - 1])


class _Common:
    """What the functions of one CIE share."""

    __slots__ = ("augmented", "code_align", "data_align", "encoding", "program", "signal", "state")

    def __init__(self) -> None:
        self.code_align, self.data_align = 1, -8
        self.encoding = 0
        self.augmented = self.signal = False
        self.program = (0, 0)
        self.state: tuple[int, int, int] | None = None


def read_unwind_table(elf: "ElfFile", stop: "Callable[[], bool]" = lambda: False) -> UnwindTable:
    """The table of a file; empty where it has no `.eh_frame`.

    Raises ElfError where the section makes no sense, or when `stop`, asked now and then, says so.
    """
    section = elf.section(".eh_frame")
    content = bytes(elf.content(".eh_frame"))
    if section is None or not content:
        return UnwindTable(0, array("Q"))
    found = _Reader(content, section.address).functions(stop)
    return _table(found)


def _table(functions: "list[tuple[int, int, list[tuple[int, int]]]]") -> UnwindTable:
    """Rows in order, with NOTHING behind each function that no other one follows."""
    functions.sort()
    if not functions:
        return UnwindTable(0, array("Q"))
    base = functions[0][0]
    rows = array("Q")
    end, last = base, -1
    for start, stop, rules in functions:
        if start < end or stop - base > 0xFFFFFFFF:
            continue  # overlaps the one before: the file is odd
        if start > end + _PADDING_BYTES:
            rows.append(NOTHING << 56 | end - base)
            last = -1
        for address, rule in rules:
            if rule != last:
                rows.append(rule << 32 | address - base)
                last = rule
        end = stop
        if len(rows) > MOST_ROWS:
            raise ElfError("its unwind table is larger than can be")
    rows.append(NOTHING << 56 | end - base)
    return UnwindTable(base, rows)


class _Reader:
    """Goes through the section's entries."""

    def __init__(self, content: bytes, address: int) -> None:
        self.content, self.address = content, address
        self.pointers = PointerReader(content, address)
        self.commons: dict[int, _Common | None] = {}

    def functions(self, stop: "Callable[[], bool]") -> "list[tuple[int, int, list[tuple[int, int]]]]":
        """(start, end, [(address, rule)]) of every function."""
        content, found = self.content, []
        size, at = len(content), 0
        rows = 0
        while at + 4 <= size:
            length = int.from_bytes(content[at : at + 4], "little")
            at += 4
            if length == 0:
                break
            if length == 0xFFFFFFFF:
                length = int.from_bytes(content[at : at + 8], "little")
                at += 8
            end = at + length
            if end > size or length < 4:
                raise ElfError("`.eh_frame` has an entry that is cut off")
            back = int.from_bytes(content[at : at + 4], "little")
            if back:
                one = self._function(at, end, at - back)
                if one is not None:
                    found.append(one)
                    rows += len(one[2])
                    if rows > MOST_ROWS:
                        raise ElfError("`.eh_frame` says more than any program's")
                if not len(found) % 1024 and stop():
                    raise ElfError("reading it was given up")
            at = end
        return found

    def _common_at(self, start: int) -> _Common | None:
        """The CIE whose length field lies 4 bytes before its id at `start` + 4."""
        if start not in self.commons:
            try:
                self.commons[start] = self._common(start)
            except (IndexError, ValueError):
                self.commons[start] = None
        return self.commons[start]

    def _common(self, start: int) -> _Common | None:
        content = self.content
        if start < 0 or start + 9 > len(content):
            return None
        length = int.from_bytes(content[start : start + 4], "little")
        at, end = start + 8, start + 4 + length
        if content[start + 4 : start + 8] != b"\0\0\0\0" or end > len(content):
            return None
        common = _Common()
        stop = content.index(0, at + 1, end)
        augmentation = content[at + 1 : stop]
        common.code_align, at = leb128(content, stop + 1, end)
        common.data_align, at = leb128(content, at, end, signed=True)
        _, at = leb128(content, at, end)
        if augmentation[:1] == b"z":
            common.augmented = True
            size, at = leb128(content, at, end)
            common.program = (at + size, end)
            for letter in augmentation[1:]:
                if letter == ord("R"):
                    common.encoding = content[at]
                    at += 1
                elif letter == ord("L"):
                    at += 1
                elif letter == ord("P"):
                    at = self.pointers.skip(content[at], at + 1)
                elif letter == ord("S"):
                    common.signal = True
        elif augmentation:
            return None
        else:
            common.program = (at, end)
        if common.program[1] - common.program[0] > _MOST_COMMON_BYTES:
            return None
        return common

    def _function(self, at: int, end: int, common_at: int) -> "tuple[int, int, list[tuple[int, int]]] | None":
        common = self._common_at(common_at)
        if common is None:
            return None
        try:
            start, at = self.pointers.read(common.encoding, at + 4)
            size, at = self.pointers.read(common.encoding & 0x0F, at)
            if common.augmented:
                skipped, at = leb128(self.content, at, end)
                at += skipped
        except (IndexError, ValueError):
            return None
        if size <= 0 or start <= 0 or at > end:
            return None
        if common.signal:
            return start, start + size, [(start, word(SIGNAL, 0, 0))]
        rules = Rules(self.content, start, common.code_align, common.data_align)
        try:
            rules.run(*common.program)
            rules.begin()
            rules.run(at, end)
        except (IndexError, ValueError):
            rules.give_up()
        return start, start + size, rules.finish(start + size)

"""Parts of a function that a compiler has put elsewhere, because they are seldom, or always, executed.

Their symbols (`NAME.cold`) are missing in stripped files, but a jump shows them: one that leads out of the function and
not to the beginning of what is there. x86-64 only.
"""

from kernscope.elf.eh_header import FunctionStarts
from kernscope.elf.instructions import x86_length

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.elf.file import ElfFile

__all__ = ["other_parts"]

_EM_X86_64 = 62
MOST_CODE_BYTES = 1 << 17
"""Of a function that are looked at."""


def other_parts(elf: "ElfFile", start: int, end: int) -> "list[tuple[int, int]]":
    """(start, end) of the other parts of the function at the addresses from `start` to `end`.

    Raises ElfError where the file is damaged.
    """
    offset = elf.offset_of(start)
    if elf.machine != _EM_X86_64 or offset is None or end <= start:
        return []
    starts = FunctionStarts(elf)
    found: dict[int, tuple[int, int]] = {}
    for target in _jumps(elf.bytes_at(offset, min(end - start, MOST_CODE_BYTES)), start):
        if start <= target < end or target in found:
            continue
        bounds = starts.bounds(target)
        if bounds is not None and bounds[0] != target and not start <= bounds[0] < end:
            found[bounds[0]] = bounds
    return sorted(found.values())


def _jumps(code: bytes, address: int) -> "set[int]":
    """The targets of the direct jumps with four bytes of distance."""
    at, found = 0, set()
    while at + 5 <= len(code):
        size = x86_length(code, at)
        if not size:
            break  # not known: what follows cannot be told apart
        near = code[at] == 0xE9 or (code[at] == 0x0F and code[at + 1] & 0xF0 == 0x80)
        if near:
            distance = int.from_bytes(code[at + size - 4 : at + size], "little", signed=True)
            found.add(address + at + size + distance)
        at += size
    return found

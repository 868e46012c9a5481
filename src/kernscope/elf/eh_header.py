"""Where functions begin, also those without a name: the sorted table of `.eh_frame_hdr` (Linux Standard Base, Core,
section 10.6.2), which stripped files keep because exceptions need it.
"""

from array import array
from bisect import bisect_right
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.elf.file import ElfFile

__all__ = ["FunctionStarts"]

_HEADER = Struct("<BBBBiI")
"""version, encodings of the pointer, the count and the table, the pointer, the count"""
_ENCODINGS = (1, 0x1B, 0x03, 0x3B)
"""What linkers write: version 1; pc-relative sdata4; udata4; sdata4 relative to the section."""

MOST_FUNCTIONS = 1 << 21


class FunctionStarts:
    """The addresses in a file at which functions begin; none where it has no such table."""

    __slots__ = ("_starts",)

    def __init__(self, elf: "ElfFile") -> None:
        self._starts = array("Q")
        section, content = elf.section(".eh_frame_hdr"), elf.content(".eh_frame_hdr")
        if section is None or len(content) < _HEADER.size:
            return
        *encodings, _, count = _HEADER.unpack_from(content)
        if (
            tuple(encodings) != _ENCODINGS
            or count > MOST_FUNCTIONS
            or _HEADER.size + 8 * count > len(content)
        ):
            return
        pairs = array("i", bytes(content[_HEADER.size : _HEADER.size + 8 * count]))
        base = section.address
        self._starts = array("Q", sorted(base + start for start in pairs[::2] if base + start >= 0))

    def __len__(self) -> int:
        return len(self._starts)

    def bounds(self, address: int) -> tuple[int, int] | None:
        """The beginning of the function that an address is in, and that of the next one."""
        at = bisect_right(self._starts, address)
        return (self._starts[at - 1], self._starts[at]) if 0 < at < len(self._starts) else None

    def start_of(self, address: int) -> int | None:
        """The beginning of the function that an address is in, as far as can be told."""
        at = bisect_right(self._starts, address) - 1
        return self._starts[at] if at >= 0 else None

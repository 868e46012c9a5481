"""Symbols by address. Only addresses are sorted when a table is read; names are looked up when wanted."""

from array import array
from bisect import bisect_right
from struct import Struct

from kernscope.elf.errors import ElfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Names(Protocol):
        """A string table, or what reads one where it is asked to."""

        def __len__(self) -> int: ...

        def __getitem__(self, part: slice, /) -> memoryview: ...


__all__ = ["MOST_SYMBOLS", "SymbolTable"]

_OBJECT, _FUNCTION, _INDIRECT = 1, 2, 10
"""STT_* of elf(5); 10 is STT_GNU_IFUNC."""

MOST_SYMBOLS = 1 << 21
"""Of one file; a browser has about half of that."""
MOST_NAME_BYTES = 4096
_PACKED = Struct("<Q")


class SymbolTable:
    """Functions, sorted by address: `addresses`, `sizes`, and where their names begin in `names`."""

    __slots__ = ("_addresses", "_names", "_places", "_sizes")

    def __init__(
        self, addresses: "array[int]", sizes: "array[int]", places: "array[int]", names: "Names"
    ) -> None:
        self._addresses, self._sizes, self._places, self._names = addresses, sizes, places, names

    @classmethod
    def read(cls, table: memoryview, names: "Names", *, data: bool = False) -> "SymbolTable":
        """From Elf64_Sym entries (name, info, other, section, value, size) and the string table they point into.

        `data`: also variables.
        """
        if len(table) > 24 * MOST_SYMBOLS:
            raise ElfError("a symbol table is larger than can be")
        words = array("Q")
        words.frombytes(table[: len(table) - len(table) % 24])
        heads, values, sizes = words[0::3], words[1::3], words[2::3]
        kinds = (_FUNCTION, _INDIRECT, _OBJECT) if data else (_FUNCTION, _INDIRECT)
        kept = [i for i, head in enumerate(heads) if head >> 32 & 15 in kinds and head >> 48 and values[i]]
        kept.sort(key=values.__getitem__)
        return cls(
            array("Q", [values[i] for i in kept]),
            array("Q", [sizes[i] for i in kept]),
            array("I", [heads[i] & 0xFFFFFFFF for i in kept]),
            names,
        )

    def packed(self) -> bytes:
        """The table without its names, for `unpacked`."""
        return (
            _PACKED.pack(len(self))
            + self._addresses.tobytes()
            + self._sizes.tobytes()
            + self._places.tobytes()
        )

    @classmethod
    def unpacked(cls, kept: bytes, names: "Names") -> "SymbolTable | None":
        """From what `packed` made; None if it is something else."""
        count = _PACKED.unpack_from(kept)[0] if len(kept) >= _PACKED.size else -1
        if len(kept) != _PACKED.size + 20 * count:
            return None
        view = memoryview(kept)[_PACKED.size :]
        addresses, sizes, places = array("Q"), array("Q"), array("I")
        addresses.frombytes(view[: 8 * count])
        sizes.frombytes(view[8 * count : 16 * count])
        places.frombytes(view[16 * count :])
        return cls(addresses, sizes, places, names)

    def __len__(self) -> int:
        return len(self._addresses)

    def _name(self, index: int) -> str:
        place = self._places[index]
        raw = bytes(self._names[place : place + 256])
        if 0 not in raw and len(raw) == 256:
            raw = bytes(self._names[place : place + MOST_NAME_BYTES])
        name = raw.partition(b"\0")[0]
        if b"@" in name:  # a version: `pthread_create@@GLIBC_2.34`
            name = name.partition(b"@")[0]
        return name.decode("utf-8", "surrogateescape")

    def lookup(self, address: int) -> tuple[str, int] | None:
        """(name, offset into it) of the symbol that covers `address`; one without a size reaches to the next.

        Of several names for one place, the plainest: `read` rather than `__read` or `__GI___read`.
        """
        last = bisect_right(self._addresses, address) - 1
        if last < 0:
            return None
        start = self._addresses[last]
        names: list[str] = []
        while last >= 0 and self._addresses[last] == start and len(names) < _MOST_ALIASES:
            size = self._sizes[last]
            if not size or address < start + size:
                names.append(self._name(last))
            last -= 1
        if not names:
            return None
        best = min(names, key=lambda name: (len(name) - len(name.lstrip("_")), len(name), name))
        return best, address - start

    def find(self, name: str) -> tuple[int, int] | None:
        """(address, size) of the symbol called `name`, or None."""
        for i in range(len(self)):
            if self._name(i) == name:
                return self._addresses[i], self._sizes[i]
        return None


_MOST_ALIASES = 64
"""Names of one place that are compared."""

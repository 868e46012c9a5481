"""Symbols by address. Only addresses are sorted when a table is read; names are looked up when wanted."""

from array import array
from bisect import bisect_right
from struct import Struct

__all__ = ["SymbolTable"]

_SYMBOL = Struct("<IBBHQQ")
"""Elf64_Sym: name, info, other, section index, value, size."""

_NOTYPE, _OBJECT, _FUNCTION, _INDIRECT = 0, 1, 2, 10
"""STT_* of elf(5); 10 is STT_GNU_IFUNC."""


class SymbolTable:
    """`table` are Elf64_Sym entries, `names` the string table that they point into."""

    __slots__ = ("_addresses", "_entries", "_names")

    def __init__(self, table: memoryview, names: memoryview, *, data: bool = False) -> None:
        kinds = (_FUNCTION, _INDIRECT, _OBJECT) if data else (_FUNCTION, _INDIRECT)
        self._entries = sorted(
            [
                (value, size, name)
                for name, info, _, section, value, size in _SYMBOL.iter_unpack(table)
                if section and value and info & 15 in kinds
            ]
        )
        self._addresses = array("Q", [entry[0] for entry in self._entries])
        self._names = names

    def __len__(self) -> int:
        return len(self._entries)

    def _name(self, offset: int) -> str:
        raw = bytes(self._names[offset : offset + 4096])
        return raw.partition(b"\0")[0].decode("utf-8", "replace")

    def lookup(self, address: int) -> tuple[str, int] | None:
        """(name, offset into it) of the symbol that covers `address`; one without a size reaches to the next.

        Of several names for one place, the plainest: `read` rather than `__read` or `__GI___read`.
        """
        last = bisect_right(self._addresses, address) - 1
        if last < 0:
            return None
        start = self._addresses[last]
        names = []
        while last >= 0 and self._addresses[last] == start:
            _, size, name = self._entries[last]
            if not size or address < start + size:
                names.append(self._name(name))
            last -= 1
        if not names:
            return None
        best = min(names, key=lambda name: (len(name) - len(name.lstrip("_")), len(name), name))
        return best, address - start

    def find(self, name: str) -> tuple[int, int] | None:
        """(address, size) of the symbol called `name`, or None."""
        for address, size, at in self._entries:
            if self._name(at) == name:
                return address, size
        return None

"""Functions by name. A table of many symbols is walked once; names are only made where they are wanted."""

from struct import Struct

__all__ = ["Function", "FunctionTable"]

_SYMBOL = Struct("<IBBHQQ")
"""Elf64_Sym: name, info, other, section index, value, size."""

_OBJECT, _FUNCTION, _INDIRECT = 1, 2, 10
"""STT_* of elf(5); 10 is STT_GNU_IFUNC."""


class Function:
    """A symbol: `address` as the file counts, `size` 0 where it is not known. `indirect`: its code only chooses
    which function is to be called (STT_GNU_IFUNC).
    """

    __slots__ = ("address", "indirect", "name", "size")

    def __init__(self, name: str, address: int, size: int, indirect: bool = False) -> None:
        self.name, self.address, self.size, self.indirect = name, address, size, indirect

    def __repr__(self) -> str:
        return f"Function({self.name!r}, {self.address:#x}, {self.size})"


class FunctionTable:
    """`tables` are pairs of Elf64_Sym entries and the string table that they point into."""

    __slots__ = ("_all", "_tables")

    def __init__(self, tables: "list[tuple[memoryview, memoryview]]") -> None:
        self._tables = tables
        self._all: dict[str, list[Function]] | None = None

    def joined(self, other: "FunctionTable") -> "FunctionTable":
        """One table with the functions of both."""
        return FunctionTable(self._tables + other._tables)

    def all(self) -> "dict[str, list[Function]]":
        """Every function by name, in the order of names; several where files of one program share a name."""
        if self._all is None:
            found: dict[str, dict[int, Function]] = {}
            for table, names in self._tables:
                text = bytes(names)
                for at, info, _, section, address, size in _SYMBOL.iter_unpack(table):
                    kind = info & 15
                    if section and address and kind in (_FUNCTION, _INDIRECT):
                        name = _text(text, at)
                        _add(found.setdefault(name, {}), Function(name, address, size, kind == _INDIRECT))
            found.pop("", None)
            self._all = {name: list(found[name].values()) for name in sorted(found)}
        return self._all

    def named(self, name: str) -> "list[Function]":
        """The functions of one name, without making all other names."""
        return self._find(name, (_FUNCTION, _INDIRECT))

    def variables(self, name: str) -> "list[Function]":
        """The variables of one name; functions too, for their addresses."""
        return self._find(name, (_OBJECT, _FUNCTION, _INDIRECT))

    def _find(self, name: str, kinds: "tuple[int, ...]") -> "list[Function]":
        found: dict[int, Function] = {}
        plain = name.encode("utf-8", "surrogateescape")
        for table, names in self._tables:
            places = _places(bytes(names), plain)
            if not places:
                continue
            for at, info, _, section, address, size in _SYMBOL.iter_unpack(table):
                if at in places and section and address and info & 15 in kinds:
                    _add(found, Function(name, address, size, info & 15 == _INDIRECT))
        return list(found.values())


def _add(found: "dict[int, Function]", function: Function) -> None:
    """Keep one symbol per address, one that has a size where there is one."""
    known = found.get(function.address)
    if known is None or not known.size:
        found[function.address] = function


def _places(names: bytes, name: bytes) -> "set[int]":
    """Where in a string table a name lies: as a whole, as the end of a longer one, or before its version (`@`)."""
    places = set()
    at = names.find(name)
    while at >= 0:
        if names[at + len(name) : at + len(name) + 1] in (b"\0", b"@"):
            places.add(at)
        at = names.find(name, at + 1)
    return places


def _text(names: bytes, at: int) -> str:
    end = names.find(b"\0", at)
    name = names[at:end] if end >= 0 else b""
    if b"@" in name:  # a version: `pthread_create@@GLIBC_2.34`
        name = name.partition(b"@")[0]
    return name.decode("utf-8", "surrogateescape")

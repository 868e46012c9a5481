"""Values of structs, unions, arrays and enums: bytes to Python.

A struct becomes a `StructValue`, an array a tuple, an enum's value an `EnumValue`. Readers are closures made once
per type.
"""

from __future__ import annotations

from struct import Struct as Packing

from kernscope.types import Array, Bool, Enum, Integer, Pointer, String, Struct, StructField, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Reader = Callable[[bytes], object]

__all__ = ["EnumValue", "StructValue", "enum_reader", "record_class", "stored_reader"]

_CODES = {1: "bB", 2: "hH", 4: "iI", 8: "qQ"}


class StructValue(tuple[object, ...]):
    """The members of a struct or record in order: `value["pid"]`, `value.names`; as a tuple, hashable and sortable."""

    __slots__ = ()
    names: tuple[str, ...] = ()

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            try:
                return tuple.__getitem__(self, self.names.index(key))
            except ValueError:
                raise KeyError(key) from None
        return tuple.__getitem__(self, key)

    def items(self) -> Iterator[tuple[str, object]]:
        """Names and values, as of a dict."""
        return zip(self.names, self)

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name}: {value!r}' for name, value in self.items())}}}"


class EnumValue(int):
    """A number whose name `str()` gives."""

    name: str

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<{self.name}: {int(self)}>"


def record_class(names: tuple[str, ...]) -> type[StructValue]:
    """The class of the values of one struct."""
    return type("StructValue", (StructValue,), {"__slots__": (), "names": names})


def enum_reader(t: Enum) -> Callable[[int], int]:
    """From the number to the value: an EnumValue where the number has a name."""
    known: dict[int, int] = {}
    for number, name in t.names.items():
        known[number] = value = EnumValue(number)
        value.name = name
    return lambda number: known.get(number, number)


def stored_reader(t: Type) -> Reader:
    """A function from the stored bytes of a value to the value."""
    if isinstance(t, Struct):
        return _struct_reader(t)
    if isinstance(t, Array):
        return _array_reader(t)
    if isinstance(t, Enum):
        name_of, number = enum_reader(t), _unpack(t.size, t.signed)
        return lambda data: name_of(number(data))
    if isinstance(t, Bool):
        return lambda data: data[0] != 0
    if isinstance(t, Integer | Pointer):
        return _unpack(t.size, isinstance(t, Integer) and t.signed)
    if isinstance(t, String):
        return lambda data: data.partition(b"\0")[0].decode("utf-8", "surrogateescape")
    return bytes


def _unpack(size: int, signed: bool) -> Callable[[bytes], int]:
    unpack = Packing("=" + _CODES[size][not signed]).unpack
    return lambda data: int(unpack(data)[0])


def _array_reader(t: Array) -> Reader:
    element = t.element
    if isinstance(element, Integer | Pointer) and not isinstance(element, Enum):
        signed = isinstance(element, Integer) and element.signed
        return Packing(f"={t.count}{_CODES[element.size][not signed]}").unpack
    read, size = stored_reader(element), element.size
    return lambda data: tuple(read(data[at : at + size]) for at in range(0, size * t.count, size or 1))


def _struct_reader(t: Struct) -> Reader:
    made = record_class(tuple(t.fields))
    parts = [_field_reader(field) for field in t.fields.values()]
    return lambda data: made(part(data) for part in parts)


def _field_reader(field: StructField) -> Reader:
    if field.bits is not None:
        return _bits_reader(field, field.bits)
    read, start, end = stored_reader(field.type), field.offset, field.offset + field.type.size
    return lambda data: read(data[start:end])


def _bits_reader(field: StructField, bits: tuple[int, int]) -> Reader:
    shift, width = bits
    start, end = field.offset, field.offset + (shift + width + 7) // 8
    t, mask = field.type, (1 << width) - 1
    sign = 1 << (width - 1) if isinstance(t, Integer) and t.signed else 0

    def number(data: bytes) -> int:
        raw = int.from_bytes(data[start:end], "little") >> shift & mask
        return (raw ^ sign) - sign

    if isinstance(t, Bool):
        return lambda data: number(data) != 0
    if isinstance(t, Enum):
        name_of = enum_reader(t)
        return lambda data: name_of(number(data))
    return number

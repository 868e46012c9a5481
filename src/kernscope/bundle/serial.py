"""A Bundle as bytes and back: compiled ahead of time, run later without the compiler.

    magic, version    which format follows
    length, CRC-32    of the body
    body              the classes used, each with its module and fields, then the bundle

A value is one byte that says what it is and its content; integers have 8 bytes, texts and byte strings a length
first. An object is its class's number and its fields in order; an object that occurs again refers to its first
occurrence, so that types and program texts are stored once. Only plain data is ever made: classes of the rooms
below, filled field by field, no code.

A file belongs to the Kernscope that wrote it: if a class has other fields now, the file is refused.
"""

from struct import Struct, error
from zlib import crc32

from kernscope.bundle import Bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["MAGIC", "BundleError", "decode", "encode"]

MAGIC = b"\x7fKSB"
VERSION = 1

_HOMES = (
    "kernscope.bundle",
    "kernscope.types",
    "kernscope.diagnostics.diagnostic",
    "kernscope.diagnostics.source",
)
"""Modules whose classes a bundle may consist of."""

_HEADER = Struct("<4sHIQ")
_LENGTH = Struct("<I")
_INTEGER = Struct("<q")
_FLOAT = Struct("<d")


class BundleError(Exception):
    """A compiled program cannot be used; the message says why, `help` what to do."""

    def __init__(self, message: str, help: str = "compile the program again, on this machine") -> None:
        self.help = help
        super().__init__(message)


def fields_of(cls: type) -> tuple[str, ...]:
    """Names of the fields of a slotted class, its bases' first."""
    return tuple(name for base in reversed(cls.__mro__) for name in _slots(base) if not name.startswith("__"))


def _slots(cls: type) -> tuple[str, ...]:
    slots = cls.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


# Encoding


class _Writer:
    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.classes: dict[type, tuple[int, tuple[str, ...]]] = {}
        self._seen: dict[int, int] = {}
        self._kept: list[object] = []  # so that no id is used twice

    def value(self, value: object) -> None:
        write = _WRITERS.get(type(value))
        if write is not None:
            write(self, value)
        elif isinstance(value, int):  # members of IntEnum
            self._integer(int(value))
        elif isinstance(value, str):
            self._text(str(value))
        elif isinstance(value, tuple):
            self._sequence(b"(", tuple(value))
        else:
            self._object(value)

    def _plain(self, value: object) -> None:
        self.parts.append({None: b"N", True: b"T", False: b"F"}[value])  # type: ignore[index]

    def _integer(self, value: int) -> None:
        if -(1 << 63) <= value < 1 << 63:
            self.parts.append(b"i" + _INTEGER.pack(value))
        else:
            self._bytes(b"I", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))

    def _float(self, value: float) -> None:
        self.parts.append(b"f" + _FLOAT.pack(value))

    def _text(self, value: str) -> None:
        self._bytes(b"s", value.encode("utf-8", "surrogatepass"))

    def _bytes(self, tag: bytes, value: bytes) -> None:
        self.parts += (tag, _LENGTH.pack(len(value)), value)

    def _sequence(self, tag: bytes, values: "tuple[object, ...] | list[object]") -> None:
        self.parts.append(tag + _LENGTH.pack(len(values)))
        for value in values:
            self.value(value)

    def _mapping(self, values: dict[object, object]) -> None:
        self.parts.append(b"{" + _LENGTH.pack(len(values)))
        for key, value in values.items():
            self.value(key)
            self.value(value)

    def _object(self, value: object) -> None:
        number = self._seen.get(id(value))
        if number is not None:
            self.parts.append(b"r" + _LENGTH.pack(number))
            return
        self._seen[id(value)] = len(self._kept)
        self._kept.append(value)
        cls = type(value)
        if cls not in self.classes:
            if cls.__module__ not in _HOMES or hasattr(value, "__dict__"):
                raise TypeError(f"{cls.__module__}.{cls.__name__} is not part of a bundle")
            self.classes[cls] = len(self.classes), fields_of(cls)
        index, fields = self.classes[cls]
        self.parts.append(b"o" + _LENGTH.pack(index))
        for name in fields:
            self.value(getattr(value, name, None))


_WRITERS: "dict[type, Callable[[_Writer, Any], None]]" = {
    type(None): _Writer._plain,
    bool: _Writer._plain,
    int: _Writer._integer,
    float: _Writer._float,
    str: _Writer._text,
    bytes: lambda writer, value: writer._bytes(b"b", value),
    tuple: lambda writer, value: writer._sequence(b"(", value),
    list: lambda writer, value: writer._sequence(b"[", value),
    dict: _Writer._mapping,
}


def encode(bundle: Bundle) -> bytes:
    """The bundle as bytes, for `decode`."""
    content, table = _Writer(), _Writer()
    content.value(bundle)
    table.value([(cls.__module__, cls.__name__, fields) for cls, (_, fields) in content.classes.items()])
    body = b"".join(table.parts + content.parts)
    return _HEADER.pack(MAGIC, VERSION, crc32(body), len(body)) + body


# Decoding


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0
        self.classes: list[tuple[type, tuple[str, ...]]] = []
        self._seen: list[object] = []

    def value(self) -> "Any":
        tag = self.data[self.position]
        self.position += 1
        return _READERS[tag](self)

    def _length(self) -> int:
        (length,) = _LENGTH.unpack_from(self.data, self.position)
        self.position += 4
        return int(length)

    def _integer(self) -> int:
        (value,) = _INTEGER.unpack_from(self.data, self.position)
        self.position += 8
        return int(value)

    def _float(self) -> float:
        (value,) = _FLOAT.unpack_from(self.data, self.position)
        self.position += 8
        return float(value)

    def _bytes(self) -> bytes:
        length = self._length()
        start = self.position
        self.position += length
        return self.data[start : self.position]

    def _list(self) -> "list[Any]":
        return [self.value() for _ in range(self._length())]

    def _mapping(self) -> "dict[Any, Any]":
        return {self.value(): self.value() for _ in range(self._length())}

    def _object(self) -> object:
        cls, fields = self.classes[self._length()]
        made: object = object.__new__(cls)
        self._seen.append(made)
        for name in fields:
            setattr(made, name, self.value())
        return made

    def _again(self) -> object:
        return self._seen[self._length()]


_READERS: "dict[int, Callable[[_Reader], Any]]" = {
    ord("N"): lambda reader: None,
    ord("T"): lambda reader: True,
    ord("F"): lambda reader: False,
    ord("i"): _Reader._integer,
    ord("I"): lambda reader: int.from_bytes(reader._bytes(), "little", signed=True),
    ord("f"): _Reader._float,
    ord("s"): lambda reader: reader._bytes().decode("utf-8", "surrogatepass"),
    ord("b"): _Reader._bytes,
    ord("("): lambda reader: tuple(reader._list()),
    ord("["): _Reader._list,
    ord("{"): _Reader._mapping,
    ord("o"): _Reader._object,
    ord("r"): _Reader._again,
}


def decode(data: bytes) -> Bundle:
    """What `encode` was given. Raises BundleError if the bytes are damaged or of another Kernscope."""
    if not data.startswith(MAGIC):
        raise BundleError("this is no compiled program")
    try:
        _, version, checksum, length = _HEADER.unpack_from(data)
    except error:
        raise BundleError("the compiled program is damaged: it is too short") from None
    if version != VERSION:
        raise _another_version()
    body = data[_HEADER.size :]
    if len(body) != length:
        raise BundleError(f"the compiled program is damaged: {len(body)} bytes instead of {length}")
    if crc32(body) != checksum:
        raise BundleError("the compiled program is damaged: its checksum is wrong")
    reader = _Reader(body)
    try:
        reader.classes = [_class(*row) for row in reader.value()]
        bundle = reader.value()
    except (IndexError, KeyError, TypeError, ValueError, error, RecursionError):
        raise BundleError("the compiled program is damaged") from None
    if not isinstance(bundle, Bundle):
        raise BundleError("the compiled program is damaged")
    return bundle


def _class(module: str, name: str, fields: tuple[str, ...]) -> tuple[type, tuple[str, ...]]:
    from importlib import import_module

    if module not in _HOMES:
        raise ValueError(module)
    found = getattr(import_module(module), name, None)
    if not isinstance(found, type) or found.__module__ != module or fields_of(found) != fields:
        raise _another_version()
    return found, fields


def _another_version() -> BundleError:
    return BundleError("the program was compiled by another version of Kernscope")

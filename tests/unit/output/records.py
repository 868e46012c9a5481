"""Encoding of records and stored values for tests, written from the description in kernscope.bundle."""

import struct
from typing import Any

from kernscope.bundle import in_tail
from kernscope.types import Bool, Buffer, Integer, Pointer, String, Symbolic, Tuple, Type


def _pad(out: bytearray, align: int) -> None:
    out += bytes(-len(out) % align)


def encode_record(
    id: int, types: tuple[Type, ...], values: tuple[Any, ...], position: int | None = None
) -> bytes:
    """Symbolic values are given as the tuple of their words, strings as bytes."""
    fixed, tail = bytearray(), bytearray()

    def put(t: Type, v: Any) -> None:
        nonlocal tail
        if isinstance(t, Tuple):
            for element, part in zip(t.elements, v, strict=True):
                put(element, part)
        elif isinstance(t, Integer):
            _pad(fixed, t.size)
            fixed.extend(v.to_bytes(t.size, "little", signed=t.signed))
        elif isinstance(t, Pointer):
            _pad(fixed, 8)
            fixed.extend(struct.pack("<Q", v))
        elif isinstance(t, Bool):
            fixed.append(v)
        elif isinstance(t, Symbolic):
            _pad(fixed, 8)
            fixed.extend(struct.pack(f"<{t.words}Q", *v))
        elif in_tail(t):
            assert isinstance(t, String | Buffer)
            _pad(fixed, 4)
            fixed.extend(struct.pack("<I", len(v)))
            tail += v
        else:
            _pad(fixed, 8)  # strings are aligned like words
            fixed.extend(v.ljust(t.size, b"\0"))

    for t, v in zip(types, values, strict=True):
        put(t, v)
    _pad(fixed, 8)
    header = struct.pack("<II", id, len(fixed))
    if position is not None:
        header += struct.pack("<Q", position)
    return header + bytes(fixed) + bytes(tail)


def encode_stored(t: Type, v: Any) -> bytes:
    if isinstance(t, Tuple):
        out = bytearray()
        for element, part in zip(t.elements, v, strict=True):
            _pad(out, element.align)
            out += encode_stored(element, part)
        _pad(out, t.align)
        return bytes(out)
    if isinstance(t, Integer):
        return int(v).to_bytes(t.size, "little", signed=t.signed)
    if isinstance(t, Pointer):
        return struct.pack("<Q", v)
    if isinstance(t, Bool):
        return bytes([v])
    if isinstance(t, Symbolic):
        return struct.pack(f"<{t.words}Q", *v)
    if isinstance(t, Buffer):
        return (struct.pack("<I", len(v)) + bytes(v)).ljust(t.size, b"\0")
    return bytes(v).ljust(t.size, b"\0")

"""Single values as text and as JSON, the same wherever they stand: print(), map keys, map values."""

from __future__ import annotations

from kernscope.output.stacks import STACK_KINDS, stack_key
from kernscope.output.structured import StructValue
from kernscope.types import Array, NamedTuple, Pointer, Struct, Symbolic, Tuple, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "buffer_hex",
    "buffer_spaced",
    "buffer_text",
    "default_value",
    "json_key",
    "value_text",
]

_BYTE_TEXT = [chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02x}" for b in range(256)]
_BYTE_HEX = [f"\\x{b:02x}" for b in range(256)]


def buffer_text(raw: bytes) -> str:
    """Printable ASCII as it is, the rest as ``\\xNN``; a backslash is not escaped (as in bpftrace)."""
    return "".join([_BYTE_TEXT[b] for b in raw])


def buffer_hex(raw: bytes) -> str:
    """``\\x61\\x62``"""
    return "".join([_BYTE_HEX[b] for b in raw])


def buffer_spaced(raw: bytes) -> str:
    """``61 62``"""
    return raw.hex(" ")


def _same(text: str) -> str:
    return text


def value_text(type: Type | None, value: object, escape: Callable[[str], str] = _same) -> str:
    """`value` as print() shows it; `escape` is applied to strings that programs did not write."""
    kind = value.__class__
    if kind is str:
        return escape(value)  # type: ignore[arg-type]
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return f"{value:#x}" if isinstance(type, Pointer) else str(value)
    if kind is tuple:
        if isinstance(type, Array):
            return f"[{','.join(_elements(type, value, escape, value_text))}]"
        return f"({', '.join(_elements(type, value, escape, value_text))})"
    if isinstance(value, StructValue):
        parts = zip(value.names, _elements(type, value, escape, value_text))
        inner = ", ".join([f".{name} = {text}" for name, text in parts])
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, bytes):
        return buffer_text(value)
    return str(value)


def _elements(
    type: Type | None, value: object, escape: Callable[[str], str], write: Callable[..., str]
) -> list[str]:
    assert isinstance(value, tuple)
    types: Iterable[Type | None] = (None,) * len(value)
    if isinstance(type, Tuple):
        types = type.elements
    elif isinstance(type, Array):
        types = (type.element,) * len(value)
    elif isinstance(type, Struct):
        types = [field.type for field in type.fields.values()]
    return [write(t, v, escape) for t, v in zip(types, value)]


def key_text(type: Type | None, key: object, escape: Callable[[str], str] = _same) -> str:
    """A key as it stands between the brackets: several keys without parentheses."""
    if key.__class__ is tuple and not isinstance(type, Array):
        return ", ".join(_elements(type, key, escape, value_text))
    return value_text(type, key, escape)


def _json_key_part(type: Type | None, value: object, escape: Callable[[str], str] = _same) -> str:
    if value.__class__ is tuple:
        opening, closing = "[]" if isinstance(type, Array) else "()"
        return f"{opening}{','.join(_elements(type, value, escape, _json_key_part))}{closing}"
    if isinstance(value, StructValue):
        parts = zip(value.names, _elements(type, value, escape, _json_key_part))
        return f"{{{','.join([f'.{name}={text}' for name, text in parts])}}}"
    if isinstance(type, Symbolic) and type.kind in STACK_KINDS:
        return stack_key(str(value))
    return value_text(type, value, escape)


def json_key(type: Type | None, key: object) -> str:
    """A key as JSON has it: one string, parts separated by commas."""
    if key.__class__ is tuple and not isinstance(type, Array):
        return ",".join(_elements(type, key, _same, _json_key_part))
    return _json_key_part(type, key)


def default_value(type: Type) -> object:
    """What a map without keys reads as before it is assigned."""
    from kernscope.output.structured import record_class, stored_reader
    from kernscope.types import Bool, Buffer, String

    if isinstance(type, Struct | Array):
        return stored_reader(type)(bytes(type.size))
    if isinstance(type, NamedTuple):
        return record_class(type.names)(default_value(element) for element in type.elements)
    if isinstance(type, Tuple):
        return tuple(default_value(element) for element in type.elements)
    if isinstance(type, Bool):
        return False
    if isinstance(type, String | Symbolic):
        return ""
    if isinstance(type, Buffer):
        return b""
    return 0

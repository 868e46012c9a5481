"""The names of types that declarations, casts and `sizeof` may use."""

from kernscope.syntax.ast import TypeExpr
from kernscope.types import (
    BOOL,
    INT8,
    INT16,
    INT32,
    INT64,
    NONE,
    UINT8,
    UINT16,
    UINT32,
    UINT64,
    Buffer,
    String,
    Type,
)

__all__ = ["is_sized_by_value", "named_type"]

_NAMES: dict[str, Type] = {
    "bool": BOOL,
    "int8": INT8,
    "int16": INT16,
    "int32": INT32,
    "int64": INT64,
    "uint8": UINT8,
    "uint16": UINT16,
    "uint32": UINT32,
    "uint64": UINT64,
    "int8_t": INT8,
    "int16_t": INT16,
    "int32_t": INT32,
    "int64_t": INT64,
    "uint8_t": UINT8,
    "uint16_t": UINT16,
    "uint32_t": UINT32,
    "uint64_t": UINT64,
    "u8": UINT8,
    "u16": UINT16,
    "u32": UINT32,
    "u64": UINT64,
    "s8": INT8,
    "s16": INT16,
    "s32": INT32,
    "s64": INT64,
    "__u8": UINT8,
    "__u16": UINT16,
    "__u32": UINT32,
    "__u64": UINT64,
    "__s8": INT8,
    "__s16": INT16,
    "__s32": INT32,
    "__s64": INT64,
    "_Bool": BOOL,
    "void": NONE,
    "size_t": UINT64,
    "ssize_t": INT64,
    "uintptr_t": UINT64,
    "intptr_t": INT64,
}

_C_WORDS = frozenset(("char", "short", "int", "long", "signed", "unsigned"))
_C_PAIRS = {8: (INT8, UINT8), 16: (INT16, UINT16), 32: (INT32, UINT32), 64: (INT64, UINT64)}


def _c_integer(name: str) -> Type | None:
    """`unsigned long int` and the like, in any order of the words (LP64)."""
    words = name.split()
    if not words or any(word not in _C_WORDS for word in words):
        return None
    bits = 8 if "char" in words else 16 if "short" in words else 64 if "long" in words else 32
    return _C_PAIRS[bits]["unsigned" in words]


def named_type(node: TypeExpr) -> Type | None:
    """The type a node names, or None where it is one that cannot be used yet."""
    if node.tag or node.pointers or node.body is not None:
        return None
    if node.name in ("string", "buffer") and len(node.dims) == 1 and node.dims[0]:
        return String(node.dims[0]) if node.name == "string" else Buffer(node.dims[0])
    return None if node.dims else _NAMES.get(node.name) or _c_integer(node.name)


def is_sized_by_value(node: TypeExpr) -> bool:
    """Whether the declaration leaves the size to the values: `string` without a number."""
    return node.name == "string" and not (node.dims or node.pointers or node.tag)

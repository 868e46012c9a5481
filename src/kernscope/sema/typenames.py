"""The names of types that declarations, casts and `sizeof` may use."""

from kernscope.syntax.ast import TypeExpr
from kernscope.types import (
    BOOL,
    INT8,
    INT16,
    INT32,
    INT64,
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
    "char": INT8,
    "short": INT16,
    "int": INT32,
    "long": INT64,
    "unsigned int": UINT32,
    "unsigned long": UINT64,
    "size_t": UINT64,
}


def named_type(node: TypeExpr) -> Type | None:
    """The type a node names, or None where it is one that cannot be used yet."""
    if node.tag or node.pointers or node.body is not None:
        return None
    if node.name in ("string", "buffer") and len(node.dims) == 1 and node.dims[0]:
        return String(node.dims[0]) if node.name == "string" else Buffer(node.dims[0])
    return None if node.dims else _NAMES.get(node.name)


def is_sized_by_value(node: TypeExpr) -> bool:
    """Whether the declaration leaves the size to the values: `string` without a number."""
    return node.name == "string" and not (node.dims or node.pointers or node.tag)

"""Rules about types alone: promotion, joining, conversion."""

from kernscope.types import (
    INT64,
    NONE,
    UINT64,
    Aggregate,
    Bool,
    Buffer,
    Enum,
    Integer,
    NamedTuple,
    Pointer,
    String,
    Symbolic,
    Tuple,
    Type,
)

__all__ = ["arithmetic", "is_number", "is_scalar", "join", "stored"]


def is_number(t: Type) -> bool:
    """Whether arithmetic is possible."""
    return isinstance(t, Integer | Bool)


def is_scalar(t: Type) -> bool:
    """Whether a value fits a register; all others are kept in memory and handled by address."""
    return isinstance(t, Integer | Bool | Pointer) or (isinstance(t, Symbolic) and t.words == 1)


def arithmetic(left: Type, right: Type, left_constant: int | None, right_constant: int | None) -> Integer:
    """The type in which two numbers meet: 64 bits wide, unsigned if neither can be negative by its type.

    A constant that is not negative fits either sign.
    """
    for t, constant in ((left, left_constant), (right, right_constant)):
        if isinstance(t, Integer) and t.signed and (constant is None or constant < 0):
            return INT64
    if left_constant is not None and right_constant is not None:
        both = (left, right)
        return UINT64 if UINT64 in both else INT64
    return UINT64


def join(a: Type, b: Type) -> Type | None:
    """The smallest type that holds values of both, or None where there is none."""
    if a == b:
        return a
    if isinstance(a, Enum) and isinstance(b, Enum) and a.name == b.name:
        return a if a.bits >= b.bits else b
    if isinstance(a, Integer) and isinstance(b, Integer):
        if isinstance(a, Enum) or isinstance(b, Enum):
            a, b = (Integer(t.bits, t.signed) for t in (a, b))
            if a == b:
                return a
        if a.signed == b.signed:
            return a if a.bits >= b.bits else b
        signed, unsigned = (a, b) if a.signed else (b, a)
        return Integer(max(signed.bits, min(64, unsigned.bits * 2)), True)
    if isinstance(a, Bool | Integer) and isinstance(b, Bool | Integer):
        return a if isinstance(a, Integer) else b
    if isinstance(a, String) and isinstance(b, String):
        return a if a.size >= b.size else b
    if isinstance(a, Buffer) and isinstance(b, Buffer):
        return a if a.capacity >= b.capacity else b
    if isinstance(a, Pointer) and isinstance(b, Pointer):
        if a.target == b.target or b.target == NONE:
            return a
        return b if a.target == NONE else None
    if isinstance(a, Pointer) and isinstance(b, Integer):
        return a
    if isinstance(a, Integer) and isinstance(b, Pointer):
        return b
    if isinstance(a, NamedTuple) and isinstance(b, NamedTuple) and a.names != b.names:
        return None
    if (
        isinstance(a, Tuple)
        and type(a) is type(b)
        and isinstance(b, Tuple)
        and len(a.elements) == len(b.elements)
    ):
        elements = [join(x, y) for x, y in zip(a.elements, b.elements)]
        if all(element is not None for element in elements):
            return a.rebuilt(tuple(element for element in elements if element is not None))
    return None


def stored(t: Type) -> Type:
    """The type in which a map keeps a value: integers take 64 bits, also inside tuples.

    Smaller unsigned integers become signed 64-bit ones, which hold all their values.
    """
    if isinstance(t, Enum):
        return t.with_bits(64)
    if isinstance(t, Integer):
        return UINT64 if t == UINT64 else INT64
    if isinstance(t, Tuple):
        return t.rebuilt(tuple(stored(element) for element in t.elements))
    if isinstance(t, Aggregate):
        return t
    return t

"""Bytes to Python values. No I/O; one compiled function per layout.

Integer and Pointer become int, Bool bool, String str (bytes that are not UTF-8 as lone surrogates, so that
`value.encode("utf-8", "surrogateescape")` gives them back), Buffer bytes, Tuple tuple, Symbolic the text
that `kernscope.output.symbolic` makes of it.
"""

from __future__ import annotations

from kernscope.bundle import EVENT_HEADER_BYTES
from kernscope.output.layout import record_source, stored_source, value_expression
from kernscope.output.symbolic import SymbolFacts
from kernscope.types import Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["record_decoder", "stored_decoder"]

_NO_FACTS = SymbolFacts()


def record_decoder(
    types: tuple[Type, ...], facts: SymbolFacts = _NO_FACTS, header_bytes: int = EVENT_HEADER_BYTES
) -> Callable[[bytes], tuple[object, ...]]:
    """A function from a whole record (header included) to the tuple of its values."""
    source = record_source(types, header_bytes, facts)
    leaves = source.leaves[::-1]
    return source.function("(" + "".join(value_expression(source, t, leaves) + ", " for t in types) + ")")


def stored_decoder(type: Type, facts: SymbolFacts = _NO_FACTS) -> Callable[[bytes], object]:
    """A function from a map key or value (`type.size` bytes) to its Python value."""
    source = stored_source(type, facts)
    return source.function(value_expression(source, type, source.leaves[::-1]))

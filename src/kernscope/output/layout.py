"""Python source for reading values out of bytes: one `struct` for all fixed parts, one expression per value.

Records and stored values (map keys and values) are decoded by functions that are put together here as text
and compiled once, when first needed: a record costs one call, one `unpack_from` and no loop over its
fields. The text is made of our own templates and numbers only; names and strings of the program reach it as
objects in `env`.
"""

from __future__ import annotations

from struct import Struct as Packing

from kernscope.bundle import RecordLayout, in_tail
from kernscope.output.structured import enum_reader, record_class, stored_reader
from kernscope.output.symbolic import RESOLVERS, SymbolFacts
from kernscope.types import (
    Aggregate,
    Array,
    Bool,
    Buffer,
    Enum,
    Integer,
    NamedTuple,
    Pointer,
    String,
    Struct,
    Symbolic,
    Tuple,
    Type,
    stored_leaves,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Leaf", "Source", "record_source", "stored_source", "value_expression"]

_INTEGER_CODES = {1: "bB", 2: "hH", 4: "iI", 8: "qQ"}


class Leaf:
    """One part that is not a tuple: `expression` gives its Python value, `names` the variables it
    is made of: unpacked numbers, or the raw bytes of a string or buffer."""

    __slots__ = ("expression", "names", "type")

    def __init__(self, type: Type, names: tuple[str, ...], expression: str) -> None:
        self.type, self.names, self.expression = type, names, expression


class Source:
    """A function in the making: `lines` of its body, the objects it names (`env`), its `leaves` in order."""

    __slots__ = ("_resolvers", "env", "facts", "leaves", "lines")

    def __init__(self, facts: SymbolFacts) -> None:
        self.facts = facts
        self.lines: list[str] = []
        self.env: dict[str, object] = {}
        self.leaves: list[Leaf] = []
        self._resolvers: dict[str, str] = {}

    def name(self, value: object, stem: str = "k") -> str:
        """A variable of the function's environment that holds `value`."""
        name = f"{stem}{len(self.env)}"
        self.env[name] = value
        return name

    def resolver(self, kind: str) -> str:
        """The variable that holds the resolver of a symbolic kind."""
        name = self._resolvers.get(kind)
        if name is None:
            name = self._resolvers[kind] = self.name(RESOLVERS[kind](self.facts), "resolve")
        return name

    def function(self, result: str, extra: tuple[str, ...] = ()) -> Callable[[bytes], Any]:
        """`f(data)`: the lines, then `result`."""
        body = "\n ".join([*self.lines, *extra, f"return {result}"])
        scope = dict(self.env)
        exec(f"def decode(data):\n {body}", scope)
        return scope["decode"]  # type: ignore[return-value]


def _code(type: Type) -> str:
    """The struct code of a leaf's fixed part."""
    if isinstance(type, Integer):
        return _INTEGER_CODES[type.size][not type.signed]
    if isinstance(type, Bool):
        return "?"
    if isinstance(type, Symbolic):
        return f"{type.words}Q"
    if isinstance(type, Pointer):
        return "Q"
    return f"{type.size}s"


def _unpack(
    source: Source, parts: list[tuple[int, str, int, int]], size: int, start: int
) -> list[tuple[str, ...]]:
    """Emit the one unpack of `(offset, code, bytes, variables)` parts; the variables' names per part."""
    format, end = "=", 0
    names: list[tuple[str, ...]] = []
    flat: list[str] = []
    for offset, code, width, count in parts:
        if offset > end:
            format += f"{offset - end}x"
        format += code
        end = offset + width
        group = tuple(f"v{len(flat) + i}" for i in range(count))
        names.append(group)
        flat += group
    if flat:
        unpack = source.name(Packing(format).unpack_from, "unpack")
        targets = ", ".join(flat) + ("," if len(flat) == 1 else "")
        source.lines.append(f"{targets} = {unpack}(data, {start})")
    return names


def _fixed_leaf(source: Source, type: Type, names: tuple[str, ...]) -> Leaf:
    if isinstance(type, Symbolic):
        return Leaf(type, names, f"{source.resolver(type.kind)}({', '.join(names)})")
    if isinstance(type, String):
        raw = _marked(source, type, f'{names[0]}.partition(b"\\0")[0]')
        return Leaf(type, (raw,), _bytes_expression(type, raw))
    if isinstance(type, Struct | Array):
        return Leaf(type, names, f"{source.name(stored_reader(type), 'read')}({names[0]})")
    if isinstance(type, Enum):
        return Leaf(type, names, f"{source.name(enum_reader(type), 'enum')}({names[0]})")
    return Leaf(type, names, names[0])


def record_source(types: tuple[Type, ...], header_bytes: int, facts: SymbolFacts) -> Source:
    """Reads a ring-buffer record whose values have these `types` (see `kernscope.bundle`)."""
    layout = RecordLayout(types)
    source = Source(facts)
    parts = []
    for offset, type in layout.leaves:
        if in_tail(type):
            parts.append((offset, "I", 4, 1))
        else:
            parts.append((offset, _code(type), type.size, type.words if isinstance(type, Symbolic) else 1))
    at = f"{header_bytes + layout.size}"
    for number, ((_, type), names) in enumerate(
        zip(layout.leaves, _unpack(source, parts, layout.size, header_bytes))
    ):
        if not in_tail(type):
            source.leaves.append(_fixed_leaf(source, type, names))
            continue
        source.lines.append(f"t{number} = {at} + {names[0]}")
        source.lines.append(f"b{number} = data[{at}:t{number}]")
        at = f"t{number}"
        raw = _marked(source, type, f"b{number}") if isinstance(type, String) else f"b{number}"
        source.leaves.append(Leaf(type, (raw,), _bytes_expression(type, raw)))
    return source


def _marked(source: Source, type: String, raw: str) -> str:
    """The variable that holds a string's bytes, with the trailer behind them where the string was cut."""
    if not type.trailer:
        return raw
    name = f"s{len(source.leaves)}"
    trailer = source.name(type.trailer.encode("utf-8", "surrogateescape"), "trailer")
    source.lines.append(f"{name} = {raw}")
    source.lines.append(f"if len({name}) >= {type.shown_size}: {name} += {trailer}")
    return name


def stored_source(type: Type, facts: SymbolFacts) -> Source:
    """Reads a map key or value laid out as `type` says."""
    source = Source(facts)
    found = list(stored_leaves(type))
    parts = []
    for offset, leaf in found:
        if isinstance(leaf, Buffer):
            parts.append((offset, f"I{leaf.capacity}s", 4 + leaf.capacity, 2))
        else:
            parts.append((offset, _code(leaf), leaf.size, leaf.words if isinstance(leaf, Symbolic) else 1))
    for (_, leaf), names in zip(found, _unpack(source, parts, type.size, 0)):
        if isinstance(leaf, Buffer):
            raw = f"{names[1]}[:{names[0]}]"
            source.leaves.append(Leaf(leaf, (raw,), raw))
        else:
            source.leaves.append(_fixed_leaf(source, leaf, names))
    return source


def _bytes_expression(type: Type, raw: str) -> str:
    return f'{raw}.decode("utf-8", "surrogateescape")' if isinstance(type, String) else raw


def value_expression(source: Source, type: Type, leaves: list[Leaf]) -> str:
    """The value of `type`, whose parts are taken from the end of `leaves` (pass them reversed)."""
    if isinstance(type, Tuple):
        inner = "".join(value_expression(source, element, leaves) + ", " for element in type.elements)
        if isinstance(type, NamedTuple):
            return f"{source.name(record_class(type.names), 'record')}(({inner}))"
        return f"({inner})"
    if isinstance(type, Aggregate):
        raise TypeError(f"no value expression for {type}")
    return leaves.pop().expression

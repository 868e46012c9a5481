"""Records straight to output lines: one compiled function per record kind, bytes in, bytes out.

This is the hot path of printf and print: for a run of records with an integer and a string, a line costs
one unpack, one slice and one `%`. Strings stay bytes all the way, so that a file or a pipe gets exactly
what the kernel read.
"""

from __future__ import annotations

from kernscope.bundle import EVENT_HEADER_BYTES, Record
from kernscope.output import values
from kernscope.output.layout import Leaf, Source, record_source
from kernscope.output.printf import Conversion, integer_expression, parse_format, python_spec
from kernscope.output.symbolic import SymbolFacts
from kernscope.types import (
    Array,
    Bool,
    Enum,
    Integer,
    NamedTuple,
    Pointer,
    String,
    Struct,
    Symbolic,
    Tuple,
    Type,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Escape = Callable[[bytes], bytes] | None
    Line = Callable[[bytes], bytes]

__all__ = ["join_line", "print_line", "printf_line"]


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _buffer_text(raw: bytes) -> bytes:
    return values.buffer_text(raw).encode()


def _buffer_hex(raw: bytes) -> bytes:
    return values.buffer_hex(raw).encode()


def _buffer_spaced(raw: bytes) -> bytes:
    return values.buffer_spaced(raw).encode()


_BUFFER_WRITERS: dict[str, Callable[[bytes], bytes]] = {
    "r": _buffer_text,
    "rx": _buffer_hex,
    "rh": _buffer_spaced,
}


def _gfp(value: int) -> bytes:
    from kernscope.tables.flags.gfp import gfp_text

    return gfp_text(value).encode()


def _pointer(value: int) -> bytes:
    return b"%#x" % value if value else b"0"


def _alternative_octal(value: int) -> bytes:
    return b"0%o" % value if value else b"0"


def _alternative_hex(value: int) -> bytes:
    return b"%#x" % value if value else b"0"


def _alternative_upper_hex(value: int) -> bytes:
    return b"%#X" % value if value else b"0"


_ALTERNATIVE = {"o": _alternative_octal, "x": _alternative_hex, "X": _alternative_upper_hex}


class _Writer:
    """Collects the `%` format and its argument expressions of one line."""

    __slots__ = ("arguments", "escape", "format", "source")

    def __init__(self, source: Source, escape: Escape) -> None:
        self.source = source
        self.escape = source.name(escape, "escape") if escape else ""
        self.format = ""
        self.arguments: list[str] = []

    def literal(self, text: str) -> None:
        self.format += text.replace("%", "%%")

    def add(self, spec: str, argument: str) -> None:
        self.format += spec
        self.arguments.append(argument)

    def plain(self, type: Type, leaves: list[Leaf]) -> None:
        """A value as print() shows it; its parts are taken from the end of `leaves`."""
        if isinstance(type, NamedTuple):
            for number, (name, element) in enumerate(zip(type.names, type.elements)):
                self.literal(f"{', ' if number else '{ '}.{name} = ")
                self.plain(element, leaves)
            self.literal(" }")
        elif isinstance(type, Tuple):
            for number, element in enumerate(type.elements):
                self.literal(", " if number else "(")
                self.plain(element, leaves)
            self.literal(")" if type.elements else "()")
        elif isinstance(type, Integer) and not isinstance(type, Enum):
            self.add("%d", leaves.pop().names[0])
        elif isinstance(type, Pointer):
            self.add("0x%x", leaves.pop().names[0])
        else:
            self.add("%s", self.text(type, leaves.pop()))

    def text(self, type: Type, leaf: Leaf) -> str:
        """Source of the bytes that %s prints for a value that is not a number."""
        v = leaf.names[0]
        if isinstance(type, String):
            return f"{self.escape}({v})" if self.escape else v
        if isinstance(type, Bool):
            return f'b"true" if {v} else b"false"'
        if isinstance(type, Symbolic):
            return f"{self.source.name(_encode)}({leaf.expression})"
        if isinstance(type, Enum | Struct | Array):
            return f"{self.source.name(self._value_writer(type))}({leaf.expression})"
        return f"{self.source.name(_buffer_text)}({v})"

    def _value_writer(self, type: Type) -> Callable[[object], bytes]:
        """From the value of an enum, struct or array to its text."""
        escape = self.source.env[self.escape] if self.escape else None

        def escaped(text: str) -> str:
            return escape(_encode(text)).decode("utf-8", "surrogateescape")  # type: ignore[operator,no-any-return]

        write = values.value_text if escape is None else lambda t, v: values.value_text(t, v, escaped)
        return lambda value: _encode(write(type, value))

    def conversion(self, c: Conversion, type: Type, leaves: list[Leaf]) -> None:
        if c.letter == "s":
            self._string(c, type, leaves)
            return
        v = leaves.pop().names[0]
        if c.letter in _BUFFER_WRITERS:
            self.add(python_spec(c, "s"), f"{self.source.name(_BUFFER_WRITERS[c.letter])}({v})")
        elif c.letter == "gr":
            self.add(python_spec(c, "s"), f"{self.source.name(_gfp)}({v})")
        elif c.letter == "p":
            number = integer_expression(Conversion(0, 0, "", "", None, "l", "x"), type, v, self.source.name)
            self.add(python_spec(c, "s"), f"{self.source.name(_pointer)}({number})")
        else:
            number = integer_expression(c, type, v, self.source.name)
            if "#" in c.flags and c.letter in _ALTERNATIVE and "0" not in c.flags:
                self.add(python_spec(c, "s"), f"{self.source.name(_ALTERNATIVE[c.letter])}({number})")
            else:
                self.add(python_spec(c, c.letter), number)

    def _string(self, c: Conversion, type: Type, leaves: list[Leaf]) -> None:
        spec = python_spec(c, "s")
        if isinstance(type, Integer | Pointer | Tuple) and not isinstance(type, Enum):
            if spec == "%s":
                self.plain(type, leaves)
                return
            inner = _Writer(self.source, None)
            inner.escape = self.escape
            inner.plain(type, leaves)
            self.add(spec, inner.expression())
        else:
            self.add(spec, self.text(type, leaves.pop()))

    def expression(self) -> str:
        """Source of the whole line."""
        if not self.arguments:
            return self.source.name((_encode(self.format.replace("%%", "%"))), "text")
        format = self.source.name(_encode(self.format), "format")
        return f"{format} % ({', '.join(self.arguments)},)"


def printf_line(
    record: Record, facts: SymbolFacts, escape: Escape, header_bytes: int = EVENT_HEADER_BYTES
) -> Line:
    """printf(): `record.text` is the format."""
    source = record_source(record.types, header_bytes, facts)
    writer = _Writer(source, escape)
    leaves, types = source.leaves[::-1], list(record.types)[::-1]
    for part in parse_format(record.text):
        if isinstance(part, str):
            writer.literal(part)
        else:
            writer.conversion(part, types.pop(), leaves)
    return source.function(writer.expression())


def print_line(
    record: Record, facts: SymbolFacts, escape: Escape, header_bytes: int = EVENT_HEADER_BYTES
) -> Line:
    """print() of a value: the last of the record's values, with a newline."""
    source = record_source(record.types, header_bytes, facts)
    writer = _Writer(source, escape)
    leaves = source.leaves[::-1]
    for type in record.types[:-1]:
        _Writer(source, None).plain(type, leaves)  # takes the key's leaves away
    writer.plain(record.types[-1], leaves)
    writer.literal("\n")
    return source.function(writer.expression())


def join_line(
    record: Record, facts: SymbolFacts, escape: Escape, header_bytes: int = EVENT_HEADER_BYTES
) -> Line:
    """join(): the first of the record's values says how many of the strings there are; `record.text` goes between
    them.
    """
    source = record_source(record.types, header_bytes, facts)
    separator = _encode(record.text)
    parts = ", ".join(leaf.names[0] for leaf in source.leaves)

    def joined(count: int, *strings: bytes) -> bytes:
        return separator.join([escape(s) if escape else s for s in strings[:count]]) + b"\n"

    return source.function(f"{source.name(joined)}({parts})")

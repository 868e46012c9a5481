"""printf's format language: parsing, which types a conversion takes, and its translation to Python's `%`.

A conversion is ``%[flags][width][.precision][length]letter`` as in C, with two differences that bpftrace
makes: arguments have the width of their own type, so without a length modifier a 64-bit value is printed
whole (C would cut it to 32 bits; values that fit into 32 bits look the same either way), and ``%r``,
``%rx``, ``%rh`` print buffers, ``%gr`` the names of page allocator flags. What is not a conversion is text,
as in bpftrace: ``100%`` prints a percent sign.
"""

from __future__ import annotations

from kernscope.types import Bool, Buffer, Integer, Pointer, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Conversion", "accepts", "integer_expression", "is_supported", "parse_format", "python_spec"]

_FLAGS = "-+ 0#"
_LENGTHS = ("hh", "h", "ll", "l", "j", "z", "t", "L")
_LETTERS = "diuxXocpsr"
_FLOATING = "fFeEgGaA"
"""Recognised, so that the checker can say that there are no floating-point values."""


class Conversion:
    """One ``%…`` of a format; `start` and `end` are offsets in the format's text."""

    __slots__ = ("end", "flags", "length", "letter", "precision", "start", "width")

    def __init__(
        self, start: int, end: int, flags: str, width: str, precision: str | None, length: str, letter: str
    ) -> None:
        self.start, self.end = start, end
        self.flags, self.width, self.precision, self.length, self.letter = (
            flags,
            width,
            precision,
            length,
            letter,
        )

    def __repr__(self) -> str:
        precision = "" if self.precision is None else f".{self.precision}"
        return f"%{self.flags}{self.width}{precision}{self.length}{self.letter}"


def parse_format(text: str) -> list[str | Conversion]:
    """Literal text and conversions in order; ``%%`` is the literal ``%``."""
    parts: list[str | Conversion] = []
    literal = ""
    at = 0
    while (percent := text.find("%", at)) >= 0:
        literal += text[at:percent]
        found = _conversion(text, percent)
        if found is None:
            literal += "%"
            at = percent + 1
        elif found.letter == "%":
            literal += "%"
            at = found.end
        else:
            if literal:
                parts.append(literal)
                literal = ""
            parts.append(found)
            at = found.end
    literal += text[at:]
    if literal:
        parts.append(literal)
    return parts


def _span(text: str, at: int, allowed: str) -> int:
    while at < len(text) and text[at] in allowed:
        at += 1
    return at


def _conversion(text: str, start: int) -> Conversion | None:
    flags_end = _span(text, start + 1, _FLAGS)
    width_end = at = _span(text, flags_end, "0123456789")
    precision = None
    if at < len(text) and text[at] == ".":
        at = _span(text, at + 1, "0123456789")
        precision = text[width_end + 1 : at]
    length = next((name for name in _LENGTHS if text.startswith(name, at)), "")
    at += len(length)
    if text.startswith("gr", at):  # the flags of the page allocator, by name
        return Conversion(
            start, at + 2, text[start + 1 : flags_end], text[flags_end:width_end], precision, length, "gr"
        )
    letter = text[at : at + 1]
    if not letter or letter not in _LETTERS + _FLOATING + "%":
        return None
    at += 1
    if letter == "r" and text[at : at + 1] in ("x", "h"):
        letter += text[at]
        at += 1
    return Conversion(
        start, at, text[start + 1 : flags_end], text[flags_end:width_end], precision, length, letter
    )


def is_supported(conversion: Conversion) -> bool:
    """Whether there are values that it can print at all."""
    return conversion.letter not in _FLOATING


def accepts(conversion: Conversion, type: Type) -> bool:
    """Whether `conversion` can print a value of `type`."""
    letter = conversion.letter
    if letter == "s":
        return True
    if letter.startswith("r"):
        return isinstance(type, Buffer)
    return isinstance(type, Integer | Bool | Pointer)


_SIGN32, _SIGN64 = 1 << 31, 1 << 63
_LENGTH_BITS = {"hh": 8, "h": 16}


def _unsigned(value: int) -> int:
    """A negative value as the unsigned one that C prints: of 32 bits if it fits there, else of 64."""
    if value >= 0:
        return value
    return value & 0xFFFFFFFF if value >= -_SIGN32 else value & 0xFFFFFFFFFFFFFFFF


def integer_expression(conversion: Conversion, type: Type, v: str, name: Callable[[object], str]) -> str:
    """Source of the number to print, from the variable `v` of an Integer, Bool or Pointer."""
    bits = type.bits if isinstance(type, Integer) else 8 * type.size
    signed = isinstance(type, Integer) and type.signed
    if conversion.letter == "c":
        return f"{v} & 255"
    cut = _LENGTH_BITS.get(conversion.length)
    if conversion.letter in "di":
        if cut:
            return f"(({v} & {(1 << cut) - 1}) ^ {1 << (cut - 1)}) - {1 << (cut - 1)}"
        if signed or bits < 32 or (bits == 32 and conversion.length):
            return v
        sign = _SIGN64 if bits == 64 else _SIGN32
        return f"({v} ^ {sign}) - {sign}"
    if cut:
        return f"{v} & {(1 << cut) - 1}"
    if not signed:
        return v
    if conversion.length:
        return f"{v} & 0xFFFFFFFFFFFFFFFF"
    return f"{v} & 0xFFFFFFFF" if bits <= 32 else f"{name(_unsigned)}({v})"


def python_spec(conversion: Conversion, letter: str) -> str:
    """The conversion in Python's `%` language, with `letter` in place of its own."""
    flags = conversion.flags
    precision = "" if conversion.precision is None else f".{conversion.precision or '0'}"
    if letter == "s":
        flags = "-" if "-" in flags else ""
    elif letter == "c":
        flags, precision = "-" if "-" in flags else "", ""
    else:
        if precision:
            flags = flags.replace("0", "")  # C ignores it there
        if letter not in "di":
            flags = flags.replace("+", "").replace(" ", "")
    return f"%{flags}{conversion.width}{precision}{letter}"

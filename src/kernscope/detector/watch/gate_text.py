"""Comparisons of texts as the kernel makes them: what is surely so for an operator and its values, and what perhaps."""

from __future__ import annotations

from kernscope.detector.watch.gate_logic import FALSE, TRUE, Match, Truth, all_of, any_of, inverse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["UNKNOWN", "Bounds", "Subject", "both", "bounds", "either", "negated", "text_bounds"]

_GLOB = "*?["


class Bounds:
    """What a condition is in the kernel: true wherever `sure` is, and only where `perhaps` is."""

    __slots__ = ("perhaps", "sure")

    def __init__(self, perhaps: Truth, sure: Truth) -> None:
        self.perhaps, self.sure = perhaps, sure


def bounds(truth: Truth) -> Bounds:
    """Of what the kernel knows exactly."""
    return Bounds(truth, truth)


UNKNOWN = Bounds(TRUE, FALSE)


def either(parts: Sequence[Bounds]) -> Bounds:
    return Bounds(any_of([part.perhaps for part in parts]), any_of([part.sure for part in parts]))


def both(parts: Sequence[Bounds]) -> Bounds:
    return Bounds(all_of([part.perhaps for part in parts]), all_of([part.sure for part in parts]))


def negated(part: Bounds) -> Bounds:
    return Bounds(inverse(part.sure), inverse(part.perhaps))


class Subject:
    """A string of the program: its expression, "" where the field is missing, and what it costs to have it.

    `is_path`: absolute, without `//`, `.`, `..` and a slash at its end.
    """

    __slots__ = ("cost", "expression", "is_path")

    def __init__(self, expression: str, cost: float, *, is_path: bool = False) -> None:
        self.expression, self.cost, self.is_path = expression, cost, is_path

    def present(self) -> Bounds:
        """Whether it is there."""
        return bounds(inverse(self.match("strequals", [""])))

    def match(self, function: str, constants: Sequence[str]) -> Truth:
        """What contains a NUL is in no string of the kernel."""
        constants = [constant for constant in constants if "\0" not in constant]
        return Match(function, self.expression, constants, self.cost) if constants else FALSE


def text_bounds(subject: Subject, operator: str, values: Sequence[str]) -> Bounds:
    """A comparison of the subject; a missing one compares as false."""
    if operator == "!=":
        return both([subject.present(), negated(text_bounds(subject, "=", values))])
    if operator in ("=", "in"):
        return bounds(subject.match("strequals", [value for value in values if value]))
    make = _OPERATORS.get(operator)
    return either([make(subject, value) for value in values]) if make is not None else UNKNOWN


def _by(function: str) -> Callable[[Subject, str], Bounds]:
    def make(subject: Subject, value: str) -> Bounds:
        # Everything begins with nothing, but what is missing.
        return bounds(subject.match(function, [value])) if value else UNKNOWN

    return make


def _glob(subject: Subject, pattern: str) -> Bounds:
    """Exact where a star stands at an end only; else what is before the first and behind the last special character."""
    inner = pattern.strip("*")
    if inner and not any(c in inner for c in _GLOB + "\\"):
        starts, ends = pattern.startswith("*"), pattern.endswith("*")
        function = {(False, False): "strequals", (False, True): "strstarts", (True, False): "strends"}
        return bounds(subject.match(function.get((starts, ends), "strcontains"), [inner]))
    start = _prefix(subject, _until(pattern, _GLOB + "\\"))
    end = _until(pattern[::-1], _GLOB + "]\\")[::-1]
    return both([start, Bounds(subject.match("strends", [end]), FALSE)]) if end else start


def _prefix(subject: Subject, prefix: str) -> Bounds:
    return Bounds(subject.match("strstarts", [prefix]), FALSE) if prefix else UNKNOWN


def _until(text: str, special: str) -> str:
    return text[: next((i for i, c in enumerate(text) if c in special), len(text))]


def _regex(subject: Subject, pattern: str) -> Bounds:
    """What the pattern begins with, as far as that is plain characters."""
    import re
    from re import _constants, _parser  # type: ignore[attr-defined]

    try:
        parsed = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        return UNKNOWN
    if parsed.state.flags & re.IGNORECASE:
        return UNKNOWN
    prefix = ""
    for kind, argument in parsed:
        if kind is _constants.LITERAL:
            prefix += chr(argument)
        elif kind is not _constants.AT or argument is not _constants.AT_BEGINNING:
            break
    return _prefix(subject, prefix)


def _path_prefix(subject: Subject, pattern: str) -> Bounds:
    """Whole components. Of a pattern with globs, the components before them."""
    if not subject.is_path or not pattern.startswith("/"):
        return UNKNOWN
    parts = [part for part in pattern.split("/") if part]
    plain = next((n for n, part in enumerate(parts) if any(c in part for c in _GLOB)), len(parts))
    path = "/" + "/".join(parts[:plain])
    starts = subject.match("strstarts", [path if path == "/" else path + "/"])
    if plain < len(parts):
        return Bounds(starts, FALSE)
    return bounds(any_of([subject.match("strequals", [path]), starts]))


_OPERATORS: dict[str, Callable[[Subject, str], Bounds]] = {
    "startswith": _by("strstarts"),
    "endswith": _by("strends"),
    "contains": _by("strcontains"),
    "glob": _glob,
    "regex": _regex,
    "pmatch": _path_prefix,
}

"""Truth as text of our language: tests, and what is made of them, simplified on the way.

What is printed is short: tests that several parts share are made once, those of one string become one call, and cheap
ones come first.
"""

from __future__ import annotations

from kernscope.syntax.literals import encode_string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["FALSE", "TRUE", "Match", "Test", "Truth", "all_of", "any_of", "inverse", "program_form"]

_SMALL = 8
"""So many parts stand in a row; more are nested by halves, as each `||` of a row is a level for the parser."""


_COSTS = {"strequals": 5.0, "strstarts": 6.0, "strends": 20.0, "strcontains": 200.0}


class Truth:
    """An expression that is true or false. `text` is its print, and what it is known by; `cost` is in nanoseconds."""

    __slots__ = ("cost", "text")

    def __init__(self, text: str, cost: float) -> None:
        self.text, self.cost = text, cost

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Truth) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return self.text


TRUE, FALSE = Truth("1", 0), Truth("0", 0)


class Test(Truth):
    """A comparison, as text."""

    __slots__ = ()


class Match(Truth):
    """A string compared with constants by `function`."""

    __slots__ = ("constants", "function", "subject", "subject_cost")

    def __init__(self, function: str, subject: str, constants: Iterable[str], subject_cost: float) -> None:
        self.function, self.subject, self.subject_cost = function, subject, subject_cost
        self.constants = tuple(sorted(set(constants)))
        listed = ", ".join(map(encode_string, self.constants))
        super().__init__(f"{function}({subject}, {listed})", subject_cost + _COSTS[function])

    def of(self, constants: Iterable[str]) -> Truth:
        """The same with other constants."""
        constants = set(constants)
        return Match(self.function, self.subject, constants, self.subject_cost) if constants else FALSE


class _Inverse(Truth):
    __slots__ = ("part",)

    def __init__(self, part: Truth) -> None:
        self.part = part
        super().__init__(f"!{part.text}" if isinstance(part, Match) else f"!({part.text})", part.cost)


class _Joined(Truth):
    __slots__ = ("parts",)
    sign = ""

    def __init__(self, parts: Sequence[Truth]) -> None:
        self.parts = tuple(sorted(parts, key=lambda part: (part.cost, part.text)))
        super().__init__(
            f"({self.row([part.text for part in self.parts])})", sum(part.cost for part in parts)
        )

    def row(self, texts: Sequence[str]) -> str:
        """The parts' texts, joined."""
        if len(texts) <= _SMALL:
            return f" {self.sign} ".join(texts)
        middle = len(texts) // 2
        return f"({self.row(texts[:middle])}) {self.sign} ({self.row(texts[middle:])})"


class _All(_Joined):
    sign = "&&"


class _Any(_Joined):
    sign = "||"


def inverse(truth: Truth) -> Truth:
    if truth in (TRUE, FALSE):
        return FALSE if truth == TRUE else TRUE
    if isinstance(truth, _Inverse):
        return truth.part
    if isinstance(truth, _Joined):
        return (any_of if isinstance(truth, _All) else all_of)(map(inverse, truth.parts))
    return _Inverse(truth)


def all_of(parts: Iterable[Truth]) -> Truth:
    """True where all are; with no parts it is."""
    found = _flat(parts, _All)
    if FALSE in found or any(inverse(part) in found for part in found if not isinstance(part, _Joined)):
        return FALSE
    found.pop(TRUE, None)
    kept = _without_absorbed(_merged(found, negative=True), _Any)
    if FALSE in kept:
        return FALSE
    return kept[0] if len(kept) == 1 else _All(kept) if kept else TRUE


def any_of(parts: Iterable[Truth]) -> Truth:
    """True where one is; with no parts it is not."""
    found = _flat(parts, _Any)
    if TRUE in found or any(inverse(part) in found for part in found if not isinstance(part, _Joined)):
        return TRUE
    found.pop(FALSE, None)
    kept = _without_absorbed(_merged(found, negative=False), _All)
    return _factored(kept)


def _flat(parts: Iterable[Truth], join: type[_Joined]) -> dict[Truth, None]:
    found: dict[Truth, None] = {}
    for part in parts:
        for inner in part.parts if isinstance(part, join) else (part,):
            found[inner] = None
    return found


def _merged(parts: Iterable[Truth], *, negative: bool) -> list[Truth]:
    """Matches of one string become one: those of an `or`, and the inverse ones of an `and`."""
    kept: list[Truth] = []
    groups: dict[tuple[str, str], list[Match]] = {}
    for part in parts:
        match = part.part if negative and isinstance(part, _Inverse) else part
        if isinstance(match, Match) and negative is (match is not part):
            groups.setdefault((match.function, match.subject), []).append(match)
        else:
            kept.append(part)
    for group in groups.values():
        joined = group[0].of({constant for match in group for constant in match.constants})
        kept.append(_Inverse(joined) if negative else joined)
    return kept


def _without_absorbed(parts: list[Truth], join: type[_Joined]) -> list[Truth]:
    """`a and (a or b)` is `a`; `a or (a and b)` too."""
    simple = {part for part in parts if not isinstance(part, join)}
    return [part for part in parts if not (isinstance(part, join) and simple.intersection(part.parts))]


def _factored(parts: list[Truth]) -> Truth:
    """An `or` in which what several parts share is asked once: `a and b or a and c` is `a and (b or c)`."""
    if len(parts) < 2:
        return parts[0] if parts else FALSE
    counts: dict[Truth, int] = {}
    for part in parts:
        for inner in part.parts if isinstance(part, _All) else (part,):
            counts[inner] = counts.get(inner, 0) + 1
    shared, count = max(counts.items(), key=lambda item: (item[1], -item[0].cost, item[0].text))
    if count < 2:
        return _Any(parts)
    having = [part for part in parts if isinstance(part, _All) and shared in part.parts]
    rest = [part for part in parts if part not in having]
    inner = any_of(
        [all_of([p for p in part.parts if p != shared]) for part in having if isinstance(part, _All)]
    )
    joined = all_of([shared, inner])
    return any_of([joined, *rest]) if rest else joined


_MARKS = {"strequals": "=", "strstarts": "^", "strends": "$"}
_MOST_BITS = 62


def program_form(truth: Truth) -> str:
    """The text for a program: all matches of one string are made at once, behind what is cheap, and are bits then."""
    bits: dict[str, str] = {}
    setup: list[str] = []
    groups: dict[str, dict[Match, None]] = {}
    for match in _matches(truth):
        if match.function in _MARKS:
            groups.setdefault(match.subject, {})[match] = None
    shares = [
        (subject, list(found)[at : at + _MOST_BITS])
        for subject, found in groups.items()
        for at in range(0, len(found), _MOST_BITS)
    ]
    for subject, matches in shares:
        if len(matches) < 2:
            continue
        variable = f"$fits{len(setup)}"
        wanted: dict[str, int] = {}
        for number, match in enumerate(matches, 1):
            # Shifted, as the verifier learns a bit that is tested in its place, and would follow each combination.
            bits[match.text] = f"(({variable} >> {number}) & 1) != 0"
            for constant in match.constants:
                marked = _MARKS[match.function] + constant
                wanted[marked] = wanted.get(marked, 0) | 1 << number
        listed = ", ".join(f"{encode_string(marked)}, {mask}" for marked, mask in wanted.items())
        setup.append(f"{variable} = strmask({subject}, {listed});")
    if not setup:
        return truth.text
    if not isinstance(truth, _Joined):
        return f"{{ {' '.join(setup)} {_printed(truth, bits)} }}"
    cheap = [part for part in truth.parts if not any(match.text in bits for match in _matches(part))]
    rest = [part for part in truth.parts if part not in cheap]
    inner = f"{{ {' '.join(setup)} {truth.row([_printed(part, bits) for part in rest])} }}"
    return f"({truth.row([*(part.text for part in cheap), inner])})"


def _matches(truth: Truth) -> Iterator[Match]:
    if isinstance(truth, Match):
        yield truth
    elif isinstance(truth, _Inverse):
        yield from _matches(truth.part)
    elif isinstance(truth, _Joined):
        for part in truth.parts:
            yield from _matches(part)


def _printed(truth: Truth, bits: dict[str, str]) -> str:
    """With bits in the place of matches."""
    if isinstance(truth, _Inverse):
        return f"!({_printed(truth.part, bits)})"
    if isinstance(truth, _Joined):
        return f"({truth.row([_printed(part, bits) for part in truth.parts])})"
    return bits.get(truth.text, truth.text)

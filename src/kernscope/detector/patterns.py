"""Regular expressions and globs that take time in proportion to the text, whatever the pattern.

Rules come from others and the texts from those who are watched, so a pattern must not explode. Python's own matcher
tries alternatives one after the other; this one follows them all at once (Thompson's construction), and remembers the
sets of states it has seen as the states of an automaton, up to a limit (then it forgets them and goes on).

What RE2 refuses is refused, as it needs memory of what was matched: references back, looking ahead and behind,
atomic groups and possessive repetition, conditions. Not here yet: word boundaries `\\b`. The syntax is read by the
standard library's parser. A pattern matches the whole text, as Falco's does; write `.*` around it for a part.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from re import _constants as _op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

__all__ = ["MOST_STATES", "Pattern", "RefusedPattern", "compile_glob", "compile_regex"]

MOST_STATES = 1000
"""Places in one pattern, repetitions such as `{1,100}` written out."""
_MOST_REMEMBERED = 1000
_MOST_PLACES_REMEMBERED = 50_000
"""Of all states of a pattern together: one with many places remembers fewer states."""
_SKIPPED_FROM = frozenset((8, 16, 32, 48, 64, 96, 128, 192, 256, 512))
"""From how many characters on they are skipped together, and when that is brought up to date."""
_LONGEST_PATTERN = 4096
_DEEPEST = 50

Test = Callable[[str], bool]


class RefusedPattern(ValueError):
    """The pattern is wrong, or cannot be matched in bounded time; the message says why."""


class _State:
    """A set of places: after one character `next`, whether the text may end here.

    Most of a text is passed in states that lead to themselves, as at `.*`: `skip` finds the end of what characters
    that are known to do so make up.
    """

    __slots__ = ("_loops", "accepts", "next", "skip", "tests")

    def __init__(self, tests: list[tuple[Test, int]], accepts: bool) -> None:
        self.tests, self.accepts = tests, accepts
        self.next: dict[str, _State] = {}
        self.skip: re.Pattern[str] | None = None
        self._loops: set[str] = set()

    def add_loop(self, c: str) -> None:
        """This character leads to the same state. What is skipped follows at some of their numbers."""
        self._loops.add(c)
        count = len(self._loops)
        if count in _SKIPPED_FROM:
            self.skip = re.compile(f"[{re.escape(''.join(self._loops))}]*")


class Pattern:
    """A compiled pattern; `matches` says whether it matches the whole of a text."""

    __slots__ = ("_code", "_most", "_start", "_states")

    def __init__(self, code: list[tuple[Any, ...]]) -> None:
        self._code = code
        self._most = min(_MOST_REMEMBERED, max(32, _MOST_PLACES_REMEMBERED // len(code)))
        self._states: dict[frozenset[int], _State] = {}
        self._start = self._state(frozenset((0,)), at_start=True)

    def matches(self, text: str) -> bool:
        state, at, end = self._start, 0, len(text)
        while at < end:
            c = text[at]
            at += 1
            following = state.next.get(c)
            if following is None:
                following = state.next[c] = self._step(state, c)
                if following is state:
                    state.add_loop(c)
            if following is not state:
                if not following.tests and not following.accepts:
                    return False
                state = following
            elif state.skip is not None:
                at = state.skip.match(text, at).end()  # type: ignore[union-attr]
        return state.accepts

    def _step(self, state: _State, c: str) -> _State:
        reached = frozenset([after for test, after in state.tests if test(c)])
        known = self._states.get(reached)
        if known is None:
            if len(self._states) >= self._most:
                # What is reached from the start would keep the forgotten ones alive.
                self._states.clear()
                self._start.next.clear()
            known = self._states[reached] = self._state(reached, at_start=False)
        if len(state.next) >= 256:
            state.next.clear()
        return known

    def _state(self, places: frozenset[int], at_start: bool) -> _State:
        # The places at the end of the text may be more: those behind `$`.
        tests = [
            self._code[p][1:]
            for p in sorted(self._closure(places, at_start, False))
            if self._code[p][0] == "test"
        ]
        accepts = any(self._code[p][0] == "match" for p in self._closure(places, at_start, True))
        return _State([(test, after) for test, after in tests], accepts)

    def _closure(self, places: frozenset[int], at_start: bool, at_end: bool) -> set[int]:
        found: set[int] = set()
        stack = list(places)
        while stack:
            place = stack.pop()
            if place in found:
                continue
            found.add(place)
            kind, *rest = self._code[place]
            if kind == "split":
                stack.extend(rest)
            elif (kind == "start" and at_start) or (kind == "end" and at_end):
                stack.append(rest[0])
        return found


class _Builder:
    """Writes the places of a pattern from its end to its start: each knows what comes behind it."""

    def __init__(self, flags: int) -> None:
        self.code: list[tuple[Any, ...]] = [("split",)]
        self.flags = flags

    def add(self, *place: Any) -> int:
        if len(self.code) >= MOST_STATES:
            raise RefusedPattern(
                f"it has more than {MOST_STATES} places when its repetitions are written out"
            )
        self.code.append(place)
        return len(self.code) - 1

    def sequence(self, items: Any, after: int, flags: int, depth: int) -> int:
        if depth > _DEEPEST:
            raise RefusedPattern(f"more than {_DEEPEST} groups are nested in it")
        for kind, value in reversed(list(items)):
            after = self.item(kind, value, after, flags, depth)
        return after

    def item(self, kind: Any, value: Any, after: int, flags: int, depth: int) -> int:
        if kind in (_op.LITERAL, _op.NOT_LITERAL, _op.ANY, _op.IN):
            return self.add("test", _test(kind, value, flags), after)
        if kind is _op.BRANCH:
            return self.add("split", *[self.sequence(part, after, flags, depth + 1) for part in value[1]])
        if kind is _op.SUBPATTERN:
            _, added, removed, part = value
            return self.sequence(part, after, (flags | added) & ~removed, depth + 1)
        if kind in (_op.MAX_REPEAT, _op.MIN_REPEAT):
            return self.repeat(value, after, flags, depth)
        if kind is _op.AT and value in _STARTS:
            return self.add("start", after)
        if kind is _op.AT and value in _ENDS:
            return self.add("end", after)
        raise RefusedPattern(_REFUSED.get(str(kind), "it has a part that is not supported"))

    def repeat(self, value: Any, after: int, flags: int, depth: int) -> int:
        least, most, part = value
        if most is _op.MAXREPEAT:
            loop = self.add("split")
            inside = self.sequence(part, loop, flags, depth + 1)
            self.code[loop] = ("split", inside, after)
            after = loop
        else:
            end = after
            for _ in range(most - least):
                after = self.add("split", self.sequence(part, after, flags, depth + 1), end)
        for _ in range(least):
            before = len(self.code)
            after = self.sequence(part, after, flags, depth + 1)
            if len(self.code) == before:
                break  # an empty part: once is as good as a million times
        return after


_STARTS = (_op.AT_BEGINNING, _op.AT_BEGINNING_STRING)
_ENDS = (_op.AT_END, _op.AT_END_STRING)
_REFUSED = {
    "GROUPREF": "it refers back to a group, which takes unbounded time",
    "GROUPREF_EXISTS": "it has a condition on a group, which takes unbounded time",
    "ASSERT": "it looks ahead or behind, which takes unbounded time",
    "ASSERT_NOT": "it looks ahead or behind, which takes unbounded time",
    "ATOMIC_GROUP": "it has an atomic group, which needs trying one way after the other",
    "POSSESSIVE_REPEAT": "it has a possessive repetition, which needs trying one way after the other",
    "AT": "it has a word boundary, which is not supported",
}


def _test(kind: Any, value: Any, flags: int) -> Test:
    """Whether one character fits; classes and cases are left to `re`, which has no choice with one character."""
    if kind is _op.LITERAL and not flags & re.IGNORECASE:
        wanted = chr(value)
        return lambda c: c == wanted
    if kind is _op.ANY:
        return (lambda c: True) if flags & re.DOTALL else (lambda c: c != "\n")
    if kind in (_op.LITERAL, _op.NOT_LITERAL):
        folded = chr(value).lower() if flags & re.IGNORECASE else chr(value)
        expected = kind is _op.LITERAL
        fold = bool(flags & re.IGNORECASE)
        return lambda c: ((c.lower() if fold else c) == folded) is expected
    return _class_test(value, flags)


def _range_test(low: str, high: str) -> Test:
    return lambda c: low <= c <= high


def _class_test(items: Any, flags: int) -> Test:
    negated = bool(items) and items[0][0] is _op.NEGATE
    tests: list[Test] = []
    for kind, value in items[1:] if negated else items:
        if kind is _op.LITERAL:
            tests.append(_range_test(chr(value), chr(value)))
        elif kind is _op.RANGE:
            tests.append(_range_test(chr(value[0]), chr(value[1])))
        else:
            tests.append(_CATEGORIES[value])
    fold = bool(flags & re.IGNORECASE)

    def fits(c: str) -> bool:
        found = any(test(c) for test in tests)
        if fold and not found:
            found = any(test(c.lower()) or test(c.upper()) for test in tests)
        return found is not negated

    return fits


# RE2's classes are those of ASCII.
_DIGITS, _SPACES = frozenset("0123456789"), frozenset("\t\n\f\r ")
_WORDS = _DIGITS | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_CATEGORIES: dict[Any, Test] = {
    _op.CATEGORY_DIGIT: lambda c: c in _DIGITS,
    _op.CATEGORY_NOT_DIGIT: lambda c: c not in _DIGITS,
    _op.CATEGORY_SPACE: lambda c: c in _SPACES,
    _op.CATEGORY_NOT_SPACE: lambda c: c not in _SPACES,
    _op.CATEGORY_WORD: lambda c: c in _WORDS,
    _op.CATEGORY_NOT_WORD: lambda c: c not in _WORDS,
}


def compile_regex(text: str, ignore_case: bool = False) -> Pattern:
    """Raises RefusedPattern."""
    if len(text) > _LONGEST_PATTERN:
        raise RefusedPattern(f"it is longer than {_LONGEST_PATTERN} characters")
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # FutureWarning about `[[`: it means what it says
            tree = _parser.parse(text, re.IGNORECASE if ignore_case else 0)
    except re.error as problem:
        where = "" if problem.pos is None else f" at character {problem.pos + 1}"
        raise RefusedPattern(f"{problem.msg}{where}") from None
    except (RecursionError, OverflowError):
        raise RefusedPattern("it is nested too deeply, or repeats too often") from None
    flags = tree.state.flags
    if flags & re.MULTILINE:
        raise RefusedPattern("the flag `m` is not supported")
    builder = _Builder(flags)
    match = builder.add("match")
    builder.code[0] = ("split", builder.sequence(tree, match, flags, 0))
    return Pattern(builder.code)


def compile_glob(text: str, ignore_case: bool = False) -> Pattern:
    """`*`, `?`, `[a-z]`, `[!a-z]`, and a backslash before what means itself; `*` goes beyond `/`, as in fnmatch(3)
    without FNM_PATHNAME. Raises RefusedPattern.
    """
    parts: list[str] = []
    position = 0
    while position < len(text):
        c = text[position]
        position += 1
        if c == "*":
            if parts[-1:] != [".*"]:
                parts.append(".*")
        elif c == "?":
            parts.append(".")
        elif c == "\\" and position < len(text):
            parts.append(re.escape(text[position]))
            position += 1
        elif c == "[" and (end := _bracket_end(text, position)) > 0:
            negated = text[position] in "!^"
            inside = (
                text[position + negated : end].replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
            )
            parts.append(f"[{'^' if negated else ''}{inside.replace('^', chr(92) + '^')}]")
            position = end + 1
        else:
            parts.append(re.escape(c))
    return compile_regex(f"(?s:{''.join(parts)})", ignore_case)


def _bracket_end(text: str, start: int) -> int:
    """The offset of the `]` that ends the class; 0 where there is none (`[` means itself then)."""
    first = start + (text[start : start + 1] in ("!", "^"))
    return max(text.find("]", first + 1), 0)

"""All rules about one type of event as one function: what several rules ask is asked once per event.

The function's text is Python, made of the rules' conditions for that type: what only depends on the type is decided
beforehand, parts that occur again keep their result, common comparisons are written out. All other comparisons are
those of `evaluate`, the reference for what rules mean; where the text is beyond what Python reads, it does all.
"""

from __future__ import annotations

from kernscope.detector.condition_tree import print_operand
from kernscope.detector.conditions import (
    And,
    Call,
    Check,
    Condition,
    Field,
    Items,
    Not,
    Operand,
    Or,
    Reference,
    Word,
    print_condition,
)
from kernscope.detector.evaluate import Event, Predicate, compile_condition, follows_from_others, operand_type
from kernscope.detector.fields import find_field
from kernscope.detector.kept_code import compiled_code
from kernscope.detector.operators import as_number
from kernscope.detector.patterns import RefusedPattern, compile_glob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kernscope.detector.check import CheckedRule

__all__ = ["compile_rules"]

_TEXT_TYPES = ("text", "path", "words", "any")
_KINDS = {"number": "int", "port": "int", "bool": "bool"}
"""Types of fields that are no text → Python's, of a value that can be compared as it is."""
_NEVER, _ALWAYS = "False", "True"
_NUMERIC = ("=", "!=", "<", "<=", ">", ">=")
_JOINED = ("=", "startswith", "endswith", "contains")
_OF_TEXTS = {"tolower": "lower", "toupper": "upper"}
"""Transformers of texts that are a method."""


def compile_rules(rules: Sequence[CheckedRule], event_type: object) -> Callable[[Event], list[CheckedRule]]:
    """A function from an event of `event_type` to the rules that match it, in their order."""
    writer = _Writer(event_type)
    lines = []
    for number, rule in enumerate(rules):
        assert rule.condition is not None
        text = writer.text(rule.condition)
        if text == _NEVER:
            continue
        writer.names[f"r{number}"] = rule
        lines.append(f"    if {text}: found.append(r{number})\n")
    slots = "".join(f"    {name} = N\n" for name in writer.slots)
    source = f"def match(e):\n    get = e.get\n    found = []\n{slots}{''.join(lines)}    return found\n"
    try:
        exec(compiled_code(source), writer.names)
    except (SyntaxError, RecursionError, MemoryError):
        return _by_reference(rules)
    found: Callable[[Event], list[CheckedRule]] = writer.names["match"]  # type: ignore[assignment]
    return found


def _by_reference(rules: Sequence[CheckedRule]) -> Callable[[Event], list[CheckedRule]]:
    return lambda event: [rule for rule in rules if rule.predicate is not None and rule.predicate(event)]


class _Nothing:
    """A value that no event has: not asked yet."""


class _Later:
    """The reference for a comparison, made when it is first asked: most are written out, and never ask."""

    __slots__ = ("_node", "_predicate")

    def __init__(self, node: Check) -> None:
        self._node = node
        self._predicate: Predicate | None = None

    def __call__(self, event: Event) -> bool:
        if self._predicate is None:
            self._predicate = compile_condition(self._node, [])
        return self._predicate(event)


class _Writer:
    """Writes conditions as expressions; `names` is what they need besides, `slots` are variables of the function."""

    def __init__(self, event_type: object) -> None:
        self._type = event_type
        self.names: dict[str, object] = {"N": _Nothing()}
        self.slots: list[str] = []
        self._texts: dict[int, str] = {}
        self._once_texts: dict[str, str] = {}
        self._kept: list[Condition] = []

    def text(self, node: Condition) -> str:
        found = self._texts.get(id(node))
        if found is None:
            found = self._texts[id(node)] = self._write(node)
            self._kept.append(node)  # so that its id stays its own
        return found

    def _write(self, node: Condition) -> str:
        match node:
            case And() | Or():
                return self._joined(node)
            case Not():
                part = self.text(node.part)
                known = {_NEVER: _ALWAYS, _ALWAYS: _NEVER}.get(part)
                return known if known is not None else f"(not {part})"
            case Check():
                return self._check(node)
        raise AssertionError("macros are expanded before")

    def _joined(self, node: And | Or) -> str:
        ends, neutral = (_NEVER, _ALWAYS) if isinstance(node, And) else (_ALWAYS, _NEVER)
        parts = []
        grouped = self._grouped(node) if isinstance(node, Or) else []
        together = {id(check) for checks in grouped for check in checks}
        for checks in grouped:
            parts.append(self._any_of(checks))
        for part in node.parts:
            if id(part) in together:
                continue
            text = self.text(part)
            if text == ends:
                return ends
            if text != neutral:
                parts.append(text)
        if len(parts) < 2:
            return parts[0] if parts else neutral
        word = " and " if isinstance(node, And) else " or "
        joined = f"({word.join(parts)})"
        return self._once(joined, lambda: joined)

    def _grouped(self, node: Or) -> list[list[Check]]:
        """Comparisons of the same text with several words each: the text is asked for once, and some are one call."""
        found: dict[str, list[Check]] = {}
        for part in node.parts:
            if isinstance(part, Check) and part.operator in _JOINED and isinstance(part.value, Word):
                found.setdefault(print_operand(part.operand), []).append(part)
        return [checks for checks in found.values() if len(checks) > 1 and self._value(checks[0].operand)]

    def _any_of(self, checks: list[Check]) -> str:
        key = " or ".join(map(print_condition, checks))
        return self._once(key, lambda: self._any_text(checks))

    def _any_text(self, checks: list[Check]) -> str:
        words: dict[str, list[str]] = {}
        for check in checks:
            assert isinstance(check.value, Word)
            words.setdefault(check.operator, []).append(check.value.value)
        tests = []
        for operator, values in words.items():
            if operator == "contains":
                tests += [f"{self._name('c', value)} in x" for value in values]
            elif operator == "=":
                tests.append(f"x in {self._name('c', frozenset(values))}")
            else:
                tests.append(f"x.{operator}({self._name('c', tuple(values))})")
        predicates = tuple(_Later(check) for check in checks)
        reference = f"any(k(e) for k in {self._name('k', predicates)})"
        value = self._value(checks[0].operand)
        return _chosen(f"({' or '.join(tests)})", value, checks[0].operand, reference)

    def _check(self, node: Check) -> str:
        if _asks_type(node):
            return _ALWAYS if compile_condition(node, [])({"evt.type": self._type}) else _NEVER
        return self._once(print_condition(node), lambda: self._comparison(node))

    def _once(self, key: str, text: Callable[[], str]) -> str:
        """Asked at most once per event. Each use names the same variable, so that equal parts share it."""
        known = self._once_texts.get(key)
        if known is None:
            written = text()
            slot = f"v{len(self.slots)}"
            self.slots.append(slot)
            known = self._once_texts[key] = f"({slot} if {slot} is not N else ({slot} := {written}))"
        return known

    def _name(self, prefix: str, value: object) -> str:
        name = f"{prefix}{len(self.names)}"
        self.names[name] = value
        return name

    def _comparison(self, node: Check) -> str:
        reference = f"{self._name('k', _Later(node))}(e)"
        written = self._written(node)
        return written.replace("REFERENCE", reference) if written else reference

    def _written(self, node: Check) -> str:
        """A comparison written out for a value of the field's own type; any other goes to the reference."""
        if isinstance(node.value, Reference):
            return self._same(node, node.value.operand)
        if isinstance(node.value, Word):
            words = [node.value.value]
        elif isinstance(node.value, Items):
            words = [word.value for word in node.value.words]
        else:
            return ""
        kind = _KINDS.get(operand_type(node.operand))
        if kind is not None:
            write = self._truth_test if kind == "bool" else self._number_test
            test = write(node.operator, words)
            value = self._plain(node.operand) if test else ""
            return value and _chosen(test, value, node.operand, "REFERENCE", kind)
        test = self._test(node.operator, words)
        value = self._value(node.operand) if test else ""
        return value and _chosen(test, value, node.operand, "REFERENCE")

    def _same(self, node: Check, other: Operand) -> str:
        """Whether two texts are the same."""
        left, right = self._value(node.operand), self._value(other)
        if node.operator != "=" or not left or not right:
            return ""
        both = f"(x := {left}).__class__ is str and (y := {right}).__class__ is str"
        return f"(x == y if {both} else REFERENCE)"

    def _number_test(self, operator: str, words: list[str]) -> str:
        numbers = [as_number(word) for word in words]
        if any(number.__class__ is not int for number in numbers):
            return ""
        if operator == "in":
            return f"x in {self._name('c', frozenset(numbers))}"
        return f"x {'==' if operator == '=' else operator} {numbers[0]}" if operator in _NUMERIC else ""

    def _truth_test(self, operator: str, words: list[str]) -> str:
        truth = {"true": "x", "false": "not x"}.get(words[0].lower(), "")
        return truth if operator == "=" and len(words) == 1 else ""

    def _plain(self, operand: Operand) -> str:
        """The value of a field, of whatever type; asked for once. Empty where it is not found by one name."""
        if isinstance(operand, Call) or not _is_plain(operand):
            return ""
        return self._once(f"value {operand.key}", lambda: f"get({operand.key!r})")

    def _value(self, operand: Operand) -> str:
        """A field's value, or what a transformer makes of it where it is a text; asked for once. Empty where that
        is up to the reference.
        """
        if isinstance(operand, Call):
            inner = operand.operand
            if operand.name not in _OF_TEXTS or not isinstance(inner, Field):
                return ""
            plain = self._value(inner)
            method = _OF_TEXTS[operand.name]
            return plain and self._once(
                f"value {print_operand(operand)}",
                lambda: f"(y.{method}() if (y := {plain}).__class__ is str else y)",
            )
        return self._plain(operand) if operand_type(operand) in _TEXT_TYPES else ""

    def _test(self, operator: str, words: list[str]) -> str:
        match operator:
            case "=":
                return f"x == {self._name('c', words[0])}"
            case "!=":
                return f"x != {self._name('c', words[0])}"
            case "in":
                return f"x in {self._name('c', frozenset(words))}"
            case "startswith" | "endswith":
                return f"x.{operator}({self._name('c', words[0])})"
            case "contains":
                return f"{self._name('c', words[0])} in x"
            case "glob":
                return self._glob(words[0])
            case "pmatch":
                return self._path_prefixes(words)
        return ""

    def _path_prefixes(self, words: list[str]) -> str:
        """Whole components, of a text that has no empty ones."""
        plain = not any(c in word for word in words for c in "*?[")
        if not plain or any("//" in word or not word.rstrip("/") for word in words):
            return ""
        prefixes = tuple(f"{word.rstrip('/')}/" for word in words)
        return f"(REFERENCE if '//' in x else f'{{x}}/'.startswith({self._name('c', prefixes)}))"

    def _glob(self, word: str) -> str:
        start, end = _glob_ends(word)
        if not start and not end:
            return ""
        try:
            pattern = compile_glob(word)
        except RefusedPattern:
            return ""
        ends = [f"x.startswith({self._name('c', start)})"] if start else []
        ends += [f"x.endswith({self._name('c', end)})"] if end else []
        return f"({' and '.join(ends)} and {self._name('g', pattern.matches)}(x))"


def _chosen(test: str, value: str, operand: Operand, reference: str, type: str = "str") -> str:
    """The test where the value is of this type; a missing one compares as false; all else is up to the reference."""
    while isinstance(operand, Call):
        operand = operand.operand
    if not follows_from_others(operand) and not _has_other_names(operand):
        reference = f"(x is not None and {reference})"
    return f"({test} if (x := {value}).__class__ is {type} else {reference})"


def _glob_ends(pattern: str) -> tuple[str, str]:
    """What a text that fits begins and ends with: quicker to look at than the pattern."""
    if any(c in pattern for c in "?[\\"):
        return "", ""
    first, _, rest = pattern.partition("*")
    return first, rest.rpartition("*")[2]


def _is_plain(field: Field) -> bool:
    """Whether an event has the value under the field's own name, and one value at most."""
    entry = find_field(field.name)
    return (
        entry is not None
        and entry.constant is None
        and not (entry.several and field.argument is None)
        and (field.name == entry.name or entry.argument == "dotted")
    )


def _has_other_names(field: Field) -> bool:
    """Whether an event may have the value under another name: `evt.arg.flags` as `evt.arg[flags]`."""
    entry = find_field(field.name)
    return entry is not None and entry.argument == "dotted"


def _asks_type(node: Check) -> bool:
    """Whether the comparison is about nothing but the event's type."""
    operand = node.operand
    return isinstance(operand, Field) and operand.name == "evt.type" and isinstance(node.value, Word | Items)

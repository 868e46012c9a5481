"""All rules about one type of event as one function: what several rules ask is asked once per event.

The function's text is Python, made of the rules' conditions for that type: what only depends on the type is decided
beforehand, parts that occur again keep their result, common comparisons are written out. All other comparisons are
those of `evaluate`, the reference for what rules mean; where the text is beyond what Python reads, it does all.
"""

from __future__ import annotations

from kernscope.detector.conditions import (
    And,
    Check,
    Condition,
    Field,
    Items,
    Not,
    Or,
    Word,
    print_condition,
)
from kernscope.detector.evaluate import Event, Predicate, compile_condition, operand_type
from kernscope.detector.fields import find_field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kernscope.detector.check import CheckedRule

__all__ = ["compile_rules"]

_TEXT_TYPES = ("text", "path", "words")
_NEVER, _ALWAYS = "False", "True"


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
        exec(compile(source, "<rules>", "exec"), writer.names)
    except (SyntaxError, RecursionError, MemoryError):
        return _by_reference(rules)
    found: Callable[[Event], list[CheckedRule]] = writer.names["match"]  # type: ignore[assignment]
    return found


def _by_reference(rules: Sequence[CheckedRule]) -> Callable[[Event], list[CheckedRule]]:
    return lambda event: [rule for rule in rules if rule.predicate is not None and rule.predicate(event)]


class _Nothing:
    """A value that no event has: not asked yet."""


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
        for part in node.parts:
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

    def _check(self, node: Check) -> str:
        if _asks_type(node):
            return _ALWAYS if self._predicate(node)({"evt.type": self._type}) else _NEVER
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

    def _predicate(self, node: Check) -> Predicate:
        return compile_condition(node, [])

    def _name(self, prefix: str, value: object) -> str:
        name = f"{prefix}{len(self.names)}"
        self.names[name] = value
        return name

    def _comparison(self, node: Check) -> str:
        reference = f"{self._name('k', self._predicate(node))}(e)"
        written = self._written(node)
        return written.replace("REFERENCE", reference) if written else reference

    def _written(self, node: Check) -> str:
        """A comparison of a text that is there, written out; what is no text goes to the reference."""
        if not isinstance(node.operand, Field) or not _is_plain(node.operand):
            return ""
        if isinstance(node.value, Word):
            words = [node.value.value]
        elif isinstance(node.value, Items):
            words = [word.value for word in node.value.words]
        else:
            return ""
        if operand_type(node.operand) not in _TEXT_TYPES:
            return ""
        test = self._test(node.operator, words)
        if not test:
            return ""
        key = node.operand.key
        value = self._once(f"value {key}", lambda: f"get({key!r})")
        return f"({test} if (x := {value}).__class__ is str else REFERENCE)"

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
        return ""


def _is_plain(field: Field) -> bool:
    """Whether an event has the value under the field's own name, and one value at most."""
    entry = find_field(field.name)
    return (
        entry is not None
        and entry.constant is None
        and not (entry.several and field.argument is None)
        and entry.argument != "dotted"
        and field.name == entry.name
    )


def _asks_type(node: Check) -> bool:
    """Whether the comparison is about nothing but the event's type."""
    operand = node.operand
    return isinstance(operand, Field) and operand.name == "evt.type" and isinstance(node.value, Word | Items)

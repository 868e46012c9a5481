"""What a condition is on a plain host before any event is seen: true, false, or open, and why it is false.

Fields that a host does not have compare as false, fields that are always the same are compared now, a number is never
below its least, and an event that does not exist does not come.
"""

from __future__ import annotations

from kernscope.detector.conditions import And, Call, Check, Condition, Field, Items, Not, Operand, Or, Word
from kernscope.detector.evaluate import compile_condition
from kernscope.detector.event_types import UNAVAILABLE, known_event_types, named_event_types
from kernscope.detector.fields import FieldEntry, find_field
from kernscope.detector.operators import as_number

__all__ = ["field_of", "fold"]

_Folded = tuple[bool | None, str]
_OPEN: _Folded = (None, "")


def field_of(operand: Operand) -> Field:
    """The field that an operand is about."""
    while isinstance(operand, Call):
        operand = operand.operand
    return operand


def fold(condition: Condition) -> tuple[bool | None, str]:
    """The truth, None where it depends on events, and the reason."""
    seen: dict[int, _Folded] = {}

    def folded(node: Condition) -> _Folded:
        if id(node) not in seen:
            seen[id(node)] = make(node)
        return seen[id(node)]

    def make(node: Condition) -> _Folded:
        match node:
            case Not():
                truth, reason = folded(node.part)
                return (None if truth is None else not truth), reason
            case And() | Or():
                decisive = isinstance(node, Or)
                parts = [folded(part) for part in node.parts]
                for part in parts:
                    if part[0] is decisive:
                        return part
                if all(truth is not None for truth, _ in parts):
                    reasons = dict.fromkeys(reason for _, reason in parts)
                    return (not decisive), "; ".join(reasons)
                return _OPEN
            case Check():
                return _fold_check(node)
        return _OPEN

    return folded(condition)


def _fold_check(node: Check) -> _Folded:
    field = field_of(node.operand)
    entry = find_field(field.name)
    if entry is None:
        return _OPEN
    if entry.missing:
        return False, f"`{field.key}` is missing: {entry.missing}"
    if isinstance(node.value, Word | Items) or node.value is None:
        if entry.constant is not None:
            truth = compile_condition(node, [])({})
            return truth, f"`{field.key}` is always `{entry.constant}` on a plain host"
        types = named_event_types(node)
        if types is not None:
            return _fold_event_types([word.value for word in types])
    if isinstance(node.operand, Field) and isinstance(node.value, Word):
        return _fold_number(entry, node.operator, node.value)
    return _OPEN


def _fold_event_types(wanted: list[str]) -> _Folded:
    if not wanted or any(name in known_event_types() for name in wanted):
        return _OPEN
    reasons = dict.fromkeys(UNAVAILABLE.get(name, f"there is no event `{name}`") for name in wanted)
    return False, "; ".join(reasons)


def _fold_number(entry: FieldEntry, operator: str, word: Word) -> _Folded:
    number = as_number(word.value)
    if entry.least is None or number is None or entry.type != "number":
        return _OPEN
    below = number < entry.least
    if (operator in ("=", "<=") and below) or (operator == "<" and number <= entry.least):
        return False, f"`{entry.name}` is never below {entry.least}"
    return _OPEN

"""Which events a rule can be about: the names that `evt.type` can have here, and those a condition lets through."""

from __future__ import annotations

from functools import cache

from kernscope.detector.conditions import And, Call, Check, Condition, Field, Items, Not, Or, Word
from kernscope.detector.fields import find_field
from kernscope.tables.syscalls import names

__all__ = ["UNAVAILABLE", "known_event_types", "named_event_types", "possible_event_types"]

UNAVAILABLE = {
    "container": "on a plain host no containers are started",
    "pluginevent": "there are no plug-ins",
    "asyncevent": "there are no plug-ins",
    "switch": "changes of the running thread are not recorded",
}
"""Events of Falco that a plain host does not have, and why."""
_OTHERS = ("procexit", "signaldeliver", "umount", "sendfile", "window", "lost")


@cache
def known_event_types() -> frozenset[str]:
    """System calls of all architectures, and events that are none."""
    return frozenset(_OTHERS).union(*(names(machine).values() for machine in ("x86_64", "aarch64")))


def named_event_types(check: Check) -> list[Word] | None:
    """The words that `evt.type` is to be one of; None where the check asks something else."""
    operand = check.operand
    if not isinstance(operand, Field) or operand.name not in ("evt.type", "syscall.type"):
        return None
    if check.operator == "=" and isinstance(check.value, Word):
        return [check.value]
    return check.value.words if check.operator == "in" and isinstance(check.value, Items) else None


def _never(check: Check) -> bool:
    """Whether no event has the field, also none that was recorded elsewhere."""
    operand = check.operand
    while isinstance(operand, Call):
        operand = operand.operand
    entry = find_field(operand.name)
    return entry is not None and entry.never


def possible_event_types(condition: Condition) -> frozenset[str] | None:
    """The event types for which the condition can be true; None for all."""
    seen: dict[int, frozenset[str] | None] = {}

    def possible(node: Condition) -> frozenset[str] | None:
        if id(node) not in seen:
            seen[id(node)] = make(node)
        return seen[id(node)]

    def make(node: Condition) -> frozenset[str] | None:
        match node:
            case And():
                sets = [types for part in node.parts if (types := possible(part)) is not None]
                return frozenset.intersection(*sets) if sets else None
            case Or():
                parts = [possible(part) for part in node.parts]
                return None if None in parts else frozenset[str]().union(*(p for p in parts if p is not None))
            case Not():
                return None
            case Check():
                if _never(node):
                    return frozenset()
                words = named_event_types(node)
                return None if words is None else frozenset(word.value for word in words)
        return None

    return possible(condition)

"""Whether a condition can be true by a process's score alone: such a rule must not alert at a high priority.

A score says that something is unusual, which most unusual things are not attacks. Restrictions of who is meant are no
evidence either: negated parts and the event's type do not count.
"""

from __future__ import annotations

from kernscope.detector.conditions import And, Check, Condition, Not, Or
from kernscope.detector.folding import field_of

__all__ = ["MODEST_PRIORITIES", "by_score_alone"]

MODEST_PRIORITIES = ("notice", "informational", "debug")
_NEUTRAL = ("evt.type", "evt.type.is", "evt.category", "syscall.type", "evt.dir", "evt.source")


def by_score_alone(condition: Condition) -> bool:
    seen: dict[int, str] = {}

    def kind(node: Condition) -> str:
        """What makes it true: `score`, `other`, or "" for nothing that counts."""
        if id(node) not in seen:
            seen[id(node)] = find(node)
        return seen[id(node)]

    def find(node: Condition) -> str:
        match node:
            case And():
                kinds = {kind(part) for part in node.parts}
                return "other" if "other" in kinds else max(kinds)
            case Or():
                kinds = {kind(part) for part in node.parts}
                return "score" if "score" in kinds else ("other" if kinds == {"other"} else "")
            case Not():
                return ""
            case Check():
                name = field_of(node.operand).name
                if name.startswith("anomaly."):
                    return "score"
                return "" if name in _NEUTRAL else "other"
        return ""

    return kind(condition) == "score"

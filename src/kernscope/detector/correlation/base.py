"""What all kinds of correlation share: an event's key, its state, and when an alert is due.

After an alert a key is quiet for a window; what goes on meanwhile is counted, and the next alert tells the sum.
"""

from __future__ import annotations

from kernscope.detector.correlation.by import key_getter, key_text
from kernscope.detector.evaluate import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kernscope.detector.correlation.by import Key
    from kernscope.detector.correlation.form import CorrelationForm
    from kernscope.detector.correlation.table import KeyTable, Memory

__all__ = ["EVIDENCE_FIELDS", "Correlation", "Evidence"]

EVIDENCE_FIELDS = ("rule.count", "rule.distinct", "rule.steps", "rule.by", "rule.duration")
Evidence = dict[str, object]


class Correlation:
    """What a rule remembers of the events that it matched.

    Attributes:
        form: what the rule says.
        table: the states of keys.
        skipped: events without a key, or without the field whose values are told apart; they do not count.
        evicted: keys that were forgotten since there was no room.
    """

    table: KeyTable[Any]

    def __init__(self, form: CorrelationForm, memory: Memory) -> None:
        self.form, self.memory = form, memory
        self.within_ns = form.within_ns
        self.key_of = key_getter(form.by)
        self.skipped = 0

    @property
    def evicted(self) -> int:
        return self.table.evicted

    def add(self, event: Event, now_ns: int) -> Evidence | None:
        """Count an event that the rule's condition is true for; what an alert is to show, or None where none is due."""
        raise NotImplementedError

    def evidence(self, key: object, count: int, duration_ns: int, *, by: list[Key] | None = None) -> Evidence:
        """What is shown. `by` is what the key is made of, where it is not the rule's own."""
        found: Evidence = {"rule.count": count, "rule.duration": duration_ns}
        by = self.form.by if by is None else by
        if by:
            found["rule.by"] = key_text(by, key)
        return found

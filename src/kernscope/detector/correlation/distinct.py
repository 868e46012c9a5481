"""`distinct`: n different values of a field in a window.

Only the n values that were seen last are kept: that is all it takes to know whether there are n.
"""

from __future__ import annotations

from kernscope.detector.correlation.base import Correlation, Evidence
from kernscope.detector.correlation.by import identity, value_text
from kernscope.detector.correlation.table import KeyState, KeyTable, Memory
from kernscope.detector.evaluate import Event, operand_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.detector.correlation.form import CorrelationForm

__all__ = ["DistinctCorrelation"]

_MOST_SHOWN = 20


class _Values(KeyState):
    """`seen`: values and when each was seen last, in that order; `total`: how many since alerts began, 0 before."""

    __slots__ = ("begin_ns", "seen", "total")

    def __init__(self, now_ns: int) -> None:
        super().__init__(now_ns)
        self.seen: dict[object, int] = {}
        self.total = self.begin_ns = 0


class DistinctCorrelation(Correlation):
    def __init__(self, form: CorrelationForm, memory: Memory) -> None:
        super().__init__(form, memory)
        assert form.field is not None
        self.field = form.field
        self.table = KeyTable(memory, form.within_ns, _Values)

    def add(self, event: Event, now_ns: int) -> Evidence | None:
        key = self.key_of(event)
        value = operand_value(self.field, event)
        values = value if isinstance(value, list) else [value]
        if key is None or value is None or not values:
            self.skipped += 1
            return None
        state, now_ns = self.table.get(key, now_ns)
        added = sum(self._see(state, identity(one), now_ns) for one in values)
        due = self._due(state, added, now_ns)
        self.table.holds(state, len(state.seen))
        if not due:
            return None
        found = self.evidence(key, state.total, now_ns - state.begin_ns)
        found["rule.distinct"] = [value_text(value) for value in [*state.seen][-_MOST_SHOWN:]]
        return found

    def _see(self, state: _Values, value: object, now_ns: int) -> bool:
        """Whether the value is new."""
        seen = state.seen
        new = seen.pop(value, None) is None
        seen[value] = now_ns
        oldest, count = now_ns - self.within_ns, self.form.count
        while len(seen) > count or next(iter(seen.values())) < oldest:
            del seen[next(iter(seen))]
        return new

    def _due(self, state: _Values, added: int, now_ns: int) -> bool:
        enough = len(state.seen) >= self.form.count
        if state.total:
            if not enough and now_ns >= state.quiet_until_ns:
                state.total = 0
                return False
            state.total += added
        elif enough:
            state.total, state.begin_ns = len(state.seen), next(iter(state.seen.values()))
        if not enough or now_ns < state.quiet_until_ns:
            return False
        state.quiet_until_ns = now_ns + self.within_ns
        return True

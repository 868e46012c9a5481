"""`count: n`: n matches in a window."""

from __future__ import annotations

from kernscope.detector.correlation.base import Correlation, Evidence
from kernscope.detector.correlation.table import KeyState, KeyTable, Memory
from kernscope.detector.evaluate import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.detector.correlation.form import CorrelationForm

__all__ = ["MOST_TIMES", "CountCorrelation"]

MOST_TIMES = 1024
"""Up to this many matches every time is kept; above, times are rounded down to this fraction of the window."""


class _Matches(KeyState):
    """`times` and how many matches at each; `inside`: their sum; `total`: matches since alerts began, 0 before."""

    __slots__ = ("begin_ns", "inside", "numbers", "times", "total")

    def __init__(self, now_ns: int) -> None:
        super().__init__(now_ns)
        self.times: list[int] = []
        self.numbers: list[int] = []
        self.inside = self.total = self.begin_ns = 0


class CountCorrelation(Correlation):
    def __init__(self, form: CorrelationForm, memory: Memory) -> None:
        super().__init__(form, memory)
        self.table = KeyTable(memory, form.within_ns, _Matches)
        self.step_ns = 1 if form.count <= MOST_TIMES else max(form.within_ns // MOST_TIMES, 1)

    def add(self, event: Event, now_ns: int) -> Evidence | None:
        key = self.key_of(event)
        if key is None:
            self.skipped += 1
            return None
        state, now_ns = self.table.get(key, now_ns)
        self._count(state, now_ns)
        due = self._due(state, now_ns)
        self.table.holds(state, len(state.times))
        return self.evidence(key, state.total, now_ns - state.begin_ns) if due else None

    def _count(self, state: _Matches, now_ns: int) -> None:
        times, numbers = state.times, state.numbers
        time = now_ns - now_ns % self.step_ns
        if times and times[-1] == time:
            numbers[-1] += 1
        else:
            times.append(time)
            numbers.append(1)
        state.inside += 1
        old = 0
        oldest, count = now_ns - self.within_ns, self.form.count
        # What is needed to tell whether there are `count`, and no more.
        while times[old] < oldest or state.inside - numbers[old] >= count:
            state.inside -= numbers[old]
            old += 1
        if old:
            del times[:old], numbers[:old]

    def _due(self, state: _Matches, now_ns: int) -> bool:
        enough = state.inside >= self.form.count
        if state.total:
            if not enough and now_ns >= state.quiet_until_ns:
                state.total = 0
                return False
            state.total += 1
        elif enough:
            state.total, state.begin_ns = state.inside, state.times[0]
        if not enough or now_ns < state.quiet_until_ns:
            return False
        state.quiet_until_ns = now_ns + self.within_ns
        return True

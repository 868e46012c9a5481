"""`sequence`: steps in their order, the last at most a window after the first; other events may lie between.

For each number of steps done, the attempt that began last is kept: if any attempt can be completed in time, that one
can. So a key needs no more than one attempt per step, and no sequence is missed. A step of n matches is n steps.

An event is at most one step of an attempt; of events of the same time, the one that comes first is the earlier.
"""

from __future__ import annotations

from kernscope.detector.correlation.base import Correlation, Evidence
from kernscope.detector.correlation.by import key_getter
from kernscope.detector.correlation.table import KeyState, KeyTable, Memory
from kernscope.detector.evaluate import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.detector.correlation.by import Key
    from kernscope.detector.correlation.form import CorrelationForm, StepForm
    from kernscope.detector.evaluate import Predicate

__all__ = ["SequenceCorrelation"]

_MOST_CHARACTERS = 200
_UNITS = 4
"""Of an attempt, with the steps that it does not share with others."""
_WHAT = ("fs.path.name", "fd.name", "proc.cmdline")


class _Attempt:
    """The last of the steps that are done, and those before it."""

    __slots__ = ("before", "start_ns", "text")

    def __init__(self, before: _Attempt | None, start_ns: int, text: str) -> None:
        self.before, self.start_ns, self.text = before, start_ns, text

    def texts(self) -> list[str]:
        found, step = [], self
        while step is not None:
            found.append(step.text)
            step = step.before  # type: ignore[assignment]
        return found[::-1]


class _Attempts(KeyState):
    """`done[i]`: the attempt with steps 0 to i done that began last."""

    __slots__ = ("done", "total")

    def __init__(self, now_ns: int) -> None:
        super().__init__(now_ns)
        self.done: dict[int, _Attempt] = {}
        self.total = 0


class _Step:
    """Places `first` to `last` of the steps written out."""

    __slots__ = ("by", "first", "key_of", "last", "predicate")

    def __init__(self, predicate: Predicate, by: list[Key], first: int, last: int) -> None:
        self.predicate, self.by, self.first, self.last = predicate, by, first, last
        self.key_of: Callable[[Event], object] = key_getter(by)


class SequenceCorrelation(Correlation):
    def __init__(self, form: CorrelationForm, memory: Memory) -> None:
        super().__init__(form, memory)
        self.table = KeyTable(memory, form.within_ns, _Attempts)
        self.steps: list[_Step] = []
        first = 0
        for step in form.steps:
            self.steps.append(self._step(step, first))
            first += step.count
        self.last = first - 1
        # An event is added to the later steps first, so that it is not two steps of one attempt.
        self.steps.reverse()

    def _step(self, step: StepForm, first: int) -> _Step:
        assert step.predicate is not None
        by = self.form.by if step.by is None else step.by
        return _Step(step.predicate, by, first, first + step.count - 1)

    def add(self, event: Event, now_ns: int) -> Evidence | None:
        text, evidence, known = "", None, False
        for step in self.steps:
            if not step.predicate(event):
                continue
            key = step.key_of(event)
            if key is None:
                continue
            known = True
            if step.first and key not in self.table.states:
                continue  # nothing was begun for it
            text = text or _describe(event, now_ns)
            evidence = self._extend(step, key, now_ns, text) or evidence
        self.skipped += not known
        return evidence

    def _extend(self, step: _Step, key: object, now_ns: int, text: str) -> Evidence | None:
        state, now_ns = self.table.get(key, now_ns)
        done, oldest = state.done, now_ns - self.within_ns
        evidence = None
        for place in range(step.last, step.first - 1, -1):
            attempt = _Attempt(None, now_ns, text)
            if place:
                before = done.get(place - 1)
                if before is None or before.start_ns < oldest:
                    continue
                attempt = _Attempt(before, before.start_ns, text)
            if place == self.last:
                evidence = self._complete(state, step, key, attempt, now_ns)
                break
            known = done.get(place)
            if known is None or attempt.start_ns > known.start_ns:
                done[place] = attempt
        self.table.holds(state, _UNITS * len(done))
        return evidence

    def _complete(
        self, state: _Attempts, step: _Step, key: object, attempt: _Attempt, now_ns: int
    ) -> Evidence | None:
        state.done.clear()
        if now_ns >= state.quiet_until_ns + self.within_ns:
            state.total = 0
        state.total += 1
        if now_ns < state.quiet_until_ns:
            return None
        state.quiet_until_ns = now_ns + self.within_ns
        found = self.evidence(key, state.total, now_ns - attempt.start_ns, by=step.by)
        found["rule.steps"] = attempt.texts()
        return found


def _describe(event: Event, now_ns: int) -> str:
    """`12:00:01.5 openat cat(123) /etc/shadow`, not escaped."""
    time = event.get("evt.time") or f"{now_ns / 1e9:.6f}"
    what = next((value for name in _WHAT if (value := event.get(name))), "")
    who = f"{event.get('proc.name') or '?'}({event.get('proc.pid') or '?'})"
    text = f"{time} {event.get('evt.type') or '?'} {who} {what}"
    return text[:_MOST_CHARACTERS].rstrip()

"""Ladders: which alerts one is about, and its steps, done one after the other."""

from __future__ import annotations

import threading
from collections import OrderedDict
from fnmatch import fnmatchcase
from functools import cache

from kernscope.detector.reactions.base import Context, Refused, Step, StepKind
from kernscope.detector.reactions.limits import RateCap
from kernscope.detector.rules import PRIORITIES
from kernscope.diagnostics import suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kernscope.detector.alert import Alert

__all__ = ["Done", "Ladder", "Match", "Reactions", "kinds", "make_ladder", "make_step"]

_MOST_COUNTED = 10_000


@cache
def kinds() -> dict[str, StepKind]:
    """All kinds of steps by name, in the order of a ladder."""
    from kernscope.detector.reactions.commands import RUN
    from kernscope.detector.reactions.kernel_blocks import BLOCK, DENY
    from kernscope.detector.reactions.signals import KILL, STOP
    from kernscope.detector.reactions.webhooks import webhook_kind

    return {kind.name: kind for kind in (RUN, webhook_kind(), STOP, KILL, DENY, BLOCK)}


class Match:
    """Alerts that a ladder is about: of any of the rules (names, with `*`), with any of the tags, at least that urgent.

    What is not given is not asked.
    """

    __slots__ = ("priority", "rules", "tags")

    def __init__(self, rules: Sequence[str] = (), tags: Sequence[str] = (), priority: str = "") -> None:
        self.rules, self.tags, self.priority = list(rules), list(tags), priority

    def fits(self, alert: Alert) -> bool:
        if self.rules and not any(fnmatchcase(alert.rule, pattern) for pattern in self.rules):
            return False
        if self.tags and not any(fnmatchcase(tag, t) for tag in alert.tags for t in self.tags):
            return False
        return not self.priority or PRIORITIES.index(alert.priority) <= PRIORITIES.index(self.priority)


class _Rung:
    """A step of a ladder; `after`: from the how manieth alert of a rule in an incident on."""

    __slots__ = ("after", "kind", "step")

    def __init__(self, kind: StepKind, step: Step, after: int) -> None:
        self.kind, self.step, self.after = kind, step, after


class Ladder:
    __slots__ = ("match", "name", "rungs")

    def __init__(self, name: str, match: Match, rungs: list[_Rung]) -> None:
        self.name, self.match, self.rungs = name, match, rungs


class Done:
    """What became of a step: `done`, `would` (dry run, or not allowed), `refused`, `failed`; and a sentence."""

    __slots__ = ("kind", "state", "text")

    def __init__(self, kind: str, state: str, text: str) -> None:
        self.kind, self.state, self.text = kind, state, text


def make_step(name: str, given: Mapping[str, object], context: Context) -> tuple[StepKind, Step]:
    """A step from its settings. Raises ValueError with a message for people."""
    kind = kinds().get(name)
    if kind is None:
        near = suggest(name, kinds())
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(kinds())}"
        raise ValueError(f"there is no reaction `{name}`; {hint}")
    known = {setting.name: setting for setting in kind.settings}
    for key in given:
        if key not in known:
            near = suggest(key, known)
            hint = f"did you mean `{near}`?" if near else f"it has {', '.join(known) or 'none'}"
            raise ValueError(f"`{name}` has no setting `{key}`; {hint}")
    values: dict[str, object] = {}
    for key, setting in known.items():
        if given.get(key) is None:
            if setting.needed:
                raise ValueError(f"`{name}` needs `{key}`: {setting.doc}")
            values[key] = setting.default
            continue
        try:
            values[key] = setting.read(given[key])
        except ValueError as problem:
            raise ValueError(f"`{key}` {problem}") from None
    return kind, kind.make(values, context)


def make_ladder(
    name: str, match: Match, steps: Sequence[tuple[str, Mapping[str, object], int]], context: Context
) -> Ladder:
    """`steps` are kinds with their settings and `after`. Raises ValueError."""
    return Ladder(
        name,
        match,
        [_Rung(*make_step(kind, settings, context), after) for kind, settings, after in steps],
    )


class Reactions:
    """All ladders. `take` never raises and never waits for long; alerts may come from another thread.

    Attributes:
        counts: how many steps were done, would have been, were refused, failed, by kind and state.
    """

    def __init__(self, ladders: Sequence[Ladder], context: Context, cap: RateCap | None = None) -> None:
        self.ladders, self.context = list(ladders), context
        self.cap = cap if cap is not None else RateCap(10, 60.0)
        self.counts: dict[tuple[str, str], int] = {}
        self._seen: OrderedDict[tuple[str, str, int], int] = OrderedDict()
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Attach what needs programs in the kernel. Raises ValueError, and what `kernscope.run` raises."""
        for ladder in self.ladders:
            for rung in ladder.rungs:
                if not self.context.dry_run and (self.context.enforce or not rung.kind.enforces):
                    rung.step.prepare()

    def take(self, alert: Alert, incident: int, *, repeated: bool = False) -> list[Done]:
        """React to an alert. Alerts about what the detector started itself are left alone, and of repeated ones
        (see `incidents`) nobody is told again.
        """
        with self._lock:
            return self._take(alert, incident, repeated)

    def _take(self, alert: Alert, incident: int, repeated: bool) -> list[Done]:
        if any(process.get("pid") == self.context.protection.own_pid for process in alert.process):
            return []
        found: list[Done] = []
        for ladder in self.ladders:
            if not ladder.match.fits(alert):
                continue
            times = self._count(ladder, alert, incident)
            for rung in ladder.rungs:
                if times >= rung.after and (rung.kind.enforces or not repeated):
                    done = self._do(rung, alert, incident)
                    key = rung.kind.name, done.state
                    self.counts[key] = self.counts.get(key, 0) + 1
                    found.append(done)
        return found

    def _count(self, ladder: Ladder, alert: Alert, incident: int) -> int:
        """How manieth alert of the rule this is in its incident; what was counted longest ago is forgotten first."""
        key = ladder.name, alert.rule, incident
        times = self._seen.pop(key, 0) + 1
        self._seen[key] = times
        if len(self._seen) > _MOST_COUNTED:
            self._seen.popitem(last=False)
        return times

    def _do(self, rung: _Rung, alert: Alert, incident: int) -> Done:
        kind, context = rung.kind, self.context
        try:
            if context.dry_run or (kind.enforces and not context.enforce):
                why = "dry run" if context.dry_run else "needs --enforce"
                return Done(kind.name, "would", f"would {rung.step.would(alert)} ({why})")
            if kind.enforces and not self.cap.take():
                limit = f"{self.cap.count} in {self.cap.seconds:g} s"
                return Done(kind.name, "refused", f"did not {kind.name}: more than {limit}")
            return Done(kind.name, "done", rung.step.act(alert, incident))
        except Refused as reason:
            return Done(kind.name, "refused", f"did not {kind.name}: {reason}")
        except Exception as problem:  # a reaction that fails must not end the watching
            return Done(kind.name, "failed", f"could not {kind.name}: {problem}")

    def tick(self) -> None:
        """About every second."""
        with self._lock:
            self._each("tick")

    def close(self) -> None:
        """Undo what can be undone."""
        with self._lock:
            self._each("close")

    def _each(self, what: str) -> None:
        for ladder in self.ladders:
            for rung in ladder.rungs:
                try:
                    getattr(rung.step, what)()
                except Exception as problem:
                    self.context.tell(f"`{rung.kind.name}`: {problem}")

"""Watching: rules in, a session's records through, alerts out."""

from __future__ import annotations

import os
import time

from kernscope.detector.alert import Alert
from kernscope.detector.check import CheckedRules
from kernscope.detector.engine import Engine
from kernscope.detector.watch.behaviour import EXACT, SAMPLED, Behaviour, usual_baseline, wanted_behaviour
from kernscope.detector.watch.live_event import LiveEvent
from kernscope.detector.watch.processes import ProcessTree
from kernscope.detector.watch.program import plan_of, program_text
from kernscope.detector.watch.records import Records
from kernscope.kernel.process_table import boot_offset_ns, pids, read_process
from kernscope.output.complaints import WarningCollector
from kernscope.output.events import Event, LostEvent, MapEvent, ValueEvent
from kernscope.output.sink import EventSink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    from kernscope.detector.anomaly import Baseline

    class Session(Protocol):
        """What is used of `kernscope.Session`."""

        def start(self) -> object: ...

        def wait(self, timeout: float | None = None) -> bool: ...


__all__ = ["ACTIVE", "Watcher"]

ACTIVE = ("active", "missing-fields")
"""States of rules that are watched for."""
_TICK_S = 1.0


class Watcher:
    """Watches for rules.

    `text` is the program to run, `sink` must be one of its session's sinks. Losses become events of type `lost`, so
    that a rule can be about them.

    Args:
        on_alert: called with each alert, in the thread that drains the session.
        on_event: called with each event, before the rules see it.
        uring: whether this kernel tells what io_uring does (it has `struct io_open`).
        hooks: the security hooks that this kernel lets programs be on (see `noted.hooks_here`).
        baseline: what executables usually do, where rules ask for scores; None for the one of this host.
        learning: learn what is usual into `baseline`; rules only say which events are looked at, and give no alerts.

    Attributes:
        behaviour: what counts for windows and scores; None where no rule asks.
        events, alerts, lost: how many there were so far.
        hooks: the security hooks that note paths, by name.
        notes: what is to be told before watching begins.
        warnings: what else went wrong, in words.
    """

    def __init__(
        self,
        rules: CheckedRules,
        on_alert: Callable[[Alert], None],
        *,
        on_event: Callable[[LiveEvent], None] | None = None,
        uring: bool = False,
        hooks: Iterable[str] = (),
        baseline: Baseline | None = None,
        learning: bool = False,
    ) -> None:
        self.engine = Engine(rules)
        self.engine.rules = [rule for rule in self.engine.rules if rule.state in ACTIVE]
        self.plan = plan_of(self.engine.rules, hooks=hooks)
        self.hooks = [hook.name for hook in self.plan.wanted_hooks(uring=uring)]
        self.behaviour: Behaviour | None = None
        way = EXACT if learning else wanted_behaviour(self.engine.rules)
        self.notes: list[str] = []
        if way:
            if way == EXACT and baseline is None:
                baseline = usual_baseline(self.notes)
                if not baseline.models and not learning:
                    way = SAMPLED  # without anything to compare with, exact counts would only cost
            self.behaviour = Behaviour(way, self.feed, baseline=baseline, learning=learning)
            self.plan.fragments.append(self.behaviour.text)
        self.text = program_text(self.plan, uring=uring, compat=os.uname().machine == "x86_64")
        self.tree = ProcessTree(read_process)
        if learning:
            self.engine.rules = []
        self.records = Records(self.plan, self.tree, boot_offset_ns=boot_offset_ns(), began_ns=time.time_ns())
        if self.behaviour is not None:
            self.behaviour.join(self.records)
        self.sink = EventSink(self._take)
        self.events = self.alerts = self.lost = 0
        self._on_alert, self._on_event = on_alert, on_event
        self._complaints = WarningCollector()
        self._memory = rules.memory

    @property
    def what(self) -> str:
        """What is watched, in words."""
        rules, calls = len(self.engine.rules), len(self.plan.calls)
        hooks = f" with paths by {len(self.hooks)} security hooks (LSM)" if self.hooks else ""
        return f"{rules} rules: {calls} system calls{hooks}, programs that are executed"

    @property
    def warnings(self) -> list[str]:
        return self._complaints.texts() + self._forgotten()

    def _forgotten(self) -> list[str]:
        """What was given up since there was no room for it."""
        found = {"keys of rules that count": self._memory.evicted}
        if self.behaviour is not None:
            found["processes in windows"] = self.behaviour.scorer.windows.forgotten
        return [f"{count:,} {what} found no room" for what, count in found.items() if count]

    def run(
        self,
        session: Session,
        *,
        started: Callable[[], None] | None = None,
        tick: Callable[[], None] | None = None,
    ) -> None:
        """Watch until the session ends. `started` is called when watching has begun, `tick` about every second."""
        session.start()
        # Seeded behind the start: who begins meanwhile has a record, who was there before is read.
        self.tree.seed(pids())
        if started is not None:
            started()
        while not session.wait(_TICK_S if tick is not None else None):
            if tick is not None:
                tick()

    def _take(self, event: Event) -> None:
        if isinstance(event, ValueEvent) and isinstance(event.value, tuple):
            found = self.records.take(event.value)
            if found is not None:
                self.feed(found)
            return
        if isinstance(event, MapEvent):
            if self.behaviour is not None:
                self.behaviour.take_map(event.name, event.mapping)
            return
        self._complaints.take(event)
        if isinstance(event, LostEvent):
            self._tell_lost(event)

    def _tell_lost(self, event: LostEvent) -> None:
        self.lost += event.count
        lost = self.records.event("lost", None, time.clock_gettime_ns(time.CLOCK_BOOTTIME))
        lost.set("watch.lost", event.count)
        self.feed(lost)

    def feed(self, event: LiveEvent) -> None:
        """Show an event to the rules."""
        self.events += 1
        if self.behaviour is not None:
            self.behaviour.observe(event)
        if self._on_event is not None:
            self._on_event(event)
        for alert in self.engine.feed(event):
            self.alerts += 1
            self._on_alert(alert)

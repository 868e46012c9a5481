"""Running a mode: collect until the end, look at what there is meanwhile, and what could not be had."""

from __future__ import annotations

import time

from kernscope.output.complaints import WarningCollector
from kernscope.output.events import Event, ValueEvent
from kernscope.output.sink import EventSink
from kernscope.profiler.modes.base import Mode, Options
from kernscope.profiler.profile import Profile
from kernscope.profiler.stacks import Stacks
from kernscope.tables.unwinding import ROWS_MAP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from kernscope.bundle import Bundle
    from kernscope.output.symbolic import SymbolFacts

    class Session(Protocol):
        """What is used of `kernscope.Session`."""

        facts: SymbolFacts
        bundle: Bundle
        rest_s: float
        stopped_ns: int

        @property
        def maps(self) -> Mapping[str, Mapping[object, object]]: ...

        def start(self) -> object: ...

        def wait(self, timeout: float | None = None) -> bool: ...

        def take_stacks(self) -> None: ...


__all__ = ["Collector", "tell_incomplete", "tell_without_lines"]

_FRAME_POINTERS = (
    "this kernel cannot walk unwind tables (Linux 6.1 and newer can): stacks of processes go by frame pointers, and "
    "lack callers where code keeps none"
)

REST_S = 0.1
"""What comes is handled so often at most: nobody waits for it, and waking up costs most."""
LOOK_SHARE = 0.02
"""Of a processor's time that looking at what there is may take; where there is much, it is done more seldom."""

MOST_RECORDS = 2_000_000
"""Events with their times that are kept: about a gigabyte. A part of a recording has room for as many."""

INCOMPLETE_SHARE = 0.01
"""From this share of incomplete stacks on a note tells of them."""
WITHOUT_LINES_SHARE = 0.05
"""From this share of samples in a file on a note tells that its lines are not known."""


class Collector:
    """Collects a profile from the session of a mode's program, `text`.

    `what` says in words what is profiled. `sink` must be one of the session's.
    """

    def __init__(self, mode: Mode, options: Options, *, what: str = "") -> None:
        self.mode, self.options, self.what = mode, options, what
        self.text = mode.program(options)
        self._complaints = WarningCollector()
        self._records: list[tuple[object, ...]] = []
        self._left_out = 0
        self._texts: dict[str, str] = {}
        self.sink = EventSink(self._take)
        self._stacks: Stacks | None = None
        self._start_ns = self._began = 0

    def _take(self, event: Event) -> None:
        if isinstance(event, ValueEvent) and isinstance(event.value, tuple):
            # Stacks are long and come again and again: each text is kept once.
            if len(self._records) >= MOST_RECORDS:
                self._left_out += 1
                return
            kept = self._texts
            self._records.append(
                tuple(
                    [kept.setdefault(part, part) if isinstance(part, str) else part for part in event.value]
                )
            )
        else:
            self._complaints.take(event)

    @property
    def warnings(self) -> list[str]:
        """What went wrong meanwhile."""
        return self._complaints.texts()

    def run(
        self,
        session: Session,
        *,
        look: Callable[[Profile], None] | None = None,
        tick: Callable[[float], None] | None = None,
        interval_s: float = 1.0,
    ) -> Profile:
        """Run the session to its end. Every `interval_s` seconds `look` is given what there is (less often where
        that is much), or `tick` the seconds that have gone by.
        """
        self._begin(session)
        rest_s = interval_s
        while not session.wait(rest_s if look or tick else None):
            if look is not None:
                began_s = time.process_time()
                look(self.profile(session))
                rest_s = max(interval_s, (time.process_time() - began_s) / LOOK_SHARE)
            elif tick is not None:
                tick((time.monotonic_ns() - self._began) / 1e9)
        return self.profile(session)

    def _begin(self, session: Session) -> None:
        session.start()
        session.rest_s = REST_S
        self._start_ns, self._began = time.time_ns(), time.monotonic_ns()

    def profile(self, session: Session) -> Profile:
        """What has been collected so far."""
        if self._stacks is None:
            self._stacks = Stacks(session.facts, lines=self.options.lines)
        period_ns = round(1e9 / self.options.frequency) if self.mode.unit == "samples" else 0
        profile = Profile(self.mode.name, self.mode.unit, period_ns=period_ns, command=self.what)
        profile.start_ns = self._start_ns
        profile.duration_ns = (session.stopped_ns or time.monotonic_ns()) - self._began
        profile.lost, profile.lines = self._complaints.lost + self._left_out, self.options.lines
        if self._left_out:
            profile.notes.append(
                f"only the first {MOST_RECORDS:,} events are kept with their times, {self._left_out:,} are lost: look "
                "at less (`-p`, `--minimum`), for a shorter time, or without `--timeline`"
            )
        if self.options.timeline:
            # Records may still come in: what is there now is what counts.
            self.mode.collect_records(self._records_now(), self._stacks, profile)
        else:
            self.mode.collect(self._maps(session), self._stacks, profile)
        self._note(profile)
        if profile.lines:
            tell_without_lines(profile, self._stacks.problems)
            session.facts.release_source()
        if profile.samples and all(spec.name != ROWS_MAP for spec in session.bundle.maps):
            profile.notes.append(_FRAME_POINTERS)
        profile.notes += self.warnings
        return profile

    def _note(self, profile: Profile) -> None:
        tell_incomplete(profile)

    def _maps(self, session: Session) -> Mapping[str, Mapping[object, object]]:
        return session.maps

    def _records_now(self) -> list[tuple[object, ...]]:
        return list(self._records)


def tell_incomplete(profile: Profile) -> None:
    """Note how many stacks do not reach their root, where these are too many to overlook."""
    reasons: dict[str, int] = {}
    for sample in profile.samples:
        stack = profile.stacks[sample.stack]
        first = profile.frames[stack[0]] if stack else None
        if first is not None and first.kind == "mark":
            reasons[first.name] = reasons.get(first.name, 0) + sample.count
    total = profile.count
    if sum(reasons.values()) > INCOMPLETE_SHARE * total:
        for name, count in sorted(reasons.items(), key=lambda item: -item[1]):
            share = 100 * count / total
            profile.notes.append(f"{share:.1f} % of the stacks end early: {name.strip('[]')}")


def tell_without_lines(profile: Profile, problems: Mapping[str, str]) -> None:
    """Note which files of code, of those with many samples, have no lines, and why; `problems` by path."""
    own: dict[str, int] = {}
    for sample in profile.samples:
        leaf = next((frame for frame in reversed(profile.frames_of(sample)) if frame.kind != "mark"), None)
        if leaf is not None and not leaf.line and leaf.module in problems:
            own[leaf.module] = own.get(leaf.module, 0) + sample.count
    total = profile.count
    for path, count in sorted(own.items(), key=lambda entry: (-entry[1], entry[0])):
        if count >= WITHOUT_LINES_SHARE * total:
            profile.notes.append(f"lines of {path.rpartition('/')[2]} are not known: {problems[path]}")

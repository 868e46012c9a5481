"""A detector that runs by a configuration file, until it is stopped; SIGHUP reads the file again.

    start    rules are read and compiled, the program attached, reactions prepared; then privileges are given up; then
             come the threads, which have no more than that
    reload   a child process compiles; when it is done, the new program is attached, the old session ends, and its last
             events are handled before the first of the new one (see `handover`)
    end      what waits is delivered, reactions are undone

Whatever is wrong with a new configuration, or with its rules: it is said, and the old one stays.
"""

from __future__ import annotations

import time

from kernscope.detector.check import CheckedRules
from kernscope.detector.delivery import Delivery
from kernscope.detector.private_files import UnsafePath
from kernscope.detector.reactions import Context, RateCap, Reactions
from kernscope.detector.service.compiling import Compiling
from kernscope.detector.service.configuration import Configuration
from kernscope.detector.service.handover import Gate
from kernscope.detector.service.loading import ServiceError, load_baseline, load_configuration
from kernscope.detector.service.notify import notify, reloading
from kernscope.detector.service.privileges import drop_privileges, needed_capabilities
from kernscope.detector.sinks import SinkError, make
from kernscope.detector.store import Store, StoreError
from kernscope.detector.watch.noted import hooks_here
from kernscope.detector.watch.process_fields import events_offset_ns
from kernscope.detector.watch.watcher import Watcher
from kernscope.diagnostics import Diagnostic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from kernscope.bundle import Bundle
    from kernscope.detector.alert import Alert
    from kernscope.detector.incidents import Placed
    from kernscope.runtime import Session

    class Tools(Protocol):
        """What is used of the package `kernscope`."""

        @property
        def compile_apart(self) -> Callable[..., Bundle]: ...

        @property
        def run(self) -> Callable[..., Session]: ...

        @property
        def load(self) -> Callable[[bytes], Bundle]: ...

        @property
        def type_text(self) -> Callable[[str], str]: ...

        @property
        def has_feature(self) -> Callable[[str], bool]: ...

        @property
        def list_probes(self) -> Callable[[str], list[str]]: ...


__all__ = ["Service"]

_MOST_TOLD = 60
"""Sentences about reactions in a minute; the others are counted."""
_DONE_OF_REPEATED = ("done", "failed")


class _Watch:
    """A watcher, its gate, its session."""

    def __init__(self, watcher: Watcher, session: Session, gate: Gate) -> None:
        self.watcher, self.session, self.gate = watcher, session, gate


class Service:
    """Runs until `stop`.

    Args:
        path: the configuration.
        tools: the package `kernscope`.
        tell: takes sentences, from any thread.
        show: takes diagnostics.
        enforce, dry_run: more than the configuration says.

    Attributes:
        configuration: the one in use.
        reloads: how often another one was taken.
        has_errors: whether a rule was wrong at the start; the others are watched.
    """

    def __init__(
        self,
        path: str,
        tools: Tools,
        *,
        tell: Callable[[str], None],
        show: Callable[[list[Diagnostic]], None],
        enforce: bool = False,
        dry_run: bool = False,
    ) -> None:
        self.path, self._tools, self._tell, self._show = path, tools, tell, show
        self._enforce, self._dry_run = enforce, dry_run
        self.configuration = Configuration()
        self.reloads = 0
        self.has_errors = False
        self._watch: _Watch | None = None
        self._following: _Watch | None = None
        self._delivery: Delivery | None = None
        self._reactions = Reactions([], Context(self.configuration.protection()))
        self._kept: set[str] | None = None
        self._asked = self._stopping = False
        self._compiling: Compiling | None = None
        self._cap, self._untold = RateCap(_MOST_TOLD, 60.0), 0
        self._totals = [0, 0, 0]

    # --- what the command calls --------------------------------------------------------------------------

    def stop(self) -> None:
        """End soon; may be called from a signal handler."""
        self._stopping = True
        if self._watch is not None:
            self._watch.session.stop()

    def reload(self) -> None:
        """Read the configuration again soon; may be called from a signal handler."""
        self._asked = True

    def run(self) -> None:
        """Raises ServiceError, and what `kernscope.run` and starting a session raise."""
        loaded = load_configuration(self.path)
        self._show(loaded.errors)
        self.has_errors = bool(loaded.errors)
        if loaded.rules is None:
            raise ServiceError(f"`{self.path}` cannot be used", [])
        self.configuration = loaded.configuration
        self._watch = self._first_watch(loaded.rules)
        try:
            self._watch.session.start()
            self._reactions = self._make_reactions(self.configuration)
            self._drop_privileges()
            self._delivery = self._make_delivery(self.configuration)
            self._loop()
        finally:
            self._end()
            if self._delivery is not None:
                self._summarize()

    # --- start -------------------------------------------------------------------------------------------

    def _first_watch(self, rules: CheckedRules) -> _Watch:
        watcher = self._make_watcher(self.configuration, rules)
        gate = Gate(watcher.sink.event)
        # Compiling forks, so it comes before any thread.
        bundle = self._tools.compile_apart(watcher.text, name="<rules>", keep=True)
        return _Watch(watcher, self._tools.run(bundle, sinks=[gate.sink], print_maps=False), gate)

    def _make_watcher(self, configuration: Configuration, rules: CheckedRules) -> Watcher:
        watcher = Watcher(
            rules,
            self._on_alert,
            uring=bool(self._tools.type_text("struct io_open")),
            hooks=hooks_here(self._tools),
            baseline=load_baseline(configuration),
        )
        if not watcher.engine.rules:
            raise ServiceError("none of the rules can fire on this host: `kernscope detect check` says why")
        return watcher

    def _make_reactions(self, configuration: Configuration) -> Reactions:
        context = Context(
            configuration.protection(),
            enforce=self._enforce or configuration.flag("enforce"),
            dry_run=self._dry_run or configuration.flag("dry_run"),
            tell=self._tell,
            boot_offset_ns=events_offset_ns,
            run=self._tools.run,
        )
        cap = RateCap(int(configuration.number("limit.count")), configuration.number("limit.within"))
        reactions = Reactions(configuration.make_ladders(context), context, cap)
        try:
            reactions.prepare()
        except (ValueError, SinkError) as problem:
            reactions.close()
            raise ServiceError(f"a reaction cannot be used: {problem}") from None
        except BaseException:
            reactions.close()
            raise
        return reactions

    def _make_delivery(self, configuration: Configuration) -> Delivery:
        sinks = []
        store = None
        try:
            for settings in configuration.sinks:
                sinks.append(make(settings))
            if configuration.flag("store.enabled"):
                store = Store(
                    configuration.text("store.path"),
                    max_bytes=int(configuration.number("store.max_size")),
                    max_age_s=configuration.number("store.max_age"),
                    tell=self._tell,
                )
        except (SinkError, StoreError, UnsafePath) as problem:
            for sink in sinks:
                sink.close()
            help = getattr(problem, "help", "")
            raise ServiceError(f"{problem}{f'; {help}' if help else ''}") from None
        delivery = Delivery(store, sinks, tell=self._tell, placed=self._placed)
        delivery.metrics.watch = self._counters
        return delivery

    def _drop_privileges(self) -> None:
        if not self.configuration.flag("drop_privileges"):
            return
        steps = self.configuration.kinds
        try:
            drop_privileges(steps)
            self._kept = needed_capabilities(steps)
        except OSError as problem:
            self._tell(f"privileges are kept: {problem}")

    # --- run ---------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        while self._watch is not None and not self._stopping:
            watch = self._watch
            watch.watcher.run(watch.session, started=self._started, tick=self._tick)
            self._count(watch)
            if self._following is None:
                return
            self._watch, self._following = self._following, None
            if self._stopping:
                self._watch.session.stop()

    def _started(self) -> None:
        assert self._watch is not None
        watcher = self._watch.watcher
        for note in watcher.notes:
            self._tell(note)
        text = f"watching by {watcher.what}"
        self._tell(text)
        notify(f"READY=1\nSTATUS={text}")

    def _tick(self) -> None:
        self._reactions.tick()
        if self._untold and self._cap.take():
            self._tell(f"{self._untold} more reactions were not told of")
            self._untold = 0
        if self._compiling is not None:
            self._follow_compiling(self._compiling)
        elif self._asked:
            self._asked = False
            self._begin_reload()

    def _on_alert(self, alert: Alert) -> None:
        if self._delivery is not None:
            self._delivery.take(alert)

    def _placed(self, alert: Alert, placed: Placed) -> None:
        """In the delivering thread."""
        for done in self._reactions.take(alert, placed.incident, repeated=placed.repeated):
            if placed.repeated and done.state not in _DONE_OF_REPEATED:
                continue
            if self._cap.take():
                self._tell(f"{alert.rule} (incident {placed.incident}): {done.text}")
            else:
                self._untold += 1

    def _counters(self) -> dict[str, float]:
        events, alerts, lost = self._totals
        watcher = self._watch.watcher if self._watch is not None else None
        found: dict[str, float] = {
            "events": events + (watcher.events if watcher else 0),
            "rule_matches": alerts + (watcher.alerts if watcher else 0),
            "lost_events": lost + (watcher.lost if watcher else 0),
            "reloads": self.reloads,
        }
        for (kind, state), count in list(self._reactions.counts.items()):
            found[f"reactions_{kind}_{state}"] = count
        return found

    def _count(self, watch: _Watch) -> None:
        for warning in watch.watcher.warnings:
            self._tell(warning)
        for place, number in enumerate((watch.watcher.events, watch.watcher.alerts, watch.watcher.lost)):
            self._totals[place] += number
        watch.watcher.events = watch.watcher.alerts = watch.watcher.lost = 0

    # --- reload ------------------------------------------------------------------------------------------

    def _begin_reload(self) -> None:
        reloading()
        try:
            loaded = load_configuration(self.path)
            self._show(loaded.errors)
            if loaded.errors or loaded.rules is None:
                raise ServiceError(f"{len(loaded.errors)} errors")
            missing = needed_capabilities(loaded.configuration.kinds) - self._kept if self._kept else set()
            if missing:
                raise ServiceError(f"{', '.join(sorted(missing))} was given up: this needs a restart")
            watcher = self._make_watcher(loaded.configuration, loaded.rules)
            self._compiling = Compiling(loaded.configuration, watcher)
        except (ServiceError, OSError) as problem:
            self._stay(str(problem))

    def _stay(self, why: str) -> None:
        self._tell(f"the configuration is not changed: {why}")
        notify(f"READY=1\nSTATUS=The old configuration goes on: {why}")

    def _follow_compiling(self, compiling: Compiling) -> None:
        try:
            data = compiling.result()
        except ServiceError as problem:
            self._compiling = None
            self._stay(str(problem))
            return
        if data is not None:
            self._compiling = None
            self._take_over(compiling.configuration, compiling.watcher, data)

    def _take_over(self, configuration: Configuration, watcher: Watcher, data: bytes) -> None:
        """The new session is attached, then the old one ends."""
        from kernscope.detector.correlation import adopt_counts
        from kernscope.detector.watch.processes import ProcessTree

        old = self._watch
        assert old is not None
        gate = Gate(watcher.sink.event)
        old.gate.remember()
        session: Session | None = None
        try:
            session = self._tools.run(self._tools.load(data), sinks=[gate.sink], print_maps=False)
            session.start()
            self._change_what_follows(configuration)
        except Exception as problem:  # whatever the new one cannot do, the old one goes on
            old.gate.forget()
            if session is not None:
                session.close()
            self._stay(str(problem))
            return
        moment_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        old.session.close()
        gate.follow(old.gate, moment_ns)
        # Who the processes are is known already, also of those that have ended.
        tree: ProcessTree = old.watcher.tree
        watcher.tree = watcher.records.tree = tree
        watcher.records.count = old.watcher.records.count
        adopt_counts(watcher.engine.rules, old.watcher.engine.rules)
        self.configuration = configuration
        self._following = _Watch(watcher, session, gate)
        self.reloads += 1
        self._tell("the configuration was read again")

    def _change_what_follows(self, configuration: Configuration) -> None:
        """Reactions, the store and the sinks, where they are others: all of them, or none."""
        reactions = None
        if configuration.reactions_key() != self.configuration.reactions_key():
            reactions = self._make_reactions(configuration)
        try:
            if configuration.delivery_key() != self.configuration.delivery_key():
                self._change_delivery(configuration)
        except BaseException:
            if reactions is not None:
                reactions.close()
            raise
        if reactions is not None:
            before, self._reactions = self._reactions, reactions
            before.close()

    def _change_delivery(self, configuration: Configuration) -> None:
        assert self._delivery is not None
        # A database has one writer, and a port one listener.
        self._delivery.close()
        try:
            self._delivery = self._make_delivery(configuration)
        except ServiceError:
            try:
                self._delivery = self._make_delivery(self.configuration)
            except ServiceError as problem:
                self._tell(f"alerts are only shown: {problem}")
                self._delivery = Delivery(
                    None, [make({"kind": "stdout"})], tell=self._tell, placed=self._placed
                )
            raise

    # --- end ---------------------------------------------------------------------------------------------

    def _end(self) -> None:
        notify("STOPPING=1")
        if self._compiling is not None:
            self._compiling.close()
        for watch in (self._watch, self._following):
            if watch is not None:
                watch.session.close()
                self._count(watch)
        if self._delivery is not None:
            self._delivery.close()
        self._reactions.close()

    def _summarize(self) -> None:
        events, alerts, lost = self._totals
        text = f"{lost:,} events lost" if lost else "no event lost"
        self._tell(f"{events:,} events reached the rules, {alerts:,} matches, {text}")
        for (kind, state), count in self._reactions.counts.items():
            self._tell(f"reaction {kind}: {count} {_STATES[state]}")


_STATES = {"done": "done", "would": "would have been done", "refused": "not done", "failed": "failed"}

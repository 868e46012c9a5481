"""The life of a running program.

    start    maps are created and filled, programs loaded; `begin` programs run; the others are attached; a
             command that was given is let go
    run      records are drained and handed to the sinks, until exit(), stop(), a signal, the end of the
             command or of the process `pid`, or the end of `duration`
    end      the others are detached; `end` programs run; the last records are drained; the maps' contents are
             kept (`session.maps`) and handed to the sinks; everything is closed

A session is used from one thread; only `stop()` may be called from anywhere, also from a signal handler.

Waking up: the kernel wakes the reader when a record comes into a ring that has been read to its end. Under
load that would be for every few records, so after a round that found some the loop first rests for some
milliseconds: what comes meanwhile wakes nobody and is handled in one batch.
"""

from kernscope.bundle import Bundle
from kernscope.output.events import AttachedEvent, EndEvent, ErrorEvent, Event, MapEvent, MissedEvent
from kernscope.output.sink import EventSink, Plan, Sink
from kernscope.output.symbolic import SymbolFacts
from kernscope.runtime.counters import Counters
from kernscope.runtime.drain import BATCH_RECORDS, Drain
from kernscope.runtime.errors import SessionError
from kernscope.runtime.live import ON_DEMAND, Live, close_all
from kernscope.runtime.maps import MapView
from kernscope.runtime.resolve import connect
from kernscope.runtime.wait import SignalWatch, Waiter
from kernscope.runtime.watched import Watched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from typing import Self

    from kernscope.kernel.interface import KernelAccess
    from kernscope.kernel.process import Command
    from kernscope.output.writer import Writer
    from kernscope.runtime.live import AttachFunction

__all__ = ["Session"]

POLL_SECONDS = 0.5
"""How long nothing may happen before counters and the clock are looked at."""

REST_SECONDS = 0.004
"""Rest after a round that found some records: see the module's docstring."""

BUSY_SECONDS = 0.2
"""How long the end waits for an event record that is still being written."""

REPORT_SECONDS = 1.0
"""Losses and errors are reported at most this often."""

QUEUE_EVENTS = 1 << 18
"""Events kept for an iteration that does not come; beyond that they stay in the ring, losses counted."""


class Session:
    """Runs `bundle` on `kernel`.

    Args:
        sinks: where output goes, as it comes. Without any, events are kept for iteration.
        command: arguments of a child process to start, or one already started (and waiting): it is let go when
            all is attached, and its end ends the session.
        pid: a process whose end ends the session.
        duration: seconds from attached to end; None: no limit.
        dry_run: count the program's verdicts, and do not let the kernel follow them.
        ttl: seconds for which verdicts are followed; the session ends then. The kernel's side watches the time too.
        print_maps: hand the maps to the sinks at the end.
        attach: replaces `kernscope.probes.attach`, for tests.

    Attributes:
        maps: the program's maps by name (``"@x"``), as `MapView`.
        exit_code: what `exit()` was given, else 0.
        problem: why the session ended early: an OSError of a sink, or None.
        rest_s: how long the loop rests after a round that found some records. Longer costs less and shows them later.
        stopped_ns: when the programs stopped (CLOCK_MONOTONIC); what comes after takes its time. 0 before.
    """

    def __init__(
        self,
        bundle: Bundle,
        kernel: "KernelAccess",
        *,
        sinks: "Sequence[Sink]" = (),
        command: "Sequence[str] | Command | None" = None,
        pid: int | None = None,
        duration: float | None = None,
        dry_run: bool = False,
        ttl: float | None = None,
        print_maps: bool = True,
        attach: "AttachFunction | None" = None,
    ) -> None:
        self.bundle, self.kernel = bundle, kernel
        self.maps: dict[str, MapView] = {}
        self.exit_code = 0
        self._errors: dict[object, ErrorEvent] = {}
        self._repeated: dict[object, ErrorEvent] = {}
        self.problem: OSError | None = None
        self.rest_s = REST_SECONDS
        self.stopped_ns = 0
        self.facts = SymbolFacts(
            bundle.probes, bundle.strings, kernel.user_name, lambda: kernel.boot_offset_ns
        )
        self._queue: list[Event] = []
        self._pipes: list[tuple[int, Writer]] = []
        self._sinks: list[Sink] = list(sinks) or [EventSink(self._queue.append)]
        self._queueing = not sinks
        self._watched = Watched(command, pid)
        limits = [limit for limit in (duration, ttl) if limit is not None]
        self._duration, self._deadline = min(limits, default=None), 0.0
        self._dry_run, self._ttl = dry_run, ttl
        self._print_maps = print_maps
        self._state = "new"
        self._stopping = False
        self._signals: list[int] = []
        self._next_report = 0.0
        self._live = Live(bundle, kernel, attach)
        demangled = bool(bundle.config.get("cpp_demangle", True))
        self._resolving = connect(self.facts, kernel, self._live.maps, demangled=demangled)
        self._told_full: set[str] = set()
        self._waiter: Waiter | None = None
        self._signal_watch = SignalWatch(self._take_signal)
        self._drain = Drain(None, None, (), self, self._deliver)
        self._counters = Counters(bundle, None)

    # --- what users call ---------------------------------------------------------------------------------

    def start(self) -> "Self":
        """Create, load, run `begin`, attach. A failure undoes what was done. Again does nothing.

        Raises:
            KernelError, AttachError, NotSupportedError: the kernel cannot do what the program needs.
            RefusedError: the verifier refused a program.
            SessionError: there is no process `pid`.
        """
        if self._state != "new":
            return self
        self._state = "starting"
        try:
            self._create()
            self._live.run_inline("begin")
            if not self._live.exit_flag:
                if not self._dry_run:
                    self._live.enforce(self._ttl)
                self._resolving.prepare(self._watched.pids, self._watched.programs)
                self._live.attach()
                self._tell_missing()
                self._signal_watch.watch(self._live.signal_numbers())
            on_demand = sum(len(self._live.on_demand(kind)) for kind in ON_DEMAND)
            self.emit(AttachedEvent(self.bundle.probe_count - on_demand - len(self._live.left_out)))
            if not self._live.exit_flag:
                self._watched.resume()
            if self._duration is not None:
                self._deadline = _monotonic() + self._duration
            self._state = "running"
        except BaseException:
            self._state = "ended"
            self._release()
            raise
        return self

    def hand_over(self) -> None:
        """Handle what there is now, without waiting and without ending."""
        if self._state == "running":
            self._round()

    def test_names(self) -> list[str]:
        """Names of the program's `test:` probes."""
        return [name for name, _ in self._live.on_demand("test")]

    def run_test(self, name: str) -> tuple[int, int]:
        """Run a `test:` probe once: what its action returned (0: passed), and nanoseconds."""
        from kernscope.runtime.on_demand import run_once

        return run_once(dict(self._live.on_demand("test"))[name])

    def bench_names(self) -> list[str]:
        """Names of the program's `bench:` probes."""
        return [name for name, _ in self._live.on_demand("bench")]

    def run_bench(self, name: str) -> tuple[int, int]:
        """Run a `bench:` probe many times: nanoseconds each, as the kernel measures them, and how often."""
        from kernscope.runtime.on_demand import run_often

        return run_often(dict(self._live.on_demand("bench"))[name])

    def rehearse(self) -> None:
        """Create, load and attach, then undo it all: what a start would find out, and nothing runs.

        Raises what `start` raises.
        """
        if self._state != "new":
            return
        self._state = "ended"
        try:
            self._create()
            self._live.set_exit_flag()  # programs do nothing while they are attached
            self._live.attach()
        finally:
            self._release()

    def run(self, *, signals: "Sequence[int]" = ()) -> int:
        """Go on until the end, then return the exit code of `exit()` (0 without).

        `signals` (SIGINT and SIGTERM, usually) end it cleanly; a second one raises KeyboardInterrupt.
        """
        self._signal_watch.watch(signals)
        try:
            self.start()
            while self._state == "running":
                self._step(None)
        finally:
            self.close()
        return self.exit_code

    def wait(self, timeout: float | None = None) -> bool:
        """Handle what comes for `timeout` seconds, or until the end. True if the session has ended."""
        self.start()
        limit = None if timeout is None else _monotonic() + timeout
        while self._state == "running":
            if limit is not None and _monotonic() >= limit:
                return False
            self._step(limit)
        return True

    def stop(self) -> None:
        """End soon: the loop that drains finishes with `end` probes, the last records and the maps."""
        self._stopping = True
        waiter = self._waiter
        if waiter is not None:
            waiter.wake()

    def close(self) -> None:
        """End now, if it has not ended, with everything that belongs to an end; nothing stays attached."""
        try:
            if self._state == "running":
                self._end()
        finally:
            self._state = "ended"
            self._release()

    def __enter__(self) -> "Self":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> "Iterator[Event]":
        """All events, as they come, until the end."""
        return self.events(None)

    def events(self, timeout: float | None = None) -> "Iterator[Event]":
        """The events that come within `timeout` seconds (None: until the end), each as soon as it is here."""
        self._need_queue()
        self.start()
        limit = None if timeout is None else _monotonic() + timeout
        while True:
            yield from self._take_queue()
            if self._state != "running" or (limit is not None and _monotonic() >= limit):
                return
            self._step(limit)

    async def __aiter__(self) -> "AsyncIterator[Event]":
        """The same in an event loop, without blocking it."""
        import asyncio

        self._need_queue()
        self.start()
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        assert self._waiter is not None or self._state != "running"
        fd = self._waiter.fileno() if self._waiter is not None else -1
        if fd >= 0:
            loop.add_reader(fd, ready.set)
        try:
            while True:
                for event in self._take_queue():
                    yield event
                if self._state != "running":
                    return
                ready.clear()
                if not self._step(0.0):
                    try:
                        await asyncio.wait_for(ready.wait(), POLL_SECONDS)
                    except TimeoutError:
                        continue
                await asyncio.sleep(REST_SECONDS)
        finally:
            if fd >= 0:
                loop.remove_reader(fd)

    @property
    def running(self) -> bool:
        """Whether more may come."""
        return self._state == "running"

    @property
    def lost(self) -> int:
        """How many records found no room in the rings, so far."""
        return sum(self.lost_by_clause.values())

    @property
    def lost_by_clause(self) -> dict[str, int]:
        """The same by clause of the program (the text of its probes)."""
        return self._counters.lost()

    @property
    def warnings(self) -> list[ErrorEvent]:
        """Run-time errors so far; equal ones are one, with their `count`."""
        return list(self._errors.values())

    @property
    def delivered(self) -> int:
        """How many records of the event ring were handed over, so far."""
        return self._drain.delivered

    @property
    def command_status(self) -> int | None:
        """Exit status of the command as a shell tells it (128 + signal number), None while it runs."""
        return self._watched.status

    @property
    def boot_offset_ns(self) -> int:
        """CLOCK_REALTIME minus CLOCK_BOOTTIME, to turn times since boot into times of day."""
        return self.kernel.boot_offset_ns

    # --- what records of the control ring call -----------------------------------------------------------

    def emit(self, event: Event) -> None:
        """Hand an event to all sinks."""
        if isinstance(event, ErrorEvent):
            _add_error(self._errors, event)
        for sink in self._sinks:
            sink.event(event)

    def report_error(self, event: ErrorEvent) -> None:
        """Emit a run-time error the first time, and with others like it later: there may be millions."""
        if event.key in self._errors:
            _add_error(self._repeated, event)
        else:
            self.emit(event)

    def _tell_missing(self) -> None:
        if self.bundle.config.get("missing_probes") == "warn":
            for problem in self._live.missing:
                self.emit(ErrorEvent(str(problem)))

    def learn_mapping(self, pid: int, began_ns: int, start: int, end: int, offset: int, *key: int) -> None:
        """Read what a process has mapped there, while it lives, see `Resolving.learn_mapping`."""
        self._resolving.learn_mapping(pid, began_ns, (start, end, offset), key)

    def learn_file(self, path: str, *key: int) -> None:
        """Read a file that programs do not know, see `Resolving.learn_file`."""
        self._resolving.learn_file(path, key)

    def learn_python_code(self, pid: int, number: int, address: int, sent: bytes) -> None:
        """Read what a function of CPython is called, while its process lives; `sent` is what programs could read."""
        self._resolving.python.learn(pid, number, address, sent)

    def take_stacks(self) -> None:
        """Let the kernel's side forget the stacks it keeps, so that a program that runs on has room for new ones; here
        they are remembered. To be called after the maps with these stacks have been taken (`MapView.take`)."""
        if self._state == "running":
            self._resolving.take_stacks()

    def unwatch(self, address: int, kinds: "Sequence[object]") -> None:
        """unwatch(): detach the probes of these kinds that watch an address."""
        self._live.detach_at(address, kinds)

    def end_soon(self, exit_code: int) -> None:
        """exit(): what is in the rings is still handed over."""
        self.exit_code = exit_code
        self._stopping = True

    # --- start -------------------------------------------------------------------------------------------

    def _create(self) -> None:
        bundle, kernel, live = self.bundle, self.kernel, self._live
        self._waiter = Waiter()
        self._watched.start(kernel, self._waiter)
        live.create_maps()
        self._counters = Counters(bundle, live.globals)
        cpus = kernel.possible_cpus if bundle.user_maps else 0
        for user_map in bundle.user_maps:
            kernel_map = live.maps[user_map.kernel_map]
            overflow = live.maps[user_map.overflow] if user_map.overflow else None
            self.maps[user_map.name] = MapView(user_map, kernel_map, cpus, self.facts, overflow)
        self._drain = Drain(live.events, live.control, bundle.records, self, self._deliver)
        for ring in self._drain.rings():
            self._waiter.add(ring.fileno())
        plan = Plan(bundle, self.facts)
        for sink in self._sinks:
            sink.open(plan)
            if sink.writer is not None and (pipe := sink.writer.pipe_fd) >= 0:
                self._waiter.add_pipe(pipe)
                self._pipes.append((pipe, sink.writer))
        live.load()

    # --- run ---------------------------------------------------------------------------------------------

    def _step(self, limit: float | None) -> int:
        """One turn of the loop: wait (until `limit`), handle what there is. How many records there were."""
        if self._stopping:
            self._end()
            return 0
        assert self._waiter is not None
        iterating = self._live.iterating
        if iterating and self._live.iterate():
            self._stopping = True
        handled = self._round()
        # Where records come all the time, the loop still has to see that the command has ended.
        ready = self._waiter.wait(self._patience(limit) if handled == 0 and not iterating else 0.0)
        for pipe, writer in self._pipes:
            if pipe in ready:
                writer.reader_gone()
                self.flush()
        if self._signals:
            self._run_signal_probes()
        if self._watched.ended(ready):
            self._stopping = True
        if handled == 0 and ready:
            handled = self._round()
        if 0 < handled < BATCH_RECORDS // 4 and limit != 0.0 and not self._stopping and not iterating:
            _sleep(min(self.rest_s, self._patience(limit)))
        now = _monotonic()
        if now >= self._next_report:
            self._next_report = now + REPORT_SECONDS
            for pid in self._watched.pids:
                self._resolving.remember(pid)
            self._report()
            if self._live.exit_flag and not self._drain.pending:
                self._stopping = True  # exit() whose record found no room
        if self._deadline and now >= self._deadline:
            self._stopping = True
        if self._stopping:
            self._end()
        return handled

    def _patience(self, limit: float | None) -> float:
        seconds = POLL_SECONDS
        ends = [end for end in (limit, self._deadline or None) if end is not None]
        if ends:
            seconds = min(seconds, max(0.0, min(ends) - _monotonic()))
        return seconds

    def _round(self) -> int:
        if self._queueing and len(self._queue) > QUEUE_EVENTS and not self._live.exit_flag:
            _sleep(REST_SECONDS)
            return 0
        handled = self._drain.round()
        if handled:
            self.flush()
        return handled

    def _deliver(self, batch: list[bytes]) -> None:
        for sink in self._sinks:
            sink.records(batch)

    def flush(self) -> None:
        """Let the sinks write what they have been given."""
        for sink in self._sinks:
            sink.flush()
            if sink.error is not None and self.problem is None:
                self.problem = sink.error
                self._stopping = True

    def _report(self) -> None:
        news = [*self._repeated.values(), *self._counters.news()]
        self._repeated = {}
        for what in sorted(self._resolving.full - self._told_full):
            self._told_full.add(what)
            news.append(ErrorEvent(f"there is no room for all {what}: some stacks may end too early"))
        for event in news:
            self.emit(event)
        if news:
            self.flush()

    def _take_signal(self, number: int) -> None:
        if number in self._live.signal_numbers():
            self._signals.append(number)
            if self._waiter is not None:
                self._waiter.wake()
        elif self._stopping:
            raise KeyboardInterrupt
        else:
            self.stop()

    def _run_signal_probes(self) -> None:
        signals, self._signals = self._signals, []
        for number in signals:
            self._live.run_inline("signal", number)

    def _need_queue(self) -> None:
        if not self._queueing:
            if self._state != "new":
                raise SessionError("a session with sinks can only be iterated from its start")
            sink = EventSink(self._queue.append)
            self._sinks.append(sink)
            self._queueing = True

    def _take_queue(self) -> "list[Event]":
        taken = self._queue[:]
        self._queue.clear()
        return taken

    # --- end ---------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """From running to ended. Whatever fails, the maps' contents are kept and everything is closed."""
        self._stopping = True
        self._state = "ending"
        try:
            # All programs stop at once, however long detaching takes.
            self._live.set_exit_flag()
            self.stopped_ns = round(_monotonic() * 1e9)
            for text in self._live.unseen():
                self.emit(ErrorEvent(text))
            self._live.detach()
            self._live.run_inline("end")
            self._drain_rest()
            for name, count in self._live.missed():
                self.emit(MissedEvent(name, count))
            self._report()
            for verdict in self._counters.verdicts(enforced=not self._dry_run):
                self.emit(verdict)
            self.emit(EndEvent(self.exit_code))
            self._hand_over_maps()
        finally:
            self._state = "ended"
            self._release()

    def _drain_rest(self) -> None:
        limit = _monotonic() + BUSY_SECONDS
        while True:
            handled = self._drain.round()
            self.flush()
            if handled:
                limit = _monotonic() + BUSY_SECONDS
            elif not self._drain.pending or _monotonic() >= limit:
                return
            else:
                _sleep(0.001)

    def _hand_over_maps(self) -> None:
        for name in sorted(self.maps):
            view = self.maps[name]
            view.freeze()
            content = view.snapshot()
            if content and self._print_maps:
                self.emit(MapEvent(name, content, view.shape, at_end=True))
        self.flush()

    def _release(self) -> None:
        """Close everything. Again does nothing."""
        waiter, self._waiter = self._waiter, None
        if waiter is None:
            self._signal_watch.close()
            return
        live = self._live
        views: list[Callable[[], object]] = [view.freeze for view in self.maps.values()]
        steps = [live.detach, *views, self._counters.freeze, self._resolving.close, *live.close_steps()]
        steps += [sink.close for sink in self._sinks]
        steps += [waiter.close, self._watched.close, self._signal_watch.close]
        close_all(steps)
        self._drain = _Finished(self._drain.delivered)


class _Finished(Drain):
    """What is left of a drain when its rings are gone."""

    def __init__(self, delivered: int) -> None:
        self.delivered = delivered


def _add_error(errors: dict[object, ErrorEvent], event: ErrorEvent) -> None:
    """Count `event` with those like it."""
    known = errors.get(event.key)
    errors[event.key] = event if known is None else known.repeated(event.count)


def _monotonic() -> float:
    import time

    return time.monotonic()


def _sleep(seconds: float) -> None:
    import time

    time.sleep(seconds)

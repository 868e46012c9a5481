"""From the rules to where alerts go: incidents, the store, then the sinks.

One thread does it, so that watching never waits for a disk or a socket. What waits for it is bounded; what finds no
room is counted. An alert is in the store before any sink gets it, so whatever was shown outlives a SIGKILL; where the
store fails, the alert is shown all the same, and the loss is counted on disk. While the thread commits, others
arrive: so one commit serves a single alert at once, and hundreds in a flood.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from kernscope.detector.incidents import Incidents, Placed
from kernscope.detector.metrics import Metrics
from kernscope.detector.sinks.base import Sink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kernscope.detector.alert import Alert
    from kernscope.detector.sinks.base import AlertSink
    from kernscope.detector.store import Store

__all__ = ["Delivery"]

MOST_WAITING = 10_000
MOST_WAITING_BYTES = 16 << 20
"""Of alerts that wait for the thread."""
MOST_TOGETHER = 500
"""Alerts of one commit."""
TICK_S = 1.0
CLOSE_S = 10.0


class Delivery:
    """Takes alerts from one thread, or several.

    Args:
        store: None where there is none, or it cannot be used.
        sinks: closed by `close`.
        tell: takes sentences about what goes wrong, from any thread.
        unstored: why there is no store; alerts that are shown without one are then counted, and told at the end.
        placed: called in the delivering thread with every alert and where it belongs, before it is shown.

    Attributes:
        metrics: its counters.
        dropped: alerts that found no room.
    """

    def __init__(
        self,
        store: Store | None = None,
        sinks: Sequence[AlertSink] = (),
        *,
        tell: Callable[[str], None] = lambda text: None,
        unstored: str = "",
        placed: Callable[[Alert, Placed], None] | None = None,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._store, self._sinks, self._placed = store, list(sinks), placed
        self._said, self._defects = tell, set[str]()
        self._unstored, self._without_store = unstored, 0
        self._most = most_waiting
        self.metrics = Metrics()
        self.dropped = 0
        self._told_dropped = 0
        if store is None:
            self._incidents = Incidents()
        else:
            self._incidents = Incidents(first_incident=store.next_incident, first_alert=store.next_alert)
            self._incidents.restore(store.known_incidents())
        for sink in self._sinks:
            if isinstance(sink, Sink):
                sink.tell = self._tell
                sink.attach(self.metrics)
        self._queue: deque[Alert] = deque()
        self._queue_bytes = 0
        self._changed = threading.Condition()
        self._stop = self._busy = False
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._thread.start()

    def take(self, alert: Alert) -> None:
        """Never waits."""
        size = _bytes(alert)
        with self._changed:
            if len(self._queue) >= self._most or self._queue_bytes + size > MOST_WAITING_BYTES:
                self.dropped += 1
                return
            self._queue.append(alert)
            self._queue_bytes += size
            self._changed.notify()

    def wait(self, seconds: float = CLOSE_S) -> bool:
        """Until all that was taken is delivered; whether that was so in time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with self._changed:
                if not self._queue and not self._busy:
                    return True
            time.sleep(0.001)
        return False

    def close(self) -> None:
        """Deliver what waits, show counts that were not shown yet, and close sinks and store."""
        with self._changed:
            self._stop = True
            self._changed.notify()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            self._tell(f"{len(self._queue)} alerts were not delivered: a sink or the store takes too long")
            return
        for sink in self._sinks:
            self._guard("a sink", sink.close)
        if self._store is not None:
            self._guard("the store", self._store.close)
        if self._without_store:
            self._tell(f"{self._without_store:,} alerts were not stored: {self._unstored}")

    # ── the thread ──

    def _run(self) -> None:
        ticked = time.monotonic()
        while True:
            with self._changed:
                self._busy = False
                if not self._queue and not self._stop:
                    self._changed.wait(TICK_S)
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), MOST_TOGETHER))]
                self._queue_bytes -= sum(map(_bytes, batch))
                stopping = self._stop and not self._queue
                self._busy = True
            self._deliver(batch)
            if time.monotonic() - ticked >= TICK_S or stopping:
                self._guard("delivery", self._tick)
                ticked = time.monotonic()
            if stopping:
                self._show(self._incidents.finish())
                return

    def _deliver(self, batch: list[Alert]) -> None:
        if not batch:
            return
        shown = []
        for alert in batch:
            placed = self._place(alert)
            self.metrics.match(alert.rule)
            if self._unstored:
                self._without_store += 1
            if self._store is not None and placed.number:
                self._guard("the store", self._store.add, alert, placed)
            if self._placed is not None:
                self._guard("what reacts to alerts", self._placed, alert, placed)
            if placed.shown:
                shown.append((alert, placed))
            else:
                self.metrics.repeated += 1
        if self._store is not None:
            self._guard("the store", self._store.commit)
        now_ns = time.time_ns()
        for alert in batch:
            if alert.time_ns:
                self.metrics.latency.add(max(0, now_ns - alert.time_ns) / 1e9)
        self._show(shown)

    def _place(self, alert: Alert) -> Placed:
        found: list[Placed] = []
        self._guard("what places alerts", lambda: found.append(self._incidents.add(alert)))
        if not found and self._store is not None:
            self._guard("the store", self._store.lose, 1, "it could not be placed in an incident")
        return found[0] if found else Placed(0, 0, False, 1, True)

    def _show(self, shown: list[tuple[Alert, Placed]]) -> None:
        for alert, placed in shown:
            self.metrics.alerts[alert.priority] = self.metrics.alerts.get(alert.priority, 0) + 1
            number = placed.number if self._store is not None else 0
            for sink in self._sinks:
                self._guard("a sink", sink.take, alert, placed.incident, placed.count, number)
        for sink in self._sinks:
            self._guard("a sink", sink.flush)

    def _guard(self, what: str, action: Callable[..., object], *arguments: object) -> None:
        """A defect in one place must not keep alerts from the others."""
        try:
            action(*arguments)
        except Exception as error:
            self.metrics.lost["defect"] = self.metrics.lost.get("defect", 0) + 1
            text = f"{what} failed by a defect of Kernscope: {type(error).__name__}: {error}"
            if text not in self._defects and len(self._defects) < 20:
                self._defects.add(text)
                self._tell(text)

    def _tell(self, text: str) -> None:
        try:
            self._said(text)
        except Exception:
            self.metrics.lost["messages"] = self.metrics.lost.get("messages", 0) + 1

    def _tick(self) -> None:
        self._show(self._incidents.ended())
        new = self.dropped - self._told_dropped
        if new:
            self._told_dropped += new
            self._tell(f"{new} alerts were lost: more came than could be delivered")
            if self._store is not None:
                self._store.lose(new, "more came than could be delivered")
        if self._store is not None:
            self._guard("the store", self._store.tick)
        lost = {sink.name: sink.failed for sink in self._sinks if isinstance(sink, Sink) and sink.failed}
        lost |= {"queue": self.dropped} if self.dropped else {}
        lost |= {"store": self._store.lost} if self._store is not None and self._store.lost else {}
        lost |= {"store": self._without_store} if self._without_store else {}
        for place in ("defect", "messages"):
            if place in self.metrics.lost:
                lost[place] = self.metrics.lost[place]
        self.metrics.lost = lost


def _bytes(alert: Alert) -> int:
    """About what it takes in memory. Ancestors' texts belong to the process tree."""
    texts = sum([len(value) for value in alert.fields.values() if isinstance(value, str | list)])
    return 1000 + 500 * len(alert.process) + len(alert.output) + texts

"""From the rules to the store and the sinks."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_alerts import INIT, alert, process

from kernscope.detector.alert import Alert
from kernscope.detector.delivery import Delivery
from kernscope.detector.metrics import Metrics
from kernscope.detector.sinks.base import Sink
from kernscope.detector.sinks.prometheus import PrometheusSink
from kernscope.detector.store import AlertQuery, Store, StoredAlerts


class Memory(Sink):
    """Keeps what it got, and what the store held at that time."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__("memory")
        self.got: list[tuple[str, int, int, int]] = []
        self.stored: list[int] = []
        self.closed = False
        self.go = threading.Event()
        self.go.set()
        self._path = path

    def take(self, alert: Alert, incident: int, count: int = 1, number: int = 0) -> None:
        self.go.wait(20)
        self.got.append((alert.rule, incident, count, number))
        if self._path is not None:
            reader = StoredAlerts(str(self._path))
            self.stored.append(reader.count(AlertQuery()))
            reader.close()

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state" / "alerts.db"


def different(count: int) -> list[Alert]:
    return [alert("r", [process(2000 + n, "x"), INIT], output=str(n)) for n in range(count)]


def test_an_alert_is_stored_before_it_is_shown(path: Path) -> None:
    sink = Memory(path)
    delivery = Delivery(Store(str(path)), [sink])
    for one in different(50):
        delivery.take(one)
    delivery.close()
    assert [number for *_, number in sink.got] == list(range(1, 51))
    assert all(stored >= number for stored, (*_, number) in zip(sink.stored, sink.got))
    assert sink.closed


def test_repetitions_are_shown_at_growing_intervals_and_at_the_end(path: Path) -> None:
    sink = Memory()
    delivery = Delivery(Store(str(path)), [sink])
    for at in range(123):
        delivery.take(alert(at_s=at / 1000))
    delivery.take(alert("s"))
    delivery.close()
    assert sorted(sink.got) == [("r", 1, count, 1) for count in (1, 10, 100, 123)] + [("s", 1, 1, 2)]
    assert sink.got[-1] == ("r", 1, 123, 1)
    assert delivery.metrics.matches == {"r": 123, "s": 1}
    assert delivery.metrics.alerts == {"warning": 5} and delivery.metrics.repeated == 120
    assert sum(delivery.metrics.latency.counts) == 124


def test_without_a_store_alerts_have_no_numbers() -> None:
    sink = Memory()
    delivery = Delivery(None, [sink])
    delivery.take(alert())
    assert delivery.wait()
    assert sink.got == [("r", 1, 1, 0)]
    delivery.close()


def test_why_there_is_no_store_is_said_with_the_number_of_alerts() -> None:
    told: list[str] = []
    delivery = Delivery(None, [Memory()], tell=told.append, unstored="the disk is full")
    for one in [*different(3), alert(), alert()]:
        delivery.take(one)
    delivery.close()
    assert told == ["5 alerts were not stored: the disk is full"]
    assert delivery.metrics.lost == {"store": 5}


def test_what_finds_no_room_is_counted(path: Path) -> None:
    told: list[str] = []
    sink = Memory()
    sink.go.clear()
    delivery = Delivery(Store(str(path)), [sink], tell=told.append, most_waiting=10)
    many = different(500)
    delivery.take(many[0])
    while delivery._queue:  # until the thread waits for the sink
        time.sleep(0.001)
    began = time.monotonic()
    for one in many[1:]:
        delivery.take(one)
    assert time.monotonic() - began < 5  # taking waits for nothing
    assert delivery.dropped == 489
    sink.go.set()
    delivery.close()
    assert len(sink.got) == 11
    assert told == ["489 alerts were lost: more came than could be delivered"]
    [(_, count, why)] = StoredAlerts(str(path)).losses()
    assert (count, why) == (489, "more came than could be delivered")
    assert delivery.metrics.lost == {"queue": 489, "store": 489}


def test_what_waits_is_bounded_in_bytes_too() -> None:
    sink = Memory()
    sink.go.clear()
    delivery = Delivery(None, [sink])
    delivery.take(alert())
    while delivery._queue:
        time.sleep(0.001)
    for number in range(100):
        delivery.take(alert(f"r{number}", fd_name="x" * (1 << 20)))
    assert delivery.dropped == 85
    sink.go.set()
    delivery.close()
    assert len(sink.got) == 16 and delivery._queue_bytes == 0


def test_a_defect_in_one_sink_keeps_nothing_from_the_others(path: Path) -> None:
    class Defect(Memory):
        def flush(self) -> None:
            raise RuntimeError("bug")

    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        raise BrokenPipeError

    sink = Memory()
    delivery = Delivery(Store(str(path)), [Defect(), sink], tell=tell)
    for one in different(20):
        delivery.take(one)
    delivery.close()
    assert len(sink.got) == 20
    assert told == ["a sink failed by a defect of Kernscope: RuntimeError: bug"]
    assert delivery.metrics.lost["defect"] >= 1 and delivery.metrics.lost["messages"] == 1


def test_an_alert_that_cannot_be_placed_is_shown(path: Path) -> None:
    sink = Memory()
    delivery = Delivery(Store(str(path)), [sink])
    good, bad = alert("good"), alert("bad")
    bad.process = [5]  # type: ignore[list-item]
    for one in (bad, good):
        delivery.take(one)
    delivery.close()
    assert sink.got == [("bad", 0, 1, 0), ("good", 1, 1, 1)]
    [(_, count, why)] = StoredAlerts(str(path)).losses()
    assert (count, why) == (1, "it could not be placed in an incident")


def test_incidents_go_on_after_a_restart(path: Path) -> None:
    for number, rule in enumerate("ab", 1):
        sink = Memory()
        delivery = Delivery(Store(str(path)), [sink])
        delivery.take(alert(rule))
        delivery.close()
        assert sink.got == [(rule, 1, 1, number)]


def test_who_wants_to_know_where_alerts_belong(path: Path) -> None:
    seen: list[tuple[int, bool, str]] = []
    delivery = Delivery(
        Store(str(path)),
        placed=lambda alert, placed: seen.append(
            (placed.incident, placed.repeated, threading.current_thread().name)
        ),
    )
    delivery.take(alert())
    delivery.take(alert())
    delivery.close()
    assert seen == [(1, False, "alerts"), (1, True, "alerts")]


def test_sinks_that_count_get_the_counters() -> None:
    sink = PrometheusSink(port=0)
    delivery = Delivery(None, [sink])
    delivery.take(alert("a"))
    assert delivery.wait()
    assert 'kernscope_detect_matches_total{rule="a"} 1' in sink._text()
    delivery.close()


def test_counters_of_rules_are_bounded() -> None:
    metrics = Metrics()
    for number in range(6000):
        metrics.match(str(number))
    assert len(metrics.matches) == 5001 and metrics.matches["(others)"] == 1000

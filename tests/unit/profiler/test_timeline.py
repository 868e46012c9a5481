"""Samples with their times: what `--timeline` and formats that show time ask for."""

from types import SimpleNamespace

import pytest

from kernscope.output.events import LostEvent, ValueEvent
from kernscope.output.symbolic import SymbolFacts
from kernscope.profiler import Collector, Options, collect, mode_named
from kernscope.tables.unwinding import ROWS_MAP

STACK = "\n401000\n"


class FinishedSession:
    """A session of which only the printed records are looked at."""

    def __init__(self) -> None:
        self.facts = SymbolFacts(boot_offset_ns=1_000)
        self.facts.cgroup_path = lambda id, pattern: {7: "unified:/a.slice/b"}.get(id, "")
        self.maps: dict[str, dict[object, object]] = {}
        self.bundle = SimpleNamespace(maps=[SimpleNamespace(name=ROWS_MAP)])
        self.rest_s, self.stopped_ns = 0.0, 0


def collector(**options: bool) -> Collector:
    return Collector(mode_named("cpu"), Options(**options))


def test_the_program_sends_each_sample_only_when_asked() -> None:
    assert "count()" in collector().text and "print(" not in collector().text
    assert "print(" in collector(timeline=True).text and "count()" not in collector(timeline=True).text


def test_each_record_is_a_sample() -> None:
    collecting = collector(timeline=True)
    for record in ((3, 4, "work", "", STACK, 7, 0, 50), (3, 4, "work", "", STACK, 8, 1, 90)):
        collecting._take(ValueEvent(record))
    collecting._take(LostEvent("the ring buffer", 5, 5))
    profile = collecting.profile(FinishedSession())
    assert [(s.pid, s.tid, s.comm, s.value, s.count, s.time_ns, s.labels) for s in profile.samples] == [
        (3, 4, "work", 1, 1, 1_050, {"cpu": "0", "cgroup": "/a.slice/b"}),
        (3, 4, "work", 1, 1, 1_090, {"cpu": "1"}),
    ]
    assert len(profile.stacks) == 1 and profile.lost == 5


def test_what_is_added_up_has_its_control_group() -> None:
    session = FinishedSession()
    session.maps["@samples"] = {(3, 4, "work", "", STACK, 7): 9, (3, 4, "work", "", STACK, 8): 2}
    profile = collector().profile(session)
    assert [(s.count, s.time_ns, s.labels) for s in profile.samples] == [
        (9, 0, {"cgroup": "/a.slice/b"}),
        (2, 0, {}),
    ]


def test_events_beyond_a_bound_are_told_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for the time of everything must not use up the memory."""
    monkeypatch.setattr(collect, "MOST_RECORDS", 3)
    collecting = collector(timeline=True)
    for at in range(5):
        collecting._take(ValueEvent((3, 4, "work", "", STACK, 7, 0, at)))
    profile = collecting.profile(FinishedSession())
    assert profile.count == 3 and profile.lost == 2 and "only the first 3 events" in profile.notes[0]

"""Waits, system calls, requests and faults with their times: what their programs send, and what becomes of it."""

import json
from collections.abc import Sequence

import pytest

from kernscope.output.symbolic import SymbolFacts
from kernscope.profiler import MODES, Options, Profile, mode_named
from kernscope.profiler.formats.speedscope import encode
from kernscope.profiler.stacks import Stacks

STACK = "\n401000\n"
WHO = (3, 4, "work", "", STACK)
WAKER = (9, "other", "", STACK)


def collected(mode: str, records: Sequence[tuple[object, ...]]) -> Profile:
    found = mode_named(mode)
    profile = Profile(mode, found.unit)
    profile.start_ns = 1_000
    found.collect_records(records, Stacks(SymbolFacts(boot_offset_ns=1_000)), profile)
    return profile


def samples(profile: Profile) -> list[tuple[int, int, str, int, int, str]]:
    return [
        (s.pid, s.tid, s.comm, s.value, s.time_ns, profile.frames_of(s)[-1].name) for s in profile.samples
    ]


@pytest.mark.parametrize("mode", MODES)
def test_the_program_sends_events_only_when_asked(mode: str) -> None:
    found = mode_named(mode)
    assert "print(" not in found.program(Options())
    if found.has_timeline:
        text = found.program(Options(timeline=True))
        assert "print((" in text and "sum(" not in text and "count()" not in text and "stats(" not in text
    assert found.has_timeline is (mode != "alloc") and found.timeline_is_cheap is (mode == "cpu")


def test_waits() -> None:
    profile = collected(
        "offcpu", [(50, 7, 0, WHO), (90, 8, 1, WHO), (95, 9, 0, WHO, WAKER), (99, 1, 0, WHO, WAKER)]
    )
    waited, queued, woken, again = samples(profile)
    assert waited == (3, 4, "work", 7, 1_050, "[unknown]")
    assert queued == (3, 4, "work", 8, 1_090, "[waiting for a processor]")
    assert woken[:5] == (3, 4, "work", 9, 1_095) and again[3:5] == (1, 1_099)
    names = [frame.name for frame in profile.frames_of(profile.samples[2])]
    assert "[woken by other 9]" in names and profile.samples[2].stack == profile.samples[3].stack


def test_system_calls() -> None:
    profile = collected("syscalls", [(3, 4, "work", STACK, 0, 50, 7), (3, 5, "work", STACK, 0, 60, 8)])
    assert samples(profile) == [(3, 4, "work", 7, 1_050, "read"), (3, 5, "work", 8, 1_060, "read")]
    assert len(profile.stacks) == 1


def test_requests_and_faults() -> None:
    profile = collected("io", [(WHO, 7 << 20 | 200, "WS", 50, 7)])
    ((*rest, place),) = samples(profile)
    assert rest == [3, 4, "work", 7, 1_050] and place.endswith(" write]")
    profile = collected("faults", [(3, 4, "work", STACK, "major", 50)])
    assert samples(profile) == [(3, 4, "work", 1, 1_050, "[major fault]")]


def test_where_they_are_in_speedscope() -> None:
    profile = collected("offcpu", [(50, 7, 0, WHO), (80, 5, 0, WHO)])
    (thread,) = json.loads(encode(profile))["profiles"]
    assert thread["weights"] == [50, 7, 23, 5] and thread["samples"][0] == thread["samples"][2] == []
    assert thread["unit"] == "nanoseconds" and thread["endValue"] == 85

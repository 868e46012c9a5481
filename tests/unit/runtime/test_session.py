"""The session against a kernel in memory: order of things, losses, failures half-way, output."""

import asyncio
import io
import os
import struct
import subprocess
import threading
from typing import Any

import pytest
from fake import FakeKernel
from records import encode_record, encode_stored

from kernscope.bundle import Attach, Bundle, Counter, MapSpec, ProgramSpec, Record, Relocation, UserMap
from kernscope.output import EventSink, JsonSink, TextSink
from kernscope.output.events import (
    AttachedEvent,
    EndEvent,
    ErrorEvent,
    Event,
    KeyedValueEvent,
    LostEvent,
    MapEvent,
    MissedEvent,
    PrintfEvent,
    ValueEvent,
)
from kernscope.runtime import Session, SessionError
from kernscope.types import INT64, Aggregate, String, Tuple

COUNT = Aggregate("count", 8)
PRINTF, EXIT, PRINT_MAP, CLEAR, ZERO, KEYED, VALUE, ERROR = range(8)


def make_bundle() -> Bundle:
    b = Bundle("test.bt", "begin { }\ntracepoint:a:b { @h[1] = 2 }")
    b.maps = [
        MapSpec("globals", 2, 4, 256, 1, initial=b"\0" * 8),
        MapSpec("events", 27, 0, 0, 4096),
        MapSpec("control", 27, 0, 0, 4096),
        MapSpec("m_h", 1, 8, 8, 100),
        MapSpec("cells", 2, 4, 128, 1),
    ]
    code = bytes.fromhex("18010000 00000000 00000000 00000000 95000000 00000000")
    b.programs = [
        ProgramSpec("begin", 17, code, (), (Attach("begin", "begin"),)),
        ProgramSpec(
            "work",
            17,
            code,
            (Relocation(0, "map_value", "globals", 24),),
            (Attach("tracepoint", "tracepoint:a:b"), Attach("tracepoint", "tracepoint:c:d")),
        ),
        ProgramSpec("end", 17, code, (), (Attach("end", "end"),)),
    ]
    b.records = [
        Record(PRINTF, "printf", (INT64, String(200)), text="%d %s\n"),
        Record(EXIT, "exit", (INT64,)),
        Record(PRINT_MAP, "print_map", (), text="@h", values=(0, 0)),
        Record(CLEAR, "clear", (), text="@c"),
        Record(ZERO, "zero", (), text="@c"),
        Record(KEYED, "print_keyed", (INT64,), text="@h"),
        Record(VALUE, "print_value", (Tuple((INT64, String(16))),)),
        Record(ERROR, "error", (INT64,), text="it went wrong", values=("map_update_elem",), span=(10, 14)),
    ]
    b.user_maps = [
        UserMap("@h", INT64, INT64, "hash", "m_h"),
        UserMap("@c", INT64, COUNT, "cells", "cells", offset=16, stride=64, count=3, domain=("x", None, "z")),
        UserMap("@g", None, INT64, "global", "globals", offset=128),
    ]
    b.clauses = ["begin", "tracepoint:a:b"]
    b.counters = [
        Counter("lost", 64, clause=1),
        Counter("map_full", 72, name="@h", span=(27, 32)),
        Counter("control_lost", 80),
    ]
    b.probe_count = 4
    return b


class Run:
    """A session on a fake kernel, with what tests need to play the programs' part."""

    def __init__(self, **arguments: Any) -> None:
        self.kernel = FakeKernel()
        self.bundle = make_bundle()
        self.session = Session(self.bundle, self.kernel, attach=self.kernel.attach, **arguments)  # type: ignore[arg-type]

    def send(self, id: int, *values: Any) -> None:
        self.kernel.rings["events"].send(encode_record(id, self.bundle.records[id].types, values))

    def control(self, id: int, *values: Any) -> None:
        position = self.kernel.rings["events"].producer_pos
        data = encode_record(id, self.bundle.records[id].types, values, position)
        self.kernel.rings["control"].send(data)

    def add(self, cpu: int, index: int, n: int) -> None:
        memory, at = self.kernel.maps["cells"].memory, 16 + 64 * cpu + 8 * index
        struct.pack_into("<Q", memory, at, struct.unpack_from("<Q", memory, at)[0] + n)

    def events(self) -> list[Event]:
        return list(self.session)


def test_order_of_a_whole_life() -> None:
    run = Run()
    run.kernel.behaviour["begin"] = lambda: run.send(PRINTF, 1, b"begin")
    run.kernel.behaviour["end"] = lambda: run.send(PRINTF, 3, b"end")
    with run.session:
        run.send(PRINTF, 2, b"event")
        run.control(EXIT, 7)
        events = run.events()
    assert [type(e) for e in events] == [AttachedEvent, PrintfEvent, PrintfEvent, PrintfEvent, EndEvent]
    assert [str(e) for e in events if isinstance(e, PrintfEvent)] == ["1 begin\n", "2 event\n", "3 end\n"]
    assert events[0] == AttachedEvent(4)
    assert run.session.exit_code == 7
    diary = run.kernel.diary
    order = [
        "create globals",
        "load end",
        "run begin",
        "attach tracepoint:a:b",
        "attach tracepoint:c:d",
        "close link tracepoint:a:b",
        "close link tracepoint:c:d",
        "run end",
        "close work",
    ]
    assert [diary.index(step) for step in order] == sorted(diary.index(step) for step in order)
    assert run.kernel.open_objects == []


def test_relocations_are_patched() -> None:
    run = Run()
    with run.session:
        fd = run.kernel.maps["globals"].fd
        assert run.kernel.code["work"][:16] == struct.pack("<BBhiBBhi", 0x18, 0x21, 0, fd, 0, 0, 0, 24)


def test_exit_in_begin_attaches_nothing_more() -> None:
    run = Run()

    def begin() -> None:
        run.kernel.set_word("globals", 0, 1)
        run.control(EXIT, 3)

    run.kernel.behaviour["begin"] = begin
    assert run.session.run() == 3
    assert not any(step.startswith("attach") for step in run.kernel.diary)
    assert "run end" in run.kernel.diary


def test_exit_whose_record_was_lost_still_ends() -> None:
    run = Run()
    run.kernel.behaviour["begin"] = lambda: run.kernel.set_word("globals", 0, 1)
    assert run.session.run() == 0


def test_control_records_are_handled_between_the_events_around_them() -> None:
    run = Run()
    with run.session as session:
        run.kernel.maps["m_h"].content[encode_stored(INT64, 5)] = encode_stored(INT64, 50)
        run.send(PRINTF, 1, b"before")
        run.control(PRINT_MAP)
        run.send(PRINTF, 2, b"after")
        run.control(KEYED, 5)
        run.control(EXIT, 0)
        run.send(PRINTF, 3, b"late")
        events = [e for e in session if not isinstance(e, AttachedEvent | EndEvent)]
    assert events == [
        PrintfEvent("1 before\n", (1, "before")),
        MapEvent("@h", {5: 50}),
        PrintfEvent("2 after\n", (2, "after")),
        KeyedValueEvent("@h", 5, 50),
        PrintfEvent("3 late\n", (3, "late")),
        MapEvent("@h", {5: 50}, at_end=True),
    ]


def test_clear_and_zero_of_cells_and_maps_after_the_end() -> None:
    run = Run()
    with run.session as session:
        run.add(0, 0, 3)
        run.add(1, 0, 4)
        run.add(1, 2, 1)
        assert session.maps["@c"].snapshot() == {"z": 1, "x": 7}
        run.control(CLEAR)
        session.wait(0.01)
        assert dict(session.maps["@c"]) == {}
        run.add(1, 0, 2)
        assert dict(session.maps["@c"]) == {"x": 2}
        run.control(ZERO)
        session.wait(0.01)
        assert dict(session.maps["@c"]) == {"x": 0}
        run.add(0, 2, 5)
        assert list(session.maps["@c"].items()) == [("x", 0), ("z", 5)]
        run.kernel.set_word("globals", 128, (1 << 64) - 9)
        assert session.maps["@g"].snapshot() == {} and session.maps["@g"].value == 0
        run.kernel.set_word("globals", 136, 1)
        assert session.maps["@g"].value == -9
    assert dict(session.maps["@c"]) == {"x": 0, "z": 5}
    assert session.maps["@c"]["z"] == 5 and "y" not in session.maps["@c"] and len(session.maps["@c"]) == 2
    assert session.maps["@g"].value == -9
    with pytest.raises(TypeError):
        session.maps["@c"].value  # noqa: B018


def test_text_output_of_a_run() -> None:
    out, messages = io.BytesIO(), io.BytesIO()
    run = Run(sinks=[TextSink(out, messages, terminal=True)])
    with run.session as session:
        run.send(PRINTF, 1, b"\x1b[2Jx")
        run.send(VALUE, (2, b"a"))
        run.kernel.maps["m_h"].content[encode_stored(INT64, 1)] = encode_stored(INT64, -2)
        run.control(PRINT_MAP)
        run.add(0, 0, 1)
        run.control(ERROR, -7)
        run.kernel.set_word("globals", 64, 12)
        run.kernel.set_word("globals", 72, 1)
        session.stop()
        session.run()
    assert out.getvalue().decode() == "1 \\x1b[2Jx\n(2, a)\n@h[1]: -2\n\n\n@c[x]: 1\n@h[1]: -2\n"
    text = messages.getvalue().decode()
    assert text.startswith("Attached 4 probes\n")
    assert "it went wrong" in text and "--> test.bt:2:1" in text
    assert "`map_update_elem` returned -7" in text
    assert "12 events from `tracepoint:a:b` lost" in text
    assert "map `@h` is full" in text


def test_json_output_of_a_run() -> None:
    out = io.BytesIO()
    run = Run(sinks=[JsonSink(out)])
    with run.session as session:
        run.send(PRINTF, 1, b"\xff\x07")
        run.send(VALUE, (2, b"a"))
        run.add(1, 2, 4)
        session.stop()
        session.run()
    assert out.getvalue().decode().splitlines() == [
        '{"type": "attached_probes", "count": 4, "data": {"probes": 4}}',
        '{"type": "printf", "data": "1 \\udcff\\u0007\\n"}',
        '{"type": "value", "data": [2,"a"]}',
        '{"type": "map", "data": {"@c": {"z": 4}}}',
    ]


def test_repeated_errors_are_counted_not_repeated() -> None:
    run = Run()
    with run.session as session:
        for _ in range(1000):
            run.control(ERROR, -7)
        run.control(ERROR, -12)
        session.stop()
        errors = [(e.code, e.count) for e in run.events() if isinstance(e, ErrorEvent)]
    assert errors == [(-7, 1), (-12, 1), (-7, 999)]
    assert [(e.code, e.count) for e in session.warnings] == [(-7, 1000), (-12, 1)]


def test_losses_and_errors_are_events_and_numbers() -> None:
    run = Run()
    with run.session as session:
        run.kernel.set_word("globals", 64, 5)
        run.kernel.set_word("globals", 80, 2)
        run.kernel.set_word("globals", 72, 3)
        run.kernel.programs["work"].recursion_misses = 4
        session.stop()
        events = run.events()
    assert session.lost == 7
    assert session.lost_by_clause == {"tracepoint:a:b": 5, "": 2}
    assert [e for e in events if isinstance(e, LostEvent)] == [
        LostEvent("tracepoint:a:b", 5, 5),
        LostEvent("", 2, 2),
    ]
    assert MissedEvent("work", 4) in events
    (error,) = [e for e in events if isinstance(e, ErrorEvent)]
    assert error.count == 3 and error.span == (27, 32) and "@h" in error.message
    assert session.warnings == [error]


@pytest.mark.parametrize(
    "fail_at", ["create globals", "create cells", "load begin", "load end", "attach tracepoint:c:d"]
)
def test_a_failure_half_way_undoes_the_first_half(fail_at: str) -> None:
    run = Run()
    run.kernel.fail_at = fail_at
    with pytest.raises(OSError, match="cannot"):
        run.session.start()
    assert run.kernel.open_objects == []
    assert not run.session.running
    run.session.close()


def test_failure_in_the_users_loop_closes_everything() -> None:
    run = Run()
    run.kernel.behaviour["begin"] = lambda: run.send(PRINTF, 1, b"x")
    with pytest.raises(ZeroDivisionError), run.session as session:
        for _ in session:
            1 / 0  # noqa: B018
    assert run.kernel.open_objects == []
    assert "run end" in run.kernel.diary


def test_broken_pipe_ends_the_session() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    run = Run(sinks=[TextSink(writer, None)])
    with run.session as session:
        run.send(PRINTF, 1, b"x")
        session.run()
    os.close(writer)
    assert isinstance(session.problem, BrokenPipeError)
    assert run.kernel.open_objects == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_keeps_what_could_not_be_written() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    sink = TextSink(full, None)
    run = Run(sinks=[sink])
    with run.session as session:
        run.send(PRINTF, 1, b"x")
        run.add(0, 0, 2)
        session.run()
    os.close(full)
    assert session.problem is not None and session.problem.errno == 28
    assert sink.unwritten == b"1 x\n\n\n@c[x]: 2\n"
    assert dict(session.maps["@c"]) == {"x": 2}


def test_stop_from_another_thread_wakes_the_loop() -> None:
    run = Run()
    run.session.start()
    timer = threading.Timer(0.05, run.session.stop)
    timer.start()
    assert run.session.run() == 0
    timer.join()


def test_duration_ends_the_session() -> None:
    run = Run(duration=0.02)
    with run.session as session:
        assert session.wait(5)
        assert not session.running


def test_events_for_some_time_then_on() -> None:
    run = Run()
    with run.session as session:
        assert [type(e) for e in session.events(0.01)] == [AttachedEvent]
        run.send(PRINTF, 1, b"x")
        assert list(session.events(0.02)) == [PrintfEvent("1 x\n", (1, "x"))]
        assert session.running


def test_events_that_nobody_takes_stay_in_the_ring_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernscope.runtime.session.QUEUE_EVENTS", 10)
    run = Run()
    with run.session as session:
        for n in range(40):
            run.send(PRINTF, n, b"")
        session.wait(0.01)
        for n in range(40, 60):
            run.send(PRINTF, n, b"")
        assert not session.wait(0.03)
        assert run.kernel.rings["events"].pending_bytes > 0
        run.kernel.set_word("globals", 0, 1)
        run.control(EXIT, 0)
        assert session.wait(5)
    assert [e.args[0] for e in session if isinstance(e, PrintfEvent)] == list(range(60))


def test_async_iteration() -> None:
    run = Run()

    async def collect() -> list[Event]:
        found = []
        with run.session as session:
            asyncio.get_running_loop().call_later(0.02, lambda: run.send(PRINTF, 1, b"x"))
            asyncio.get_running_loop().call_later(0.04, lambda: run.control(EXIT, 0))
            async for event in session:
                found.append(event)
        return found

    events = asyncio.run(asyncio.wait_for(collect(), 5))
    assert [type(e) for e in events] == [AttachedEvent, PrintfEvent, EndEvent]


def test_a_process_that_ends_ends_the_session() -> None:
    with subprocess.Popen(["sleep", "0.05"]) as child:
        run = Run(pid=child.pid)
        assert run.session.run() == 0
        child.wait()


def test_a_process_that_ends_ends_the_session_while_events_keep_coming() -> None:
    """A program that sees what the session itself does, for instance, has a new event in every round."""
    seen: list[Event] = []

    def again(event: Event) -> None:
        if isinstance(event, PrintfEvent) and len(seen) < 1000:
            seen.append(event)
            if run.session.running:
                run.send(PRINTF, len(seen), b"")

    with subprocess.Popen(["sleep", "0.05"]) as child:
        run = Run(pid=child.pid, sinks=[EventSink(again)])
        run.session.start()
        run.send(PRINTF, 0, b"")
        assert run.session.run() == 0
        child.wait()
    assert 0 < len(seen) < 1000


def test_unknown_process() -> None:
    run = Run(pid=2**22 + 1)
    with pytest.raises(SessionError, match="no process"):
        run.session.start()
    assert run.kernel.open_objects == []


def test_sinks_and_iteration_together_start_before_the_session() -> None:
    out = io.BytesIO()
    run = Run(sinks=[TextSink(out)])
    run.kernel.behaviour["begin"] = lambda: (run.send(PRINTF, 1, b"x"), run.control(EXIT, 0))
    assert ValueEvent(1) != PrintfEvent("", ())
    assert PrintfEvent("1 x\n", (1, "x")) in list(run.session)
    assert out.getvalue().startswith(b"1 x\n")
    with pytest.raises(SessionError), Run(sinks=[TextSink(io.BytesIO())]).session as session:
        list(session)

"""Sessions on the running kernel: output as bpftrace 0.27 was observed to print it, and the order of things."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest
from command_line import needs_tracing

import kernscope
from kernscope.output.events import EndEvent, PrintfEvent, ValueEvent

pytestmark = needs_tracing

BAR = "@" * 52


def text_of(program: str, terminal: bool = False) -> str:
    out = io.BytesIO()
    session = kernscope.run(program, sinks=[kernscope.TextSink(out, None, terminal=terminal)])
    session.run()
    return out.getvalue().decode()


def json_of(program: str) -> list[str]:
    out = io.BytesIO()
    kernscope.run(program, sinks=[kernscope.JsonSink(out, quiet=True)]).run()
    return out.getvalue().decode().splitlines()


@pytest.mark.parametrize(
    ("program", "text"),
    [
        (
            'begin { @a=1; @b=2; printf("b\\n"); exit() } end { printf("e\\n"); }',
            "b\ne\n\n\n@a: 1\n@b: 2\n",
        ),
        (
            'begin { @x=(1,"abc",(2,-3)); @k[1,("a",2)]=2; @f[true]=false; exit() }',
            "\n\n@f[true]: false\n@k[1, (a, 2)]: 2\n@x: (1, abc, (2, -3))\n",
        ),
        (
            "begin { @c=count(); @c=count(); @s=sum(5); @s=sum(-7); @a=avg(3); @a=avg(4); @mi=min(3); @mi=min(-4);"
            "@ma=max(-3); @ma=max(-9); @st=stats(3); @st=stats(-8); exit() }",
            "\n\n@a: 3\n@c: 2\n@ma: -3\n@mi: -4\n@s: -2\n@st: { .count = 2, .average = -2, .total = -5 }\n",
        ),
        (
            'begin { @["z"]=hist(3); @["a"]=hist(3); @["a"]=hist(3); exit() }',
            f"\n\n@[z]:\n[2, 4)                 1 |{BAR}|\n\n@[a]:\n[2, 4)                 2 |{BAR}|\n\n",
        ),
        (
            "begin { @l[1]=lhist(95,0,100,30); @l[1]=lhist(1000,0,100,30); exit() }",
            f"\n\n@l[1]:\n[90, ...)              2 |{BAR}|\n\n",
        ),
        (
            "begin { @e[1]=1; @e[2]=5; zero(@e); @s=5; zero(@s); @c=count(); zero(@c); @h=hist(5); zero(@h); exit() }",
            "\n\n@c: 0\n@e[1]: 0\n@e[2]: 0\n@h:\n\n@s: 0\n",
        ),
        ("begin { @e[1]=1; clear(@e); @c=count(); clear(@c); @s=1; clear(@s); exit() }", "\n\n"),
        (
            "begin { @x[1]=(int64)5; @x[2]=3; @x[3]=9; print(@x); print(@x, 2); print(@x, 5, 2); clear(@x); exit() }",
            "@x[2]: 3\n@x[1]: 5\n@x[3]: 9\n@x[1]: 5\n@x[3]: 9\n@x[2]: 1\n@x[1]: 2\n@x[3]: 4\n\n\n",
        ),
        (
            'begin { print(5); print("str"); print((1,"a",(true,-2))); print(1==1); print(""); exit() }',
            "5\nstr\n(1, a, (true, -2))\ntrue\n\n\n\n",
        ),
        (
            'begin { printf("%s %d|%5s|%r\\n", probe, -1, "ab", buf("a\\x01b", 3)); exit() }',
            "begin -1|   ab|a\\x01b\n\n\n",
        ),
        ("begin { if (pid == 0) { @n = 1; @c = count(); @k[1] = hist(1); } exit() }", "\n\n"),
    ],
)
def test_text(program: str, text: str) -> None:
    assert text_of(program) == text


def test_json() -> None:
    program = (
        'begin { printf("hi %d\\n", 1); print((1,"a",true)); @x[1,"a"]=5; print(@x); print(@x[1,"a"]);'
        "@h=hist(-1); @h=hist(1); @st[1]=stats(4); @c[true]=count(); @av=avg(3); exit() }"
    )
    assert json_of(program) == [
        '{"type": "printf", "data": "hi 1\\n"}',
        '{"type": "value", "data": [1,"a",true]}',
        '{"type": "map", "data": {"@x": {"1,a": 5}}}',
        '{"type": "value", "data": 5}',
        '{"type": "stats", "data": {"@av": 3}}',
        '{"type": "map", "data": {"@c": {"true": 1}}}',
        '{"type": "hist", "data": {"@h": [{"max": -1, "count": 1},{"min": 0, "max": 0, "count": 0},'
        '{"min": 1, "max": 1, "count": 1}]}}',
        '{"type": "stats", "data": {"@st": {"1": {"count": 1, "average": 4, "total": 4}}}}',
        '{"type": "map", "data": {"@x": {"1,a": 5}}}',
    ]


@pytest.mark.parametrize("key", ["", "[1]", "[$zero]", '["k", $zero]'])
def test_every_aggregation_with_values_the_verifier_does_not_know(key: str) -> None:
    """However the map is stored, the numbers agree with each other and the verifier accepts the code."""
    program = f"""
        interval:us:500 {{
            $v = (int64)(nsecs % 4000) - 1000; $zero = $v - $v;
            @count{key} = count(); @sum{key} = sum($v); @avg{key} = avg($v); @min{key} = min($v);
            @max{key} = max($v); @stats{key} = stats($v);
            @h0{key} = hist($v); @h3{key} = hist($v, 3); @h5{key} = hist($v, 5);
            @l{key} = lhist($v, 0, 2000, 100);
        }}
        interval:ms:120 {{ exit(); }}
    """
    with kernscope.run(program) as session:
        assert session.wait(10)
    (n,) = Counter(session.maps["@count"]).values()
    (stats,) = session.maps["@stats"].values()
    assert n > 20
    assert (stats.count, stats.total) == (n, *session.maps["@sum"].values())
    assert [stats.average] == list(session.maps["@avg"].values())
    (low,), (high,) = session.maps["@min"].values(), session.maps["@max"].values()
    assert -1000 <= low <= stats.average <= high < 3000
    for name in ("@h0", "@h3", "@h5", "@l"):
        (histogram,) = session.maps[name].values()
        assert histogram.total == n, name
        first, last = histogram.buckets[0], histogram.buckets[-1]
        assert first.low is None or first.low <= low
        assert last.high is None or last.high > high


def test_begin_runs_before_and_end_after_all_other_probes() -> None:
    program = """
        begin { @first = nsecs; printf("begin\\n"); }
        interval:ms:5 { @n = count(); if (@first == 0) { printf("too early\\n"); } }
        interval:ms:40 { exit(); }
        end { printf("end %d\\n", (int64)@n); }
    """
    with kernscope.run(program) as session:
        events = [e for e in session if isinstance(e, PrintfEvent)]
    assert events[0].text == "begin\n"
    assert events[-1].text == f"end {session.maps['@n'].value}\n"
    assert len(events) == 2


def test_maps_are_readable_while_the_session_runs() -> None:
    with kernscope.run("interval:ms:2 { @[cpu] = count(); @s = sum(2); }") as session:
        session.wait(0.05)
        # The program goes on between two reads, and may be between its two updates.
        before = sum(session.maps["@"].values())
        early = session.maps["@s"].value
        after = sum(session.maps["@"].values())
        assert early > 0 and before - 1 <= early // 2 <= after
        session.wait(0.05)
        assert session.maps["@s"].value > early
        late = session.maps["@s"].value
    assert session.maps["@s"].value >= late
    assert not session.running


def test_a_signal_runs_its_probe() -> None:
    with kernscope.run('self:signal:SIGUSR1 { printf("%s %d\\n", probe, pid); exit(); }') as session:
        os.kill(os.getpid(), signal.SIGUSR1)
        events = [e.text for e in session if isinstance(e, PrintfEvent)]
    assert events == [f"self:signal:SIGUSR1 {os.getpid()}\n"]
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


def test_sigint_ends_run_cleanly_and_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    session = kernscope.run("begin { @a = 1; } end { @b = 2; }", sinks=[kernscope.TextSink(io.BytesIO())])
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    assert session.run(signals=(signal.SIGINT, signal.SIGTERM)) == 0
    timer.join()
    assert session.maps["@b"].value == 2
    assert signal.getsignal(signal.SIGINT) is before


def test_async_iteration() -> None:
    async def collect() -> list[object]:
        found = []
        with kernscope.run("interval:ms:5 { @n++; $n = @n; print($n); if ($n == 5) { exit(); } }") as session:
            async for event in session:
                if isinstance(event, ValueEvent):
                    found.append(event.value)
        return found

    assert asyncio.run(asyncio.wait_for(collect(), 10)) == [1, 2, 3, 4, 5]


def test_exit_code_and_last_event() -> None:
    with kernscope.run("begin { exit(7); }") as session:
        events = list(session)
    assert session.exit_code == 7
    assert events[-1] == EndEvent(7)


def test_the_end_of_a_process_ends_the_session() -> None:
    with subprocess.Popen(["sleep", "0.1"]) as child:
        started = time.monotonic()
        with kernscope.run("interval:ms:10 { @ = count(); }", pid=child.pid) as session:
            threading.Thread(target=child.wait).start()
            assert session.wait(10)
        assert time.monotonic() - started < 5
        assert session.maps["@"].value >= 5


def test_a_command_that_outlives_the_session_is_ended() -> None:
    with kernscope.run("begin { @c = cpid; } interval:ms:50 { exit(); }", command=["sleep", "60"]) as session:
        assert session.wait(10)
    pid = session.maps["@c"].value
    assert session.command_status == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_was_emitted_and_lost_is_what_happened() -> None:
    """A reader that does not read: the ring fills up, and every loss is counted."""
    calls = 30_000
    burst = f"import os\nfor _ in range({calls}): os.getppid()\nos._exit(0)"
    program = "tracepoint:syscalls:sys_enter_getppid /pid == cpid/ { print((pid, nsecs, comm)); }"
    session = kernscope.run(
        f"config = {{ perf_rb_pages = 4 }} {program}", command=[sys.executable, "-c", burst]
    )
    with session:
        time.sleep(1.5)
        values = [e for e in session if isinstance(e, ValueEvent)]
    assert session.lost > 0
    assert len(values) + session.lost == calls
    assert set(session.lost_by_clause) == {"tracepoint:syscalls:sys_enter_getppid"}

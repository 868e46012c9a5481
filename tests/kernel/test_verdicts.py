"""Verdicts on the running kernel: they are followed, or only counted; and they end with the tracer, however it ends."""

import io
import json
import os
import signal
import time
from collections.abc import Iterator

import pytest
from command_line import Tracer, eventually, kernscope, needs_tracing
from private_network import Receiver, own_network

import kernscope as ks
from kernscope.kernel import Kernel

pytestmark = [
    needs_tracing,
    pytest.mark.skipif(not Kernel().has_feature("netfilter"), reason="no BPF netfilter links (Linux 6.4)"),
]

ENFORCE = {"enforce": True}


@pytest.fixture(autouse=True)
def network() -> Iterator[None]:
    with own_network():
        yield


def drop(port: int, hook: str = "input", action: str = "@dropped = count(); drop();") -> str:
    return f"netfilter:ipv4:{hook} /udp->dest == {port}/ {{ {action} }}"


def test_drop_drops_what_it_is_about_and_nothing_else() -> None:
    with Receiver() as first, Receiver() as second:
        with ks.run(drop(first.port), settings=ENFORCE) as session:
            first.send(40)
            second.send(30)
            assert second.take(30) == 30
            assert eventually(lambda: session.maps["@dropped"].value == 40)
            assert first.is_empty()
        first.send(5)
        assert first.take(5) == 5


def test_a_dry_run_counts_and_lets_go_on() -> None:
    with Receiver() as receiver:
        events: list[ks.Event] = []
        with ks.run(drop(receiver.port), dry_run=True, sinks=[ks.EventSink(events.append)]) as session:
            receiver.send(25)
            assert receiver.take(25) == 25
            assert session.maps["@dropped"].value == 25
    verdicts = [e for e in events if isinstance(e, ks.VerdictEvent)]
    assert [(v.probe, v.verdict, v.count, v.enforced) for v in verdicts] == [
        ("netfilter:ipv4:input", "drop()", 25, False)
    ]


def test_accept_decides_nothing_and_ends_the_action() -> None:
    with Receiver() as receiver:
        program = drop(receiver.port, action="@in = count(); accept(); @never = count(); drop();")
        with ks.run(program, settings=ENFORCE) as session:
            receiver.send(10)
            assert receiver.take(10) == 10
            assert session.maps["@in"].value == 10 and session.maps["@never"].value == 0


def test_a_drop_stands_whatever_later_actions_say() -> None:
    with Receiver() as receiver:
        program = drop(receiver.port) + drop(receiver.port, action="@later = count(); accept();")
        with ks.run(program, settings=ENFORCE) as session:
            receiver.send(12)
            assert eventually(lambda: session.maps["@later"].value == 12)
            assert receiver.is_empty()


def test_a_verdict_out_of_a_loop_over_a_map() -> None:
    with Receiver() as receiver:
        program = f"begin {{ @ports[{receiver.port}] = 1; }} " + (
            "netfilter:ipv4:input { for ($kv : @ports) { if ($kv.0 == udp->dest) { @n = count(); drop(); } } }"
        )
        with ks.run(program, settings=ENFORCE) as session:
            receiver.send(7)
            assert eventually(lambda: session.maps["@n"].value == 7)
            assert receiver.is_empty()


def test_a_verdict_in_a_function_ends_the_action() -> None:
    with Receiver() as receiver:
        program = (
            f"fn refuse($port : uint16) : void {{ if ($port == {receiver.port}) {{ drop(); @never = count(); }} }} "
            "netfilter:ipv4:input { @n = count(); refuse(udp->dest); @after[udp->dest] = count(); }"
        )
        with ks.run(program, settings=ENFORCE) as session:
            receiver.send(4)
            assert eventually(lambda: session.maps["@n"].value >= 4)
            assert receiver.is_empty() and session.maps["@never"].value == 0
            assert receiver.port not in session.maps["@after"]


@pytest.mark.parametrize(("dropping", "counting", "seen"), [(-10, 10, 0), (10, -10, 9)])
def test_priorities_order_the_probes_of_a_hook(dropping: int, counting: int, seen: int) -> None:
    with Receiver() as receiver:
        port = receiver.port
        program = drop(port, f"input:{dropping}") + drop(port, f"input:{counting}", "@seen = count();")
        with ks.run(program, settings=ENFORCE) as session:
            receiver.send(9)
            assert eventually(lambda: session.maps["@dropped"].value == 9)
            assert session.maps["@seen"].value == seen


def test_two_programs_with_one_priority() -> None:
    with ks.run("netfilter:ipv4:input { @ = count(); }"):
        done = kernscope("run", "-e", "netfilter:ipv4:input { @ = count(); }")
    assert done.returncode == 3 and "with this priority: give another one" in done.stderr


# --- the command ------------------------------------------------------------------------------------------


def test_the_command_wants_a_yes() -> None:
    done = kernscope("run", "-e", drop(1))
    assert done.returncode == 1 and "error[enforcement-not-allowed]" in done.stderr
    assert "--enforce" in done.stderr and "--dry-run" in done.stderr


def test_the_command_dry() -> None:
    with Receiver() as receiver, Tracer("--dry-run", "-v", "-e", drop(receiver.port)) as tracer:
        receiver.send(3)
        assert receiver.take(3) == 3
        done = tracer.stop()
    assert done.code == 0
    assert done.out.count("netfilter:ipv4:input: drop()\n") == 3
    assert "netfilter:ipv4:input drop(): 3 (dry run: not enforced)\n" in done.out
    assert "@dropped: 3" in done.out


def test_verdicts_as_json() -> None:
    with Receiver() as receiver:
        out = io.BytesIO()
        sinks = [ks.JsonSink(out, quiet=True)]
        with ks.run(drop(receiver.port), settings=ENFORCE, sinks=sinks) as session:
            receiver.send(4)
            assert eventually(lambda: session.maps["@dropped"].value == 4)
    messages = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [m["data"] for m in messages if m["type"] == "verdict"] == [
        {"probe": "netfilter:ipv4:input", "verdict": "drop()", "count": 4, "enforced": True}
    ]


def test_killed_it_leaves_nothing_behind() -> None:
    with Receiver() as receiver, Tracer("--enforce", "-e", drop(receiver.port)) as tracer:
        receiver.send(5)
        assert receiver.take(5, 0.3) == 0
        tracer.process.send_signal(signal.SIGKILL)
        tracer.process.wait()
        assert eventually(lambda: receiver.send() or receiver.take(1, 0.2) == 1)


def test_it_ends_by_itself() -> None:
    with Receiver() as receiver:
        started = time.monotonic()
        done = kernscope("run", "--enforce", "--ttl", "500ms", "-e", drop(receiver.port))
        assert done.returncode == 0 and time.monotonic() - started >= 0.5
        receiver.send(2)
        assert receiver.take(2) == 2


def test_a_tracer_that_hangs_does_not_enforce_beyond_its_time() -> None:
    with Receiver() as receiver, Tracer("--enforce", "--ttl", "1s", "-e", drop(receiver.port)) as tracer:
        tracer.process.send_signal(signal.SIGSTOP)
        assert eventually(lambda: receiver.send() or receiver.take(1, 0.2) == 1, 30)
        tracer.process.send_signal(signal.SIGCONT)
        assert tracer.wait().code == 0


def test_a_compiled_program_wants_a_yes_again(tmp_path: "os.PathLike[str]") -> None:
    file = os.path.join(tmp_path, "drop.ks")
    assert kernscope("compile", "--enforce", "-e", drop(1), "-o", file).returncode == 0
    done = kernscope("run", file)
    assert done.returncode == 2 and "has verdicts" in done.stderr
    assert kernscope("run", "--enforce", "--ttl", "100ms", file).returncode == 0
    assert "0 (dry run: not enforced)" in kernscope("run", "--dry-run", "--ttl", "100ms", file).stdout


def test_text_of_verdicts() -> None:
    with Receiver() as receiver:
        out = io.BytesIO()
        with ks.run(drop(receiver.port, action="drop();"), settings=ENFORCE, sinks=[ks.TextSink(out, None)]):
            receiver.send(6)
            assert receiver.take(1, 0.2) == 0
    assert out.getvalue() == b"netfilter:ipv4:input drop(): 6\n\n\n"

"""Verdicts: where they are possible, what they need, what programs return, what is counted; without a kernel."""

import io
import json

import pytest
from checking import bundle_of, findings
from fake_kernel import FakeKernel

from kernscope.bundle import Bundle, Counter
from kernscope.compiler import compile_source
from kernscope.diagnostics import Source
from kernscope.output import JsonSink, TextSink, VerdictEvent
from kernscope.probes import KINDS
from kernscope.probes.verdicts import Verdicts
from kernscope.runtime.counters import Counters


def compiled(text: str, **settings: bool) -> Bundle:
    return compile_source(Source("test", text), FakeKernel(), settings=settings)


@pytest.mark.parametrize(
    ("program", "found"),
    [
        ("begin { deny(); }", [("no-verdict", "deny()")]),
        ("interval:s:1 { drop(); }", [("no-verdict", "drop()")]),
        ("netfilter:ipv4:input { deny(); }", [("no-verdict", "deny()")]),
        ("cgroup:/:connect4 { drop(); }", [("no-verdict", "drop()")]),
        ("cgroup:/:recvmsg4 { deny(); }", [("no-verdict", "deny()")]),
        ("netfilter:ipv4:input { drop(); }", [("enforcement-not-allowed", "drop()")]),
        ("netfilter:ipv4:input { accept(); }", [("enforcement-not-allowed", "accept()")]),
        ("cgroup:/:connect4 { deny(1, 2); }", [("wrong-arguments", "deny(1, 2)")]),
    ],
)
def test_where_they_are_refused(program: str, found: list[tuple[str, str]]) -> None:
    assert findings(program) == found


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        ("EACESS", "unknown-name"),
        ("0", "wrong-arguments"),
        ("5000", "wrong-arguments"),
        ("pid + 1", "constant-needed"),
    ],
)
def test_errors_that_are_none(argument: str, code: str) -> None:
    found = [c for c, _ in findings(f"cgroup:/:connect4 {{ deny({argument}); }}")]
    assert code in found


@pytest.mark.parametrize("setting", ["unsafe", "enforce", "dry_run"])
def test_what_allows_them(setting: str) -> None:
    assert compiled("netfilter:ipv4:input { drop(); }", **{setting: True}).has_verdicts


def test_programs_without_have_none() -> None:
    assert not compiled("netfilter:ipv4:input { @ = count(); }").has_verdicts


def test_counters_tell_what_and_where() -> None:
    bundle = compiled(
        "xdp:lo, cgroup:/:egress { if (tcp) { accept(); } drop(); drop(); } "
        "cgroup:/:connect4 { deny(EACCES); } cgroup:/:bind4 { deny(13); }",
        enforce=True,
    )
    verdicts = {(c.name, c.text) for c in bundle.counters if c.kind == "verdict"}
    assert verdicts == {
        ("xdp:lo", "accept()"),
        ("xdp:lo", "drop()"),
        ("cgroup:/:egress", "accept()"),
        ("cgroup:/:egress", "drop()"),
        ("cgroup:/:connect4", "deny(EACCES)"),
        ("cgroup:/:bind4", "deny(EACCES)"),
    }


def test_values() -> None:
    assert Verdicts(0, {"deny": None}).value("deny", 13) == -13
    for kind in KINDS:
        if kind.verdicts is not None:
            assert kind.verdicts.default in (*kind.verdicts.values.values(), 0, 1, -1)


def test_kinds_without_verdicts_return_what_goes_on() -> None:
    """The last two instructions of a program that decides nothing: r0 = default; exit."""
    for target, default in (
        ("xdp:lo", 2),
        ("tc:lo:egress", -1),
        ("netfilter:ipv4:input", 1),
        ("cgroup:/:egress", 1),
    ):
        code = bundle_of(f"{target} {{ @ = count(); }}").programs[0].code
        assert code[-1 * 8] == 0x95 and code[-2 * 8] in (0xB7, 0xB4)
        assert int.from_bytes(code[-12:-8], "little", signed=True) == default, target


def test_counters_of_a_run() -> None:
    bundle = Bundle()
    bundle.counters = [
        Counter("verdict", 64, name="lsm:file_open", text="deny(EPERM)"),
        Counter("lost", 72, clause=0),
        Counter("verdict", 80, name="lsm:file_open", text="allow()"),
    ]
    memory = bytearray(88)
    memory[64] = 3
    counters = Counters(bundle, memoryview(memory))
    assert counters.news() == []
    assert counters.verdicts(enforced=True) == [
        VerdictEvent("lsm:file_open", "deny(EPERM)", 3, enforced=True)
    ]
    assert [v.count for v in counters.verdicts(enforced=False)] == [3, 0]


def test_events_as_text_and_json() -> None:
    event = VerdictEvent("xdp:lo", "drop()", 2, enforced=False)
    text, data = io.BytesIO(), io.BytesIO()
    for sink in (TextSink(text, None), JsonSink(data)):
        sink.event(event)
        sink.close()
    assert text.getvalue() == b"xdp:lo drop(): 2 (dry run: not enforced)\n"
    assert json.loads(data.getvalue()) == {
        "type": "verdict",
        "data": {"probe": "xdp:lo", "verdict": "drop()", "count": 2, "enforced": False},
    }

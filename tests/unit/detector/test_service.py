"""The service's parts without a kernel: its configuration, the hand-over between sessions, systemd, privileges."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from kernscope.cli import main
from kernscope.detector.reactions import kinds
from kernscope.detector.service import default_text, read_configuration, unit_text
from kernscope.detector.service.configuration import Configuration
from kernscope.detector.service.handover import SAME_NS, Gate
from kernscope.detector.service.keys import SECTIONS, TOP
from kernscope.detector.service.notify import notify, reloading
from kernscope.detector.service.privileges import needed_capabilities
from kernscope.diagnostics import Source
from kernscope.output.events import Event, ValueEvent
from kernscope.tables.capabilities import CAPABILITIES

pytest.importorskip("yaml", reason="configurations are YAML")


def read(text: str) -> tuple[Configuration, list[tuple[str, str]]]:
    """The configuration, and the place and message of everything that is wrong."""
    configuration, problems = read_configuration(Source("d.yaml", text))
    found = []
    for problem in problems:
        assert problem.span is not None and problem.code in ("bad-detect-config", "bad-yaml")
        line, column = problem.span.source.position(problem.span.start)
        found.append((f"{line}:{column}", problem.message))
    return configuration, found


def test_the_defaults_are_what_is_printed() -> None:
    configuration, problems = read(default_text())
    assert problems == []
    assert configuration.values == Configuration().values
    assert configuration.sinks == Configuration().sinks == [{"kind": "stdout"}]
    assert configuration.ladders == []
    assert read("")[0].values == configuration.values
    # The example is right too.
    example = re.sub(r"^# ?", "", default_text().partition("reactions: []\n")[2], flags=re.M)
    assert len(read(example)[0].ladders) == 1 and read(example)[1] == []


def test_every_key_is_printed_and_explained() -> None:
    text = default_text()
    for key in [*TOP, *(key for _, keys in SECTIONS.values() for key in keys)]:
        assert re.search(rf"^ *(# )?{key.setting.name}:", text, re.M) and key.setting.doc in text
    assert all(f"#   {name}" in text for name in kinds())


def test_values() -> None:
    configuration, problems = read(
        """\
rules: [default, /etc/kernscope/rules.d]
enforce: true
store: {path: /var/lib/x/a.db, max_size: 1G, max_age: 5m}
limit: {count: 3, within: 10s}
protect: {paths: [/opt/db/*], addresses: [192.0.2.0/24]}
sinks:
  - kind: jsonl
    path: /var/log/a.jsonl
  - {kind: prometheus, port: 9000}
reactions:
  - priority: Info
    rules: Shell*
    tags: [a, b]
    steps:
      - kill
      - run: {command: [/bin/true, x], timeout: 5s, after: 3}
      - stop:
"""
    )
    assert problems == []
    assert configuration.texts("rules") == ["default", "/etc/kernscope/rules.d"]
    assert configuration.flag("enforce") and not configuration.flag("dry_run")
    assert configuration.text("store.path") == "/var/lib/x/a.db"
    assert (configuration.number("store.max_size"), configuration.number("store.max_age")) == (1 << 30, 300)
    assert configuration.sinks == [
        {"kind": "jsonl", "path": "/var/log/a.jsonl"},
        {"kind": "prometheus", "port": "9000"},
    ]
    (ladder,) = configuration.ladders
    assert (ladder.match.priority, ladder.match.rules, ladder.match.tags) == (
        "informational",
        ["Shell*"],
        ["a", "b"],
    )
    assert ladder.steps == [
        ("kill", {}, 1),
        ("run", {"command": ["/bin/true", "x"], "timeout": "5s"}, 3),
        ("stop", {}, 1),
    ]
    assert configuration.kinds == {"kill", "run", "stop"}
    assert configuration.protection().of_address("192.0.2.9") == "`192.0.2.0/24` is protected"


NETWORKS = "has addresses and networks such as 10.0.0.0/8"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("rulez: []", "1:1", "there is no key `rulez`"),
        ("rules: [rules.yaml]", "1:8", "`rules` has `default` and absolute paths, not `rules.yaml`"),
        ("enforce: maybe", "1:10", "`enforce` is true or false, not `maybe`"),
        ("store: 5", "1:8", "`store` is a mapping with enabled, path, max_size, max_age: where alerts are kept"),
        ("store:\n  max_size: huge", "2:13", "`store.max_size` is a size such as 500K, 16M or 2G, not `huge`"),
        ("store:\n  max_sise: 1G", "2:3", "there is no key `max_sise` in `store`"),
        ("limit: {count: 0}", "1:16", "`limit.count` is a whole number from 1 to 100000, not `0`"),
        ("protect: {addresses: [x]}", "1:22", f"`protect.addresses` {NETWORKS}, not `x`"),
        ("protect: {paths: [sshd]}", "1:18", "`protect.paths` has absolute paths, not `sshd`"),
        ("sinks: x", "1:8", "sinks are a list"),
        ("sinks: [x]", "1:9", "each of the sinks is a mapping"),
        ("sinks: [{kind: jsnl}]", "1:16", "there is no kind of sink `jsnl`; did you mean `jsonl`?"),
        ("sinks: [{path: /x}]", "1:10", "a sink needs a `kind`"),
        ("sinks: [{kind: jsonl}]", "1:10", "a sink of kind `jsonl` needs `path`: the file"),
        ("sinks: [{kind: jsonl, path: x}]", "1:29", "`path` is an absolute path, not `x`"),
        ("sinks: [{kind: stdout, path: /x}]", "1:24", "there is no key `path` in a sink of kind `stdout`"),
        ("reactions: [{steps: [kil]}]", "1:22", "there is no reaction `kil`"),
        ("reactions: [{rule: x, steps: [kill]}]", "1:14", "there is no key `rule` in a reaction"),
        ("reactions: [{rules: [x]}]", "1:14", "a reaction needs `steps`, a list"),
        ("reactions: [{priority: hgih, steps: [kill]}]", "1:24", "there is no priority `hgih`"),
        ("reactions: [{rules: {a: b}, steps: [kill]}]", "1:21", "`rules` is a list of names, with `*`"),
        ("reactions: [{steps: [run]}]", "1:22", "`run` needs `command`: a program's absolute path and its arguments"),
        ("reactions: [{steps: [{stop: {ttl: soon}}]}]", "1:35", "`ttl` is a time such as 10s, 5m or 90d, not `soon`"),
        ("reactions: [{steps: [{kill: {after: 0}}]}]", "1:37", "`after` is a whole number from 1 to 1000000, not `0`"),
        ("reactions: [{steps: [{kill: now}]}]", "1:29", "the settings of `kill` are a mapping"),
        ("reactions: [{steps: [[kill]]}]", "1:22", "a step is `KIND` or `KIND: {SETTINGS}`"),
        ("- a", "1:1", "a configuration is a mapping of keys to values"),
        ("enforce: true\n---\nenforce: false", "3:1", "a configuration is one document"),
        ("enforce: true\nenforce: false", "2:1", "the key `enforce` is given twice"),
        ("a: [", "1:5", "not YAML: while parsing a flow node did not find expected node content"),
    ],
)  # fmt: skip
def test_what_is_wrong_has_a_place(text: str, place: str, message: str) -> None:
    assert read(text)[1][0] == (place, message)


def test_all_errors_are_found_at_once() -> None:
    text = "rulez: []\nstore: {max_size: x, y: z}\nreactions: [{steps: [kil, {stop: {ttl: x}}]}]"
    assert len(read(text)[1]) == 5


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "config"]) == 0
    assert capfd.readouterr().out == default_text()
    file, rules = tmp_path / "d.yaml", tmp_path / "r.yaml"
    file.write_text(f"rules: [{rules}]\n")
    assert main(["detect", "config", str(file)]) == 2
    assert f"cannot read `{rules}`" in capfd.readouterr().err
    rules.write_text("- list: x\n  items: []\n- rule: broken\n")
    assert main(["detect", "config", str(file)]) == 1
    assert "the rule `broken` has no" in capfd.readouterr().err
    rules.write_text("- list: x\n  items: []\n")
    assert main(["detect", "config", str(file)]) == 0
    assert capfd.readouterr().out == f"{file}: 0 rules, 1 sinks, 0 reactions\n"
    file.write_text("rulez: 1\n")
    assert main(["detect", "config", str(file)]) == 1
    assert "did you mean `rules`?" in capfd.readouterr().err
    file.write_text(f"rules: [{rules}]\n")
    file.chmod(0o666)
    assert main(["detect", "config", str(file)]) == 2
    assert "others may write" in capfd.readouterr().err
    assert main(["detect", "run", "--enforce"]) == 2
    assert "reactions are in a configuration" in capfd.readouterr().err


# --- from one session to the next ---------------------------------------------------------------------------


def call(time_ns: int, tid: int = 7, number: int = 59, result: int = 0) -> tuple[object, ...]:
    """A record of a system call, as far as the gate looks at it."""
    return (0, time_ns, number, 5, tid, 1, *([0] * 5), result, "rest")


def seen(gate_records: "tuple[Gate, Sequence[tuple[object, ...]]]") -> None:
    gate, records = gate_records
    for record in records:
        gate.sink.event(ValueEvent(record))


def test_what_the_old_session_told_is_left_out() -> None:
    told: list[object] = []

    def take(event: Event) -> None:
        assert isinstance(event, ValueEvent)
        told.append(event.value)

    at = 10**12
    old, new = Gate(take), Gate(take)
    early = [call(at - 5_000_000), call(at - 1000, tid=8), call(at - 500, tid=9)]
    seen((old, [call(at - 10**9)]))
    old.remember()
    late = [call(at + 300, tid=8), call(at + 2000, tid=8), call(at + 900, tid=8, number=0)]
    seen((old, early + late))
    new.follow(old, at)
    told.clear()
    before = [call(at - 4_999_000), call(at - 900, tid=8)]
    # Alike and a little later than an old one: the same event. Each old one stands for one new one.
    same = [
        call(at + 10, tid=9),
        call(at + 800, tid=8),
        call(at + 2900, tid=8),
        call(at + 1000, tid=8, number=0),
    ]
    others = [
        call(at + 20, tid=9),
        call(at + 3500, tid=8),
        call(at + 2000, tid=8, result=-1),
        call(at + 2000, tid=10),
        call(at + SAME_NS * 2, tid=8, number=0),
    ]
    seen((new, before + same + others))
    assert told == others
    assert new.left_out == len(before) + len(same)


def test_a_gate_that_follows_nobody_lets_all_through() -> None:
    told: list[Event] = []
    gate = Gate(told.append)
    gate.remember()
    gate.forget()
    seen((gate, [call(1), call(1), (3, 5), ("x",)]))
    assert len(told) == 4 and gate.left_out == 0


# --- systemd --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    name = f"@ks-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        notify("READY=1")
        reloading()
        assert listener.recv(100) == b"READY=1"
        assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", listener.recv(100))


def test_without_systemd_nothing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for value in ("", "relative", str(tmp_path / "gone")):
        monkeypatch.setenv("NOTIFY_SOCKET", value)
        notify("READY=1")


def test_the_unit(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = unit_text(["/opt/a b/kernscope"], "/etc/100%.yaml")
    assert "ExecStart='/opt/a b/kernscope' detect run --config /etc/100%%.yaml\n" in text
    bounding = re.search(r"^CapabilityBoundingSet=(.*)$", text, re.M)
    assert bounding is not None and set(bounding.group(1).split()) <= set(CAPABILITIES)
    assert main(["detect", "unit", "--config", "/etc/x.yaml"]) == 0
    printed = capfd.readouterr().out
    assert "detect run --config /etc/x.yaml\n" in printed
    assert main(["detect", "unit", "--config", "x.yaml"]) == 2
    if shutil.which("systemd-analyze"):
        unit = tmp_path / "kernscope-detect.service"
        unit.write_text(unit_text([sys.executable], "/etc/x.yaml"))
        done = subprocess.run(
            ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60
        )
        assert "Unknown" not in done.stderr and "Failed to parse" not in done.stderr


# --- privileges -------------------------------------------------------------------------------------------------

_KEEPS = """
import os, subprocess, sys
sys.path[:0] = [sys.argv[1]]
from kernscope.detector.service.privileges import drop_privileges
from kernscope.kernel.privileges import effective_capabilities
drop_privileges({"kill"})
print(f"{effective_capabilities():x}")
lines = [l for l in open("/proc/self/status") if l.startswith(("Cap", "NoNew"))]
print("".join(l.split()[1] + " " for l in lines))
sys.stdout.flush()
subprocess.run(["/bin/grep", "CapEff", "/proc/self/status"])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")
def test_privileges_are_given_up() -> None:
    sources = str(Path(__file__).parents[3] / "src")
    done = subprocess.run(
        [sys.executable, "-c", _KEEPS, sources], capture_output=True, text=True, timeout=60, check=True
    )
    first, second, third = done.stdout.splitlines()
    mine = int(re.search(r"CapPrm:\s+(\w+)", Path("/proc/self/status").read_text()).group(1), 16)  # type: ignore[union-attr]
    wanted = sum(1 << CAPABILITIES.index(name) for name in needed_capabilities({"kill"})) & mine
    assert int(first, 16) == wanted
    inheritable, permitted, effective, bounding, ambient, no_new = second.split()
    assert [int(word, 16) for word in (inheritable, ambient)] == [0, 0]
    assert [int(word, 16) for word in (permitted, effective)] == [wanted, wanted]
    assert int(bounding, 16) & ~wanted == 0 and no_new == "1"
    # What is executed has no more.
    assert int(third.split()[1], 16) & ~wanted == 0


def test_needed_capabilities() -> None:
    assert needed_capabilities(()) == {
        *("CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_SYSLOG"),
    }
    assert "CAP_NET_ADMIN" in needed_capabilities({"block"})
    assert "CAP_KILL" in needed_capabilities({"stop"}) and "CAP_KILL" not in needed_capabilities({"block"})

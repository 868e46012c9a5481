"""Sigma rules: what they become, and what they match in recorded events."""

import json
import os
import sys
from collections import Counter
from pathlib import Path

import pytest
from rule_texts import check, found

from kernscope.cli import main
from kernscope.detector import CheckedRules, alerts, check_rules, decode, read_events, rule_files
from kernscope.diagnostics import Diagnostic, Source

pytest.importorskip("sigma", reason="Sigma rules are read by pySigma")

PROCESS = "product: linux, category: process_creation"
AUDITD = "product: linux, service: auditd"


def sigma(selection: str, logsource: str = PROCESS, condition: str = "selection", more: str = "") -> str:
    """A Sigma rule with one selection in YAML's short form, or several `name: {…}` lines."""
    lines = selection.splitlines() if "\n" in selection else [f"selection: {selection}"]
    return "\n".join(
        [
            "title: t",
            *(more.splitlines()),
            f"logsource: {{{logsource}}}",
            "detection:",
            *(f"  {line}" for line in lines if line.strip()),
            f"  condition: {condition}",
            "",
        ]
    )


def matches(rules: CheckedRules, *events: dict[str, object]) -> list[int]:
    """The numbers of the events that give an alert."""
    problems: list[Diagnostic] = []
    recorded = read_events(Source("e", "\n".join(map(json.dumps, events))), problems)
    assert not problems
    return [alert.event for alert in alerts(rules, recorded)]


def ran(line: str, exe: str = "/usr/bin/x", **more: object) -> dict[str, object]:
    return {"evt.type": "execve", "proc.exepath": exe, "proc.exeline": line, **more}


@pytest.mark.parametrize(
    ("selection", "line", "expected"),
    [
        ("{CommandLine: 'Nc -E sh'}", "nc -e SH", True),
        ("{CommandLine: nc}", "nc -e", False),
        ("{CommandLine|contains: ' -E '}", "nc -e sh", True),
        ("{CommandLine|startswith: NC}", "nc -e sh", True),
        ("{CommandLine|endswith: SH}", "nc -e sh", True),
        ("{CommandLine|contains|all: [nc, sh]}", "nc -e sh", True),
        ("{CommandLine|contains|all: [nc, zsh]}", "nc -e sh", False),
        ("{CommandLine|contains: [perl, nc]}", "nc -e sh", True),
        ("{CommandLine: ['nc -e sh', other]}", "NC -e sh", True),
        ("{CommandLine: 'nc*s?'}", "nc -e sh", True),
        ("{CommandLine: 'nc*s?'}", "nc -e sh1", False),
        (r"{CommandLine: 'a\*b'}", "a*b", True),
        (r"{CommandLine: 'a\*b'}", "axb", False),
        ("{CommandLine|contains: '[x]*y'}", "a [X] z y", True),
        ("{CommandLine|contains: '[x]*y'}", "a x z y", False),
        ("{CommandLine|re: 'n.\\s-e'}", "/bin/nc -e sh", True),
        ("{CommandLine|re: 'N.\\s-e'}", "/bin/nc -e sh", False),
        ("{CommandLine|re|i: 'N.\\s-e'}", "/bin/nc -e sh", True),
        ("{CommandLine|re: '^nc'}", "/bin/nc", False),
        ("{CommandLine|contains|cased: NC}", "nc", False),
        ("{CommandLine|contains|windash: ' -e '}", "nc /e sh", True),
        ("{CommandLine|base64|contains: secret}", "echo c2VjcmV0", True),
        ("{CommandLine|base64offset|contains: secret}", "echo eHNlY3JldHg=", True),
        ("{CommandLine: null}", "x", False),
        ("{CommandLine|exists: true}", "x", True),
        ("{CommandLine|contains: 'a\"b\\\\c'}", 'a"b\\c', True),
        ("{CommandLine|neq: x}", "x", False),
        ("{CommandLine|neq: x}", "y", True),
        ("{ProcessId|gte: 5}", "x", True),
        ("{ProcessId|lt: 5}", "x", False),
        ("{Image|endswith: /X}", "x", True),
        ("{Image|fieldref: CommandLine}", "/usr/bin/x", True),
    ],
)
def test_modifiers(selection: str, line: str, expected: bool) -> None:
    rules = check(sigma(selection))
    assert rules.diagnostics == []
    assert rules.rules[0].event_types == {"execve", "execveat"}
    assert bool(matches(rules, ran(line, **{"proc.pid": 5}))) is expected
    assert matches(rules, ran(line) | {"evt.type": "open"}) == []


def test_conditions() -> None:
    selections = "a1: {CommandLine|contains: x}\na2: {CommandLine|contains: y}\nb: {Image|endswith: /no}"
    lines = [ran("x"), ran("x y"), ran("x y", "/no"), ran("z")]
    wanted = {
        "1 of a*": [1, 2, 3],
        "all of a* and not b": [2],
        "a1 and (a2 or b)": [2, 3],
        "1 of them": [1, 2, 3],
    }
    for condition, numbers in wanted.items():
        assert matches(check(sigma(selections, condition=condition)), *lines) == numbers, condition
    parts = "s:\n  - {Image|endswith: /a, CommandLine|contains: x}\n  - CommandLine|contains: y"
    assert matches(check(sigma(parts, condition="s")), ran("x", "/a"), ran("x"), ran("y")) == [1, 3]


def test_what_a_rule_becomes() -> None:
    more = "id: 0fadd880-6af3-4610-b1e5-008dc3a11b8a\nlevel: high\ndescription: why"
    more += "\ntags: [attack.t1059, attack.execution]"
    text = sigma("{Image|endswith: /nc}", more=more).replace("title: t", "title: 100% nc")
    rules = check(text, text, "- rule: 100% nc\n  enabled: false\n")
    first, second = rules.rules
    assert (first.rule.name, first.state, second.rule.name) == (
        "100% nc",
        "disabled",
        "100% nc [0fadd880-6af3-4610-b1e5-008dc3a11b8a]",
    )
    assert (second.rule.priority, second.rule.desc) == ("error", "why")
    assert second.rule.tags == ["attack.t1059", "attack.execution"]
    event = ran("nc 1", "/bin/nc", **{"proc.cmdline": "nc 1", "user.name": "eve", "proc.pid": 7})
    (alert,) = alerts(rules, [event])
    assert alert.output == "100% nc | command=nc 1 exe=/bin/nc parent=<NA> user=eve pid=7"


@pytest.mark.parametrize(
    ("level", "priority"),
    [("informational", "informational"), ("low", "notice"), ("medium", "warning"), ("critical", "critical")],
)
def test_levels(level: str, priority: str) -> None:
    assert check(sigma("{Image: a}", more=f"level: {level}")).rules[0].rule.priority == priority


def test_several_rules_in_a_file() -> None:
    text = sigma("{Image: /a}") + "---\n" + sigma("{Image: /b}").replace("title: t", "title: u")
    assert [rule.rule.name for rule in check(text).rules] == ["t", "u"]


def test_files_and_connections() -> None:
    rules = check(sigma("{TargetFilename|startswith: /etc/Cron.d/}", "product: linux, category: file_event"))
    opened = {"evt.type": "openat", "evt.is_open_write": True, "fd.name": "/etc/cron.d/x"}
    assert matches(rules, opened, opened | {"evt.is_open_write": False}, opened | {"fd.name": "/tmp"}) == [1]
    network = "product: linux, category: network_connection"
    selection = (
        "s: {Initiated: 'true', DestinationPort: [888, 4444]}\n"
        "f: {DestinationIp|cidr: [127.0.0.0/8, '::1/128']}"
    )
    rules = check(sigma(selection, network, "s and not f"))
    assert rules.rules[0].event_types == {"connect"} and rules.diagnostics == []
    link = {"evt.type": "connect", "fd.type": "ipv4", "fd.sip": "203.0.113.1", "fd.sport": 4444}
    others = [{"fd.sip": "127.0.0.2"}, {"fd.sport": 80}, {"evt.type": "accept"}, {"fd.type": "unix"}]
    assert matches(rules, link, *(link | other for other in others)) == [1]


def test_records_of_auditd() -> None:
    rules = check(sigma("{type: EXECVE, a0|contains: chattr, a1: -I}", AUDITD))
    by_words = {"evt.type": "execve", "proc.argv[0]": "/usr/bin/chattr", "proc.argv[1]": "-i"}
    by_line = {"evt.type": "execve", "proc.exe": "chattr", "proc.args": "-i /x"}
    assert matches(rules, by_words, by_line, by_words | {"proc.argv[1]": "+i"}) == [1, 2]
    # A selection without a type is about the records that the others name.
    rules = check(sigma("k: {type: EXECVE, a0: cat}\nv: {a1|endswith: .jpg}", AUDITD, "k and v"))
    assert matches(rules, by_line | {"proc.exe": "cat", "proc.args": "A.JPG"}) == [1]
    rules = check(sigma("{type: SYSCALL, SYSCALL: personality, a0: 40000}", AUDITD))
    assert rules.rules[0].event_types == {"personality"}
    assert matches(rules, *({"evt.type": "personality", "evt.rawarg[0]": n} for n in (0x40000, 40000))) == [1]
    rules = check(sigma("{type: PATH, name|startswith: /etc/audit/}", AUDITD))
    read = {"evt.type": "openat", "fs.path.name": "/etc/audit/x"}
    moved = {"evt.type": "rename", "fs.path.source": "/tmp/x", "fs.path.target": "/etc/audit/x"}
    assert matches(rules, read, moved, read | {"fs.path.name": "/etc/x"}, read | {"evt.type": "read"}) == [
        1,
        2,
    ]
    rules = check(sigma("{type: PATH, nametype: CREATE, name|endswith: .service}", AUDITD))
    made = {"evt.type": "openat", "fs.path.name": "/etc/a.service", "evt.is_open_create": True}
    assert matches(rules, made, made | {"evt.is_open_create": False}, made | {"evt.type": "mkdir"}) == [1, 3]
    rules = check(sigma("k: {type: EXECVE}\nw: ['.Bash_history']", AUDITD, "k and w"))
    assert matches(rules, ran("cat /root/.bash_history"), ran("cat x")) == [1]


WINDOWS, NAMES = "product: windows, category: process_creation", "product: linux, category: dns_query"
NETWORK, SSHD = "product: linux, category: network_connection", "product: linux, service: sshd"
NO_SOURCE = "there are no events of the source `sigma"


@pytest.mark.parametrize(
    ("text", "state", "reason"),
    [
        (sigma("{type: TTY}", AUDITD), "cannot-fire", "`log.field[type]` is missing: logs are not read"),
        (sigma("{key: x, type: SYSCALL}", AUDITD), "cannot-fire", "`log.field[key]` is missing: logs"),
        (sigma("['text']", SSHD), "cannot-fire", "`log.message` is missing: logs are not read"),
        (sigma("['rm /x']", "product: linux"), "missing-fields", "missing on a plain host: log.message"),
        (sigma("{Image: x}", WINDOWS), "cannot-fire", f"{NO_SOURCE} windows/process_creation` here"),
        (sigma("{QueryName: x}", NAMES), "cannot-fire", f"{NO_SOURCE} linux/dns_query` here"),
        (sigma("{DestinationHostname: x}", NETWORK), "cannot-fire", "`fd.sip.name` is missing: names of"),
        (sigma("{CommandLine|re: '(?=x)'}"), "refused", ""),
        (sigma("{CommandLine|expand: '%x%'}"), "refused", "placeholders (`expand`) are not known here"),
    ],
)
def test_states(text: str, state: str, reason: str) -> None:
    rule = check(text).rules[0]
    assert rule.state == state
    assert reason in rule.reason
    assert rule.event_types is None or "exists" not in rule.event_types


def test_a_text_of_a_log_is_looked_for_in_command_lines() -> None:
    rules = check(sigma("['rm /var/log/syslog']", "product: linux"))
    assert rules.rules[0].event_types == {"execve", "execveat"}
    assert matches(rules, ran("sh -c rm /var/log/syslog"), ran("x"), {"evt.type": "read"}) == [1]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (sigma("{Image: a}").replace("title: t\n", ""), [("1:1:1", "bad-sigma")]),
        (sigma("{Image: a}", condition="nothing"), [("1:5:14", "bad-sigma")]),
        (sigma("{Image: a}", condition="selection |  count() > 5"), [("1:5:14", "bad-sigma")]),
        (sigma("{Image|wrong: a}"), [("1:4:3", "bad-sigma")]),
        (sigma("{Imagee: a}"), [("1:4:15", "unknown-sigma-field")]),
        (sigma("{Image|re: '(('}"), [("1:4:25", "bad-sigma")]),
        (sigma("{Image|re: 'a\\bx'}"), [("1:4:25", "refused-pattern")]),
        (sigma("{ProcessId: many}"), [("1:4:26", "bad-rule-value")]),
        (sigma("{Image: a}", more="level: hgih"), [("1:2:8", "bad-sigma")]),
        ("title: t\nlogsource: x\ndetection: {condition: a}\n", [("1:2:12", "bad-sigma")]),
        ("title: t\ncorrelation: {type: event_count}\n", [("1:2:1", "bad-sigma")]),
        ("detection:\n  a: [b\n", [("1:3:1", "bad-yaml")]),
        ("- a\n---\ndetection: x\n", [("1:1:3", "bad-rule")]),
        ("title: t\ndetection: {}\n--- 5\n", [("1:1:1", "bad-sigma"), ("1:3:5", "bad-sigma")]),
    ],
)
def test_what_is_wrong_has_a_place(text: str, problems: list[tuple[str, str]]) -> None:
    rules = check(text, sigma("{Image|endswith: /nc}").replace("title: t", "title: other"))
    assert found(rules)[: len(problems)] == problems
    assert rules.rules[-1].rule.name == "other" and rules.rules[-1].state == "active"


def test_without_pysigma(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sigma", None)
    for name in [name for name in sys.modules if name.startswith(("sigma.", "kernscope.detector.sigma."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("kernscope.detector.sigma.reading", raising=False)
    rules = check(sigma("{Image: a}"))
    assert found(rules) == [("1:1:1", "sigma-missing")]
    assert rules.diagnostics[0].help == ["pip install 'kernscope[sigma]'"]


def test_the_command_reads_folders(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules" / "deep").mkdir(parents=True)
    (tmp_path / "rules" / "deep" / "a.yml").write_text(sigma("{Image|endswith: /nc}"))
    (tmp_path / "rules" / "b.yaml").write_text("- list: x\n  items: []\n")
    (tmp_path / "rules" / "readme.txt").write_text("no rules")
    assert [Path(name).name for name in rule_files([str(tmp_path / "rules")])] == ["b.yaml", "a.yml"]
    (tmp_path / "events").write_text(json.dumps(ran("nc -l", "/bin/nc")) + "\n")
    assert main(["detect", "check", str(tmp_path / "rules")]) == 0
    assert "active  warning   t" in capfd.readouterr().out
    assert main(["detect", "test", str(tmp_path / "rules"), "--events", str(tmp_path / "events")]) == 0
    assert capfd.readouterr().out == "Warning t | command=<NA> exe=/bin/nc parent=<NA> user=<NA> pid=<NA>\n"
    (tmp_path / "empty").mkdir()
    assert main(["detect", "check", str(tmp_path / "empty")]) == 2
    assert "there is no rule file" in capfd.readouterr().err


CORPORA = Path(os.environ.get("KERNSCOPE_CORPORA", "/"), "sigma")
with_corpora = pytest.mark.skipif(
    not CORPORA.is_dir(), reason="KERNSCOPE_CORPORA names no folder with `sigma`"
)


def corpus(*parts: str) -> CheckedRules:
    files = rule_files([str(Path(CORPORA, *parts))])
    return check_rules([decode(file, Path(file).read_bytes()) for file in files])


@with_corpora
@pytest.mark.parametrize(
    ("category", "counts"),
    [
        ("process_creation", {"active": 122}),
        ("file_event", {"active": 8}),
        ("network_connection", {"active": 2, "cannot-fire": 3}),
        ("auditd", {"active": 48, "missing-fields": 2, "cannot-fire": 3}),
        ("builtin", {"missing-fields": 15, "cannot-fire": 7}),
    ],
)
def test_public_rules_load_without_a_change(category: str, counts: dict[str, int]) -> None:
    rules = corpus(category)
    assert Counter(rule.state for rule in rules.rules) == counts
    assert not rules.has_errors
    assert all(rule.event_types for rule in rules.rules if rule.state in ("active", "missing-fields"))


@with_corpora
def test_public_rules_on_what_was_recorded() -> None:
    shell = {"evt.type": "connect", "fd.type": "ipv4", "fd.sip": "203.0.113.9", "fd.sport": 4444}
    shell["proc.exepath"] = "/usr/bin/bash"
    events: list[dict[str, object]] = [
        ran("base64 -d x", "/usr/bin/base64"),
        ran("python3 -c import pty;pty.spawn('/bin/sh')", "/usr/bin/python3"),
        ran(
            "chattr -i /etc/passwd",
            "/usr/bin/chattr",
            **{"proc.exe": "chattr", "proc.args": "-i /etc/passwd"},
        ),
        {
            "evt.type": "openat",
            "evt.is_open_write": True,
            "fd.name": "/etc/sudoers.d/evil",
            "proc.exepath": "/bin/sh",
        },
        shell,
        ran("ls /", "/usr/bin/ls", **{"proc.exe": "ls", "proc.args": "/"}),
    ]
    rules = corpus()
    names = {
        number: {alert.rule for alert in alerts(rules, [event])} for number, event in enumerate(events, 1)
    }
    assert "Decode Base64 Encoded Text" in names[1]
    assert any("Python" in name for name in names[2])
    assert "Remove Immutable File Attribute - Auditd" in names[3]
    assert "Persistence Via Sudoers.d Files" in names[4]
    assert {
        "Linux Reverse Shell Indicator",
        "Potentially Suspicious Malware Callback Communication - Linux",
    } <= names[5]
    assert names[6] == set()

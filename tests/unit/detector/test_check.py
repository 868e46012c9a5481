"""States of rules, warnings, and the public rule files where they are at hand."""

import os
from collections import Counter
from pathlib import Path

import pytest
from rule_texts import check, found, rule

from kernscope.detector import check_rules, decode, states_text
from kernscope.detector.fields import FAMILIES, FIELDS, find_field

pytest.importorskip("yaml", reason="rules are YAML")


@pytest.mark.parametrize(
    ("condition", "state", "reason"),
    [
        ("evt.type = execve", "active", ""),
        ("evt.type = execve and container.id != host", "cannot-fire", "`container.id` is always `host`"),
        ("evt.type = execve and not container.id = host", "cannot-fire", "`container.id` is always `host`"),
        ("evt.type = execve and container.id = host", "active", ""),
        ("evt.type = execve and k8s.pod.name exists", "cannot-fire", "no Kubernetes"),
        ("evt.type = execve and k8s.pod.name != x", "cannot-fire", "no Kubernetes"),
        ("evt.type = execve and not k8s.pod.name = x", "missing-fields", "k8s.pod.name"),
        ("evt.type = execve and (k8s.pod.name = x or proc.tty = 0)", "missing-fields", "k8s.pod.name"),
        ("evt.type = execve and evt.num = 0", "cannot-fire", "`evt.num` is never below 1"),
        ("evt.type = execve and evt.num >= 0", "active", ""),
        ("evt.type = execve and proc.tty < 0", "cannot-fire", "`proc.tty` is never below 0"),
        ("evt.type = container", "cannot-fire", "no containers are started"),
        ("evt.type = execve and evt.dir = >", "cannot-fire", "`evt.dir` is always `<`"),
        ("evt.type = execve and fd.sip.name = x", "cannot-fire", "not looked up"),
    ],
)
def test_states(condition: str, state: str, reason: str) -> None:
    (only,) = check(rule(condition)).rules
    assert (only.state, reason in only.reason) == (state, True), only.reason


def test_states_by_keys() -> None:
    assert check(rule(more="enabled: false")).rules[0].state == "disabled"
    assert check(rule(more="source: k8s_audit")).rules[0].state == "cannot-fire"
    unknown = rule("evt.type = open and fd.new = 1", more="skip-if-unknown-filter: true")
    assert check(unknown).rules[0].state == "cannot-fire" and found(check(unknown)) == []
    wrong = check(rule().replace("notice", "none"))
    assert wrong.rules[0].state == "refused" and found(wrong) == [("1:4:13", "bad-rule")]


@pytest.mark.parametrize(
    ("condition", "types"),
    [
        ("evt.type = open", {"open"}),
        ("evt.type in (open, openat) and evt.type = open", {"open"}),
        ("evt.type = open and proc.tty = 0 or evt.type = close", {"open", "close"}),
        ("evt.type = open or proc.tty = 0", None),
        ("not evt.type = open", None),
    ],
)
def test_event_types(condition: str, types: set[str] | None) -> None:
    assert check(rule(condition)).rules[0].event_types == types


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rule("proc.tty = 0"), [("1:1:3", "no-event-type")]),
        (rule("proc.tty = 0", more="warn_evttypes: false"), []),
        (rule("evt.type in (open, opennat)"), [("1:6:24", "unknown-event")]),
        (rule("evt.type = open and proc.name[1] = x"), [("1:6:25", "unknown-rule-field")]),
        (rule("evt.type = open and proc.aname[x] = x"), [("1:6:25", "unknown-rule-field")]),
        (rule("evt.type = open and container.mount = x"), [("1:6:25", "unknown-rule-field")]),
        (rule().replace("%proc.name", "a %proc.nam b"), [("1:3:15", "bad-output")]),
        (rule().replace("%proc.name", "100% %% %tolower(proc.name). *%fd.name"), []),
        (rule().replace("%proc.name", "%low(proc.name)"), [("1:3:13", "bad-output")]),
    ],
)
def test_findings(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(check(text)) == expected


def test_the_table_of_fields() -> None:
    assert {entry.family for entry in FIELDS.values()} == set(FAMILIES)
    types = {"text", "path", "words", "number", "bool", "address", "network", "port", "bytes", "any", "list"}
    assert {entry.type for entry in FIELDS.values()} == types
    assert all(entry.doc for entry in FIELDS.values())
    assert find_field("evt.arg.flags") is FIELDS["evt.arg"]
    assert find_field("proc.name.x") is None


CORPORA = os.environ.get("KERNSCOPE_CORPORA", "")


@pytest.mark.skipif(
    not Path(CORPORA, "falco").is_dir(), reason="KERNSCOPE_CORPORA names no folder with `falco`"
)
def test_public_rules_load_without_a_change() -> None:
    files = [Path(CORPORA, "falco", f"falco{part}_rules.yaml") for part in ("", "-incubating", "-sandbox")]
    for chosen in ([files[0]], [files[1]], [files[2]], files):
        checked = check_rules([decode(file.name, file.read_bytes()) for file in chosen])
        assert checked.diagnostics == []
        counts = Counter(rule.state for rule in checked.rules)
        text = "\n".join(file.read_text() for file in chosen)
        # Each name is defined once in all of the files.
        assert sum(counts.values()) == text.count("\n- rule: ")
        assert counts["refused"] == 0 and counts["active"] >= 10
        assert counts["disabled"] <= text.count("enabled: false")
        assert all(rule.event_types for rule in checked.rules)
        assert states_text(checked).endswith("\n")


@pytest.mark.parametrize(
    ("condition", "alone"),
    [
        ("anomaly.score > 50", True),
        ("evt.type = window and anomaly.score > 50", True),
        ("evt.type = window and anomaly.score > 50 and not proc.name = gcc", True),
        ("anomaly.score > 50 or (evt.type = execve and proc.name = nc)", True),
        ("evt.type = execve and anomaly.score > 50", True),
        ("evt.type = execve and proc.name = nc and anomaly.score > 50", False),
        ("evt.type = window and window.rate > 1000 and anomaly.score > 50", False),
        ("evt.type = execve and proc.name = nc", False),
        ("evt.type = execve and not (anomaly.score > 50)", False),
    ],
)
def test_no_high_priority_by_a_score_alone(condition: str, alone: bool) -> None:
    text = rule(condition, more="warn_evttypes: false")
    assert found(check(text)) == []
    high = check(text.replace("priority: notice", "priority: warning"))
    assert [code for _, code in found(high)] == (["score-alone"] if alone else [])
    assert [one.state for one in high.rules] == ["refused" if alone else "active"]

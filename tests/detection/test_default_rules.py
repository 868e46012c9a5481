"""Every default rule fires for what it is about, and no rule does for what only looks like it."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import import_module
from itertools import count
from pathlib import Path

import pytest
from made_events import Event, Recording, recorded

from kernscope.detector import CheckedRules, check_rules, read_events
from kernscope.detector.engine import Engine
from kernscope.detector.rule_files import default_rule_files
from kernscope.diagnostics import Diagnostic, Source

pytest.importorskip("yaml", reason="rules are YAML")

TACTICS = (
    *(
        "collection",
        "command_and_control",
        "credential_access",
        "defense_evasion",
        "discovery",
        "execution",
        "impact",
    ),
    *("lateral_movement", "persistence", "privilege_escalation"),
)
"""One file of rules and one of cases for each."""


@cache
def sources() -> list[Source]:
    return [Source(path, Path(path).read_text("utf-8")) for path in default_rule_files()]


@cache
def checked() -> CheckedRules:
    return check_rules(sources())


@cache
def engine() -> Engine:
    return Engine(checked())


@cache
def cases() -> dict[str, tuple[list[Recording], list[Recording]]]:
    found: dict[str, tuple[list[Recording], list[Recording]]] = {}
    for tactic in TACTICS:
        found |= import_module(f"{tactic}_cases").CASES
    return found


_DAYS = count()


def fired(recording: Recording) -> set[str]:
    """Names of the rules that give alerts, by the machinery of `detect test`.

    Each recording is of a day of its own, so that rules that count know nothing of the one before.
    """
    problems: list[Diagnostic] = []
    text = "\n".join(json.dumps(event) for event in recorded(recording, day=next(_DAYS)))
    found = {
        alert.rule
        for event in read_events(Source("events", text), problems)
        for alert in engine().feed(event)
    }
    assert not problems
    return found


def case_ids() -> list[str]:
    return [f"{tactic}: {rule}" for tactic in TACTICS for rule in import_module(f"{tactic}_cases").CASES]


@pytest.mark.parametrize("rule", case_ids())
def test_rule(rule: str) -> None:
    name = rule.partition(": ")[2]
    attacks, harmless = cases()[name]
    for recording in attacks:
        assert name in fired(recording), recording
    for recording in harmless:
        assert not fired(recording), recording


def test_all_are_active() -> None:
    assert [problem.message for problem in checked().diagnostics] == []
    assert {rule.rule.name: rule.state for rule in checked().rules if rule.state != "active"} == {}


def test_each_rule_has_both_kinds_of_cases() -> None:
    names = {rule.rule.name for rule in checked().rules}
    assert names == set(cases())
    assert [name for name, (attacks, harmless) in cases().items() if not attacks or not harmless] == []


def test_what_a_rule_must_say() -> None:
    """Why it is there, ATT&CK's number and tactic, and who did it."""
    for source in sources():
        tactic = Path(source.name).stem
        for rule in (rule.rule for rule in checked().rules if rule.rule.span.source is source):
            assert len(rule.desc) > 40, rule.name
            assert any(re.fullmatch(r"T[0-9]{4}(\.[0-9]{3})?", tag) for tag in rule.tags), rule.name
            assert any(re.fullmatch(r"[a-z_]+", tag) for tag in rule.tags), rule.name
            assert tactic in TACTICS
            assert rule.priority in ("critical", "error", "warning", "notice", "informational"), rule.name


def test_known_benign_causes_are_given() -> None:
    import yaml

    for path in default_rule_files():
        for item in yaml.safe_load(Path(path).read_text("utf-8")):
            if "rule" in item:
                assert item["benign"] and all(isinstance(cause, str) for cause in item["benign"]), item[
                    "rule"
                ]


def event_without(event: Event, field: str) -> Event:
    return {key: value for key, value in event.items() if key != field}


def test_missing_fields_never_raise() -> None:
    """What is not known, as after a loss, is compared as false; no rule breaks."""
    for attacks, _ in cases().values():
        for recording in attacks:
            first = recording[0] if isinstance(recording, list) else recording
            for field in ("proc.exepath", "proc.args", "user.name", "fd.name"):
                fired(event_without(first, field))

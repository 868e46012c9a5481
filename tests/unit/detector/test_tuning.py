"""Exceptions proposed from stored alerts: they load, they hold, and what looks like an attack gets none."""

from pathlib import Path

import pytest
from made_alerts import CRON, INIT, alert, process, session
from rule_texts import check, rule

from kernscope.detector.alert import Alert
from kernscope.detector.engine import Engine
from kernscope.detector.incidents import Incidents
from kernscope.detector.store import AlertQuery, Store, StoredAlerts
from kernscope.detector.tuning import Proposals, propose

pytest.importorskip("yaml", reason="rules are YAML")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def proposals(folder: Path, alerts: list[Alert], least: int = 10) -> Proposals:
    store, incidents = Store(str(folder / "alerts.db")), Incidents()
    for one in alerts:
        store.add(one, incidents.add(one))
    store.close()
    return propose(StoredAlerts(str(folder / "alerts.db")).alerts(AlertQuery()), least=least)


def backup(number: int, rule: str = "Read", **more: object) -> Alert:
    chain = [process(3000 + 10 * number, "backup", cmdline="backup --all"), CRON, INIT]
    return alert(rule, chain, **{"fd_name": "/etc/shadow", "proc_pid": number, **more})  # type: ignore[arg-type]


OPENED = {
    "evt.type": "open",
    "proc.exepath": "/usr/bin/backup",
    "proc.pname": "cron",
    "proc.cmdline": "backup --all",
}
"""What such an alert is about, but for the file."""


def test_what_is_constant_becomes_an_exception(folder: Path) -> None:
    found = proposals(folder, [backup(n, proc_tty=n) for n in range(12)])
    [group] = found.groups["Read"]
    assert (group.count, len(group.incidents), group.refused) == (12, 12, "")
    assert group.fields == {
        "proc.exepath": "/usr/bin/backup",
        "proc.pname": "cron",
        "fd.name": "/etc/shadow",
        "proc.cmdline": "backup --all",
    }
    assert found.proposed == 1 and found.alerts == 12


def test_the_proposal_loads_and_holds(folder: Path) -> None:
    yaml = proposals(folder, [backup(n, "It's a rule: #1") for n in range(12)]).yaml()
    rules = check(rule("evt.type = open", name="'It''s a rule: #1'"), yaml)
    assert rules.diagnostics == []
    engine = Engine(rules)
    event = {
        "evt.type": "open",
        "proc.name": "backup",
        "proc.exepath": "/usr/bin/backup",
        "proc.pname": "cron",
        "fd.name": "/etc/shadow",
        "proc.cmdline": "backup --all",
    }
    assert engine.feed(event) == []
    for name in event.keys() - {"evt.type", "proc.name"}:
        assert len(engine.feed({**event, name: "other"})) == 1, name


@pytest.mark.parametrize(
    "value",
    [
        "shells",
        "a, b",
        "it's",
        'say "x"',
        " blank ",
        "- x",
        "[x]",
        "#x",
        "y: z",
        "true",
        "0x1F",
        "ünï",
        "%a",
        "a\\",
    ],
)
def test_values_mean_themselves(folder: Path, value: str) -> None:
    yaml = proposals(folder, [backup(n, fd_name=value) for n in range(12)]).yaml()
    rules = check("- list: shells\n  items: [bash]\n" + rule("evt.type = open", name="Read"), yaml)
    assert rules.diagnostics == []
    assert Engine(rules).feed({**OPENED, "fd.name": value}) == []
    assert len(Engine(rules).feed({**OPENED, "fd.name": "bash"})) == 1


@pytest.mark.parametrize("value", ["a\nb", "\x1b[2J", "a\udcff", "both \" and '", "x" * 300])
def test_values_that_cannot_be_said_are_left_out(folder: Path, value: str) -> None:
    found = proposals(folder, [backup(n, fd_name=value) for n in range(12)])
    [group] = found.groups["Read"]
    assert "fd.name" not in group.fields and group.refused == ""
    assert found.yaml().replace("\n", "").isprintable()


def test_several_causes_share_an_entry_where_their_fields_are_the_same(folder: Path) -> None:
    other = [
        alert("Read", [process(5000 + 10 * n, "audit"), CRON, INIT], fd_name="/etc/shadow") for n in range(20)
    ]
    yaml = proposals(folder, [backup(n) for n in range(12)] + other).yaml()
    assert yaml.count("- name: tuned_") == 1 and yaml.count("        - [") == 2
    assert yaml.index("20 times") < yaml.index("12 times")
    assert check(rule(name="Read"), yaml).diagnostics == []


def test_a_second_proposal_adds_to_the_first(folder: Path, tmp_path: Path) -> None:
    first = proposals(folder, [backup(n) for n in range(12)]).yaml()
    second = proposals(tmp_path / "two", [backup(n, fd_name="/etc/gshadow") for n in range(12)]).yaml()
    rules = check(rule("evt.type = open", name="Read"), first, second)
    assert rules.diagnostics == []
    for file in ("/etc/shadow", "/etc/gshadow"):
        assert Engine(rules).feed({**OPENED, "fd.name": file}) == []


def evil(number: int) -> Alert:
    return alert("Read", [process(3000 + 10 * number, "x", exe="/tmp/x"), CRON, INIT], fd_name="/etc/shadow")


def only_process(number: int) -> Alert:
    return alert("Read", [process(3000 + 10 * number, "x", cmdline=f"x {number}")], fd_name=f"/f{number}")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (evil, "others than root may write"),
        (only_process, "nothing is constant but the process"),
        (lambda n: backup(n, priority="critical"), "the rule's priority is critical"),
        (lambda n: alert("Read", [], fd_name="/etc/shadow", evt_res=str(n)), "do not say which process"),
        (
            lambda n: alert(
                "Read", [process(3000 + n, ".x", exe="/usr/lib/.x"), INIT], fd_name="/etc/shadow"
            ),
            "is hidden",
        ),
    ],
)
def test_what_does_not_look_harmless_gets_none(folder: Path, make: object, why: str) -> None:
    found = proposals(folder, [make(n) for n in range(12)])  # type: ignore[operator]
    [group] = found.groups["Read"]
    assert why in group.refused and found.proposed == 0
    assert f"left out, as {group.refused}" in found.yaml() and "- rule:" not in found.yaml()


def test_an_incident_in_which_other_rules_matched_gets_none(folder: Path) -> None:
    chain = session(process(1300, "cat"))
    found = proposals(
        folder, [alert("Read", chain, at_s=n, fd_name="/etc/shadow") for n in range(50)] + [alert("Shell")]
    )
    [group] = found.groups["Read"]
    assert group.refused == "in the same incidents other rules matched: `Shell`" and group.count == 50


def test_what_came_seldom_is_not_proposed(folder: Path) -> None:
    assert proposals(folder, [backup(n) for n in range(9)]).groups == {}

"""Rules of a user beside the default ones."""

import os
import re
from pathlib import Path

import pytest
from rule_texts import rule

from kernscope.cli import main
from kernscope.detector import check_rules, decode, default_rule_files
from kernscope.detector.conditions import print_condition
from kernscope.detector.rule_files import rule_files
from kernscope.diagnostics import Source

pytest.importorskip("yaml", reason="rules are YAML")


def test_default_names_the_default_rules(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert rule_files(["default", "x.yaml"]) == [*default_rule_files(), "x.yaml"]
    local = tmp_path / "local.yaml"
    local.write_text("- rule: Private keys read\n  enabled: false\n")
    assert main(["detect", "check", "default", str(local)]) == 0
    shown = capfd.readouterr().out
    assert "1 disabled" in shown and "Private keys read" in shown


DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize("page", ["detection.md", "detection-rules.md", "detection-behaviour.md"])
def test_documented_rules_are_right(page: str) -> None:
    """Behind the default rules, as some change these, and each other."""
    found = re.findall(r"^```yaml\n(- .*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    blocks = [block for block in found if "Decode Base64" not in block]  # that is SigmaHQ's
    sources = [decode(name, Path(name).read_bytes()) for name in default_rule_files()]
    rules = check_rules([*sources, *(Source(f"{page}-{i}", text) for i, text in enumerate(blocks))])
    assert blocks and [problem.message for problem in rules.diagnostics] == []


FIRST, *_ = default_rule_files()
DEFAULT = str(Path(FIRST).with_name("another.yaml"))  # belongs to the default rules by where it lies
OURS = rule("shell and proc.name in (shells)", "ours") + "- macro: shell\n  condition: evt.type = execve\n"
OURS += "- list: shells\n  items: [bash, sh]\n"
MEANT = 'evt.type = execve and proc.name in ("bash", "sh")'


def beside(*texts: str) -> dict[str, str]:
    """The conditions of all rules, of the default rules' one and of others' files behind them."""
    rules = check_rules([Source(DEFAULT, OURS), *(Source(f"{i}.yaml", text) for i, text in enumerate(texts))])
    assert [problem.message for problem in rules.diagnostics] == []
    return {r.rule.name: print_condition(r.condition) for r in rules.rules if r.condition is not None}


def test_other_files_do_not_change_what_default_rules_mean() -> None:
    theirs = rule("evt.type = open and shell and proc.name in (bash, shells)", "theirs")
    theirs += "- macro: shell\n  condition: proc.tty = 0\n- list: shells\n  items: [zsh]\n"
    # A list whose name is a word of a default list.
    theirs += rule("evt.type = open and proc.name in (sh)", "more") + "- list: sh\n  items: [rbash]\n"
    found = beside(theirs)
    assert found["ours"] == MEANT
    assert found["theirs"] == 'evt.type = open and proc.tty = 0 and proc.name in ("bash", "zsh")'
    assert found["more"] == 'evt.type = open and proc.name in ("rbash")'


def test_the_order_of_files_does_not_mix_them() -> None:
    theirs = rule("evt.type = open and shell", "theirs") + "- macro: shell\n  condition: proc.tty = 0\n"
    rules = check_rules([Source("x", theirs), Source(DEFAULT, OURS)])
    conditions = [print_condition(r.condition) for r in rules.rules if r.condition is not None]
    assert conditions == ["evt.type = open and proc.tty = 0", MEANT]


def test_names_of_the_default_rules_can_be_used() -> None:
    assert beside(rule("shell and proc.tty = 0", "theirs"))["theirs"] == "evt.type = execve and proc.tty = 0"


def test_other_files_are_one_set() -> None:
    """As Falco documents it: a later file's macro is that of earlier rules, too."""
    first = rule("evt.type = open and mine", "theirs") + "- macro: mine\n  condition: proc.tty = 0\n"
    assert beside(first, "- macro: mine\n  condition: proc.tty = 1\n") == {
        "ours": MEANT,
        "theirs": "evt.type = open and proc.tty = 1",
    }


@pytest.mark.parametrize(
    ("change", "meant"),
    [
        ("- list: shells\n  items: [zsh]\n  append: true\n", MEANT.replace('"sh"', '"sh", "zsh"')),
        (
            "- list: shells\n  items: [zsh]\n  override: {items: replace}\n",
            MEANT.replace('"bash", "sh"', '"zsh"'),
        ),
        (
            "- macro: shell\n  condition: or evt.type = open and proc.name in (odd)\n  override: {condition: append}\n"
            "- list: odd\n  items: [ksh]\n",
            '(evt.type = execve or evt.type = open and proc.name in ("ksh")) and proc.name in ("bash", "sh")',
        ),
    ],
)
def test_default_names_are_changed_where_that_is_said(change: str, meant: str) -> None:
    assert beside(change) == {"ours": meant}


def test_a_change_is_of_the_nearer_one() -> None:
    theirs = rule("evt.type = open and proc.name in (shells)", "theirs") + "- list: shells\n  items: [zsh]\n"
    found = beside(theirs, "- list: shells\n  items: [ksh]\n  append: true\n")
    assert found == {"ours": MEANT, "theirs": 'evt.type = open and proc.name in ("zsh", "ksh")'}


def test_what_is_added_to_a_default_rule_means_what_its_own_file_says() -> None:
    change = """\
- rule: ours
  condition: and not shell and not proc.pname in (shells)
  exceptions:
    - name: e
      fields: proc.cmdline
      values: [shells]
  override: {condition: append, exceptions: append}
- macro: shell
  condition: proc.tty = 0
- list: shells
  items: [zsh]
"""
    added = f'({MEANT} and not proc.tty = 0 and not proc.pname in ("zsh")) and not proc.cmdline in ("zsh")'
    assert beside(change) == {"ours": added}


def test_a_rule_of_the_same_name_takes_the_place() -> None:
    theirs = rule("shell", "ours") + "- macro: shell\n  condition: evt.type = open\n"
    assert beside(theirs) == {"ours": "evt.type = open"}


def test_a_name_that_changes_nothing_is_told() -> None:
    """Not where the file's own rules use it, directly or by way of others."""
    unused = "- list: shells\n  items: [zsh]\n- macro: shell\n  condition: proc.name in (shells)\n"
    rules = check_rules([Source(DEFAULT, OURS), Source("x", unused)])
    assert [(p.severity, p.code, p.span.start) for p in rules.diagnostics if p.span] == [
        ("warning", "default-not-changed", 2),
        ("warning", "default-not-changed", unused.index("macro")),
    ]
    assert [print_condition(r.condition) for r in rules.rules if r.condition is not None] == [MEANT]
    used = unused + rule("evt.type = open and shell", "theirs")
    assert check_rules([Source(DEFAULT, OURS), Source("x", used)]).diagnostics == []
    assert check_rules([Source("x", unused)]).diagnostics == []


@pytest.mark.skipif(
    "KERNSCOPE_CORPORA" not in os.environ, reason="KERNSCOPE_CORPORA names no folder with `falco`"
)
def test_falco_rules_and_the_default_ones_mean_what_they_mean_alone() -> None:
    def conditions(names: list[str]) -> dict[str, str]:
        rules = check_rules([decode(name, Path(name).read_bytes()) for name in names])
        return {r.rule.name: print_condition(r.condition) for r in rules.rules if r.condition is not None}

    falco = sorted(map(str, Path(os.environ["KERNSCOPE_CORPORA"], "falco").glob("*.yaml")))
    alone = conditions(falco) | conditions(default_rule_files())
    assert len(alone) > 200
    assert conditions([*default_rule_files(), *falco]) == alone
    assert conditions([*falco, *default_rule_files()]) == alone

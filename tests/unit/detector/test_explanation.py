"""What `detect explain` says of a rule."""

from pathlib import Path

import pytest
from rule_texts import check, rule

from kernscope.cli import main
from kernscope.detector.explanation import explain, find_rule

_RULE = "evt.type in (openat, unlink) and fd.name startswith /etc/ and proc.aname = sshd and user.uid = 0"


def test_what_the_kernel_decides_and_what_is_left() -> None:
    (only,) = check(rule(_RULE)).rules
    explained = explain(only)
    text = explained.text
    assert "State     active" in text and "  and proc.aname = sshd" in text
    one_line = " ".join(text.split())
    assert "in the kernel: ((int64)($uid) == 0 && " in one_line and 'strstarts($path, "/etc/")' in one_line
    assert "in user space: proc.aname = sshd\n" in text
    assert "unlink\n    never" in text  # it has no `fd.name`
    assert "  rawtracepoint:sys_exit\n" in text and "rawtracepoint:sys_exit" in explained.program


def test_rules_that_cannot_be_watched_for() -> None:
    (only,) = check(rule("container.id != host and evt.type = open")).rules
    explained = explain(only)
    assert "State     cannot-fire: " in explained.text and not explained.program
    (only,) = check(rule("evt.kind = open")).rules
    assert explain(only).text.startswith("Rule      r\nState     refused")


def test_programs_that_are_executed_are_recorded_always() -> None:
    (only,) = check(rule("evt.type = execve and proc.name = nc")).rules
    assert "recorded always, by rawtracepoint:sched_process_exec" in explain(only).text


def test_rules_by_a_part_of_their_name() -> None:
    rules = check(rule(name="Shell started"), rule(name="Shell of a server"), rule(name="Other")).rules
    assert find_rule(rules, "Other") is rules[2] and find_rule(rules, "of A server") is rules[1]
    assert find_rule(rules, "shell") == ["Shell started", "Shell of a server"]
    assert find_rule(rules, "none") == []


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(rule(_RULE, name="Read below etc"))
    assert main(["detect", "explain", "below", str(file)]) == 0
    assert capfd.readouterr().out.startswith("Rule      Read below etc\n")
    assert main(["detect", "explain", "nothing", str(file)]) == 2
    assert "there is no rule `nothing` in these files" in capfd.readouterr().err
    assert main(["detect", "explain"]) == 2
    assert "say which rule" in capfd.readouterr().err


def test_rules_that_count_and_windows() -> None:
    (only,) = check(rule("evt.type = openat", more="count: 3\nwithin: 1m\nby: process")).rules
    assert "Alerts    at 3 matches within 1m by process\n" in explain(only).text
    (only,) = check(rule("evt.type = window and window.rate > 1000")).rules
    explained = explain(only)
    assert "  window\n    made in user space" in explained.text and "never" not in explained.text
    assert "interval:s:1" in explained.program

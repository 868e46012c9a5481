"""Definitions, changes to them, exceptions; by the printed condition that comes out."""

import pytest
from rule_texts import check, found, rule

from kernscope.detector.check import CheckedRules
from kernscope.detector.conditions import print_condition

pytest.importorskip("yaml", reason="rules are YAML")


def condition(checked: CheckedRules) -> str:
    assert found(checked) == []
    (only,) = checked.rules
    assert only.condition is not None
    return print_condition(only.condition)


def test_macros_and_lists_are_written_out() -> None:
    text = rule("spawned and not (fd.snet in (private) or proc.name in (shells, '\"shells\"'))")
    definitions = """\
- list: shells
  items: [bash, old_shells, '"(sd-pam)"', "zsh"]
- list: old_shells
  items: [csh, 80]
- list: private
  items: ['"10.0.0.0/8"', 192.168.0.0/16]
- macro: spawned
  condition: (evt.type = execve or
              evt.type = execveat)
"""
    expected = (
        "(evt.type = execve or evt.type = execveat) and not (fd.snet in "
        '("10.0.0.0/8", "192.168.0.0/16") or proc.name in ("bash", "csh", "80", "(sd-pam)", "zsh", "\\"shells\\""))'
    )
    assert condition(check(definitions + text)) == expected
    assert condition(check(text, definitions)) == condition(check(definitions, text))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (rule("evt.type = open"), "evt.type = open"),
        (
            "- rule: r\n  condition: and proc.tty = 0\n  append: true\n",
            "evt.type = execve and m and proc.tty = 0",
        ),
        (
            "- rule: r\n  condition: and proc.tty = 0\n  override:\n    condition: append\n",
            "evt.type = execve and m and proc.tty = 0",
        ),
        ("- rule: r\n  condition: evt.type = open\n  override: {condition: replace}\n", "evt.type = open"),
        (
            "- macro: m\n  condition: or proc.tty = 1\n  append: true\n",
            "evt.type = execve and (m or proc.tty = 1)",
        ),
        ("- macro: m\n  condition: proc.tty = 1\n", "evt.type = execve and proc.tty = 1"),
        (
            "- macro: m\n  condition: proc.tty = 1\n  override:\n    condition: replace\n",
            "evt.type = execve and proc.tty = 1",
        ),
        ("- list: l\n  items: [b]\n  append: true\n", 'evt.type = execve and proc.name in ("a", "b")'),
        (
            "- list: l\n  items: [b]\n  override:\n    items: append\n",
            'evt.type = execve and proc.name in ("a", "b")',
        ),
        ("- list: l\n  items: [b]\n", 'evt.type = execve and proc.name in ("b")'),
        ("- list: l\n  items: []\n", "evt.type = execve and proc.name in ()"),
    ],
)
def test_changes_in_a_later_file(change: str, expected: str) -> None:
    base = "- list: l\n  items: [a]\n- macro: m\n  condition: proc.name in (l)\n" + rule(
        "evt.type = execve and m"
    )
    assert condition(check(base, change)) == expected.replace("and m", 'and proc.name in ("a")').replace(
        "(m or", '(proc.name in ("a") or'
    )


def test_other_keys_are_changed() -> None:
    change = """\
- rule: r
  output: (%fd.name)
  tags: [two]
  priority: INFO
  enabled: false
  desc: more
  override: {output: append, tags: append, priority: replace, enabled: replace, desc: append}
"""
    checked = check(rule(more="tags: [one]"), change)
    assert found(checked) == []
    changed = checked.rules[0].rule
    assert (changed.tags, changed.priority, changed.enabled, changed.desc) == (
        ["one", "two"],
        "informational",
        False,
        "d more",
    )
    assert changed.output.text == "%proc.name (%fd.name)"
    assert check(rule(more="enabled: false"), "- rule: r\n  enabled: true\n").rules[0].state == "active"


def test_exceptions() -> None:
    more = """\
exceptions:
  - name: tuple
    fields: [proc.name, fd.directory]
    comps: [startswith, =]
    values:
      - [yum, /usr/bin]
  - name: listed
    fields: [proc.name, fd.name]
    comps: [=, in]
    values:
      - [dpkg, [/bin, files]]
      - [apt, files]
  - name: single
    fields: fd.filename
    values: [a, '"b c"']
  - name: empty
    fields: [proc.cmdline]
"""
    later = """\
- rule: r
  exceptions:
    - name: empty
      values:
        - [ls]
    - name: single
      values: [c]
  append: true
- list: files
  items: [/lib]
"""
    assert condition(check(rule(more=more), later)) == (
        "evt.type = execve and not (proc.name startswith yum and fd.directory = /usr/bin or "
        'proc.name = dpkg and fd.name in ("/bin", "/lib") or proc.name = apt and fd.name in ("/lib") or '
        'fd.filename in ("a", "b c", "c") or proc.cmdline = ls)'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- 7\n", [("1:1:3", "bad-rule")]),
        ("- rul: r\n", [("1:1:3", "bad-rule")]),
        ("- rule: r\n  macro: m\n", [("1:2:3", "bad-rule")]),
        ("- rule: r\n  desc: d\n", [("1:1:3", "bad-rule")]),
        ("- list: l\n  items: x\n", [("1:2:10", "bad-rule")]),
        ("- list: l\n", [("1:1:3", "bad-rule")]),
        ("- macro: m\n  condition: [a]\n", [("1:2:14", "bad-rule")]),
        ("- macro: m\n  condition: ''\n", [("1:2:14", "bad-rule")]),
        ("- macro: [m]\n  condition: x.y = 1\n", [("1:1:10", "bad-rule")]),
        (rule(more="enabled: maybe"), [("1:7:12", "bad-rule")]),
        (rule(more="tags: {a: b}"), [("1:7:9", "bad-rule")]),
        (rule(more="count: 3"), [("1:7:10", "bad-correlation")]),
        (rule(more="tag: [x]"), [("1:7:3", "unknown-rule-key")]),
        ("- list: l\n  items: [a]\n  append: true\n", [("1:3:3", "bad-override")]),
        (rule(more="append: true\noverride:\n  condition: append"), [("1:8:3", "bad-override")]),
        (
            rule() + "- rule: r\n  priority: info\n  override:\n    priority: append\n",
            [("1:10:5", "bad-override")],
        ),
        (rule() + "- rule: r\n  tags: [a]\n  override:\n    tags: add\n", [("1:10:11", "bad-override")]),
        (rule() + "- rule: r\n  override:\n    tags: append\n", [("1:9:5", "bad-override")]),
        (
            rule() + "- rule: r\n  tags: [a]\n  desc: x\n  override:\n    tags: append\n",
            [("1:9:3", "bad-override")],
        ),
        (rule(more="exceptions: x"), [("1:7:15", "bad-exception")]),
        (rule(more="exceptions:\n  - fields: [proc.name]"), [("1:8:7", "bad-exception")]),
        (rule(more="exceptions:\n  - name: e"), [("1:8:7", "bad-exception")]),
        (
            rule(more="exceptions:\n  - name: e\n    fields: [proc.name]\n    comps: [=, =]"),
            [("1:10:14", "bad-exception")],
        ),
        (
            rule(more="exceptions:\n  - name: e\n    fields: proc.name\n    comps: startswith"),
            [("1:10:14", "bad-exception")],
        ),
        (
            rule(more="exceptions:\n  - name: e\n    fields: [proc.nam]\n    values: [[x]]"),
            [("1:9:16", "unknown-rule-field")],
        ),
    ],
)
def test_errors_and_their_places(text: str, expected: list[tuple[str, str]]) -> None:
    checked = check(text + rule(name="other"))
    assert found(checked) == expected
    assert [r.state for r in checked.rules if r.rule.name == "other"] == ["active"]


def test_errors_in_conditions_have_the_place_in_the_file() -> None:
    text = """\
- macro: folded
  condition: >
    proc.name = a and

    proc.nam = b
- macro: plain
  condition: proc.name = 'it' and
      (proc.name = x
- macro: double
  condition: "proc.name = \\"a\\" and b"
"""
    assert found(check(text)) == [
        ("1:5:5", "unknown-rule-field"),
        ("1:8:20", "bad-condition"),
        ("1:10:37", "undefined-macro"),
    ]


def test_an_appended_condition_has_the_place_in_its_own_file() -> None:
    assert found(check(rule(), "- rule: r\n  append: true\n  condition: and proc.nam = a\n")) == [
        ("2:3:18", "unknown-rule-field")
    ]


@pytest.mark.parametrize("kind", ["macro", "list"])
def test_cycles_name_the_way_round(kind: str) -> None:
    item = {"macro": "condition: {}", "list": "items: [{}]"}[kind]
    text = "".join(f"- {kind}: {a}\n  {item.format(b)}\n" for a, b in ("ab", "bc", "ca"))
    use = "a" if kind == "macro" else "proc.name in (b)"
    checked = check(text + rule(use) + rule(name="other"))
    assert [p.message for p in checked.diagnostics] == [
        f"the {kind} `a` contains itself: `a` → `b` → `c` → `a`"
    ]
    assert [r.state for r in checked.rules] == ["refused", "active"]


def test_what_grows_is_refused_quickly() -> None:
    text = "- macro: m0\n  condition: proc.pid = 1 or proc.pid = 2\n"
    text += "".join(f"- macro: m{i}\n  condition: m{i - 1} and m{i - 1}\n" for i in range(1, 60))
    text += "- list: l0\n  items: [a, b]\n"
    text += "".join(f"- list: l{i}\n  items: [l{i - 1}, l{i - 1}]\n" for i in range(1, 40))
    assert {code for _, code in found(check(text))} == {"rule-too-large"}

"""Rules compiled together give what the reference gives for each alone."""

import random

import pytest
from rule_texts import check

from kernscope.detector.compiled import compile_rules

pytest.importorskip("yaml", reason="rules are YAML")

CHECKS = (
    *("evt.type = openat", "evt.type in (openat, connect)", "evt.type != openat", "evt.type startswith open"),
    *(
        "proc.name = sh",
        "proc.name != sh",
        "proc.name in (sh, bash)",
        "proc.name startswith s",
        "proc.name exists",
    ),
    *(
        "fd.name startswith /etc",
        "fd.name endswith .d",
        "fd.name contains tc/p",
        "fd.name pmatch (/etc/passwd.d)",
    ),
    *(
        "proc.aname = sshd",
        "proc.aname[2] = sshd",
        "proc.aname in (sshd, init)",
        "fd.ip = 10.0.0.1",
        "fd.num >= 0",
    ),
    *("evt.failed = true", "evt.arg.flags contains O_CREAT", "container.id = host", "k8s.ns.name = x"),
    *("tolower(proc.name) = sh", "tolower(proc.name) in (sh, x)", "tolower(fd.name) startswith /etc"),
    *("(tolower(fd.name) endswith .d or tolower(fd.name) endswith x or tolower(fd.name) contains tc)",),
    *("(fd.name startswith /x or fd.name = /etc or fd.name startswith /etc/p or proc.name = sh)",),
    *("(proc.name = sh or proc.name = bash or proc.name contains x)", "len(proc.name) = 2"),
    *("toupper(proc.name) = SH", "(tolower(proc.aname) = sshd or tolower(proc.aname) = init)"),
    *(
        "fd.num = 3",
        "fd.num != 3",
        "fd.num in (3, 0x10)",
        "fd.num < 3",
        "fd.num <= -2",
        "fd.num > -3",
        "fd.sport = 80",
    ),
    *(
        "fd.name pmatch (/etc, /x, usr/share)",
        "fd.name pmatch (/)",
        "fd.name pmatch (/etc/)",
        "fd.name pmatch (/e*)",
    ),
    *("evt.failed = false", "evt.failed != true", "evt.is_open_write = true", "evt.failed in (true, false)"),
    *("evt.arg.flags = 64", "evt.arg.flags in (64, O_CREAT)", "evt.arg.flags != 64", "evt.arg.flags > 63"),
    *("evt.arg.flags startswith O_", "proc.name != val(proc.pname)", "fd.num = val(user.uid)"),
    *(
        "proc.cmdline glob *-x*",
        "proc.cmdline glob a*b",
        "fd.name glob /etc*.d",
        "proc.exeline contains x",
        "proc.name = val(proc.pname)",
        "user.uid = 0",
        "evt.type exists",
        "evt.dir = <",
    ),
)
TYPES = ("openat", "connect", "execve", None)
VALUES: dict[str, tuple[object, ...]] = {
    "proc.name": (None, "sh", "SH", "bash", "x", ["sh", "x"], b"sh", 7),
    "proc.pname": (None, "sh", "x"),
    "proc.cmdline": (None, "a -x b", "a"),
    "proc.aname[1]": (None, "init", "x"),
    "proc.aname[2]": (None, "sshd"),
    "fd.name": (
        None,
        "/etc/passwd.d",
        "/etc/PASSWD.D",
        "/etc",
        "/x",
        "",
        "/etc//x",
        "//x",
        "usr/share/x",
        "/etcetera",
        "/",
    ),
    "fd.sip": (None, "10.0.0.1", "::1"),
    "fd.num": (None, -2, 3, "3", True, 16, 2.5, "x", [3, 16]),
    "fd.sport": (None, 80, "80", [443, 80]),
    "evt.failed": (None, True, False, "true", 1),
    "evt.is_open_write": (None, True, False),
    "evt.arg.flags": (None, "O_CREAT|O_EXCL", 64, "64", True, b"64"),
    "evt.arg[flags]": (None, "O_CREAT", 64),
    "user.uid": (None, 0, 1000),
}


def condition(choose: random.Random, depth: int) -> str:
    if depth == 0 or choose.random() < 0.3:
        return choose.choice(CHECKS)
    match choose.randrange(4):
        case 0:
            return f"not ({condition(choose, depth - 1)})"
        case 1:
            return choose.choice(("common", "other"))
    word = choose.choice((" and ", " or "))
    return "(" + word.join(condition(choose, depth - 1) for _ in range(choose.randint(2, 4))) + ")"


@pytest.mark.parametrize("seed", range(30))
def test_compiled_is_reference(seed: int) -> None:
    choose = random.Random(seed)
    macros = "- macro: common\n  condition: proc.name in (sh, bash) or fd.num >= 0\n"
    macros += "- macro: other\n  condition: evt.type = openat and fd.name startswith /etc\n"
    rules = macros + "".join(
        f"- rule: r{number}\n  desc: d\n  priority: INFO\n  output: o\n  condition: {condition(choose, 3)}\n"
        for number in range(20)
    )
    checked = check(rules)
    assert len(checked.rules) == 20
    for event_type in TYPES:
        match = compile_rules(checked.rules, event_type)
        for _ in range(50):
            event = {key: value for key in VALUES if (value := choose.choice(VALUES[key])) is not None}
            if event_type is not None:
                event["evt.type"] = event_type
            expected = [r.rule.name for r in checked.rules if r.predicate is not None and r.predicate(event)]
            assert [r.rule.name for r in match(event)] == expected


def test_a_condition_beyond_what_python_reads_is_judged_all_the_same() -> None:
    rules, inner = "", "proc.name = sh"
    for part in range(2):
        for number in range(40):
            inner = f"not ({inner} and user.uid != {part * 40 + number})"
        rules += f"- macro: deep{part}\n  condition: {inner}\n"
        inner = f"deep{part}"
    rules += (
        f"- rule: r\n  desc: d\n  priority: INFO\n  output: o\n  condition: {inner}\n  warn_evttypes: false\n"
    )
    (rule,) = check(rules).rules
    assert rule.predicate is not None
    match = compile_rules([rule], "openat")
    found = set()
    for uid in (0, 45, 89, 239, 1000):
        for name in ("sh", "x"):
            event: dict[str, object] = {"proc.name": name, "user.uid": uid, "evt.type": "openat"}
            assert bool(match(event)) is rule.predicate(event)
            found.add(rule.predicate(event))
    assert found == {True, False}

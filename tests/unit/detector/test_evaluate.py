"""What operators mean, by events written here."""

import pytest

from kernscope.detector.conditions import parse_condition
from kernscope.detector.evaluate import compile_condition
from kernscope.detector.placed_text import PlacedText
from kernscope.diagnostics import Diagnostic

EVENT: dict[str, object] = {
    "evt.type": "openat",
    "evt.rawres": -2,
    "evt.res": "ENOENT",
    "evt.arg.flags": "O_RDWR|O_CREAT",
    "evt.arg.cmd": 5,
    "evt.buffer": b"\x00\xca\xfe\xba\xbe",
    "evt.is_open_write": True,
    "fd.name": "/etc/ssh/sshd_config",
    "fd.cip": "10.1.2.3",
    "fd.sip": "::1",
    "fd.cport": 40000,
    "fd.sport": 22,
    "proc.name": "bash",
    "proc.pname": "Bash",
    "proc.aname[1]": "Bash",
    "proc.aname[2]": "sshd",
    "proc.exepath": "/usr/bin/bash",
    "proc.args": "-c -l id",
    "proc.tty": 0,
    "proc.cmdline": "YmFzaA==",
    "fd.types[]": ["file", "ipv4"],
    "fd.types": ["file", "ipv4"],
    "user.loginuid": -1,
    "user.name": None,
}


def holds(text: str, event: dict[str, object] | None = None) -> bool:
    problems: list[Diagnostic] = []
    predicate = compile_condition(parse_condition(PlacedText(text)), problems)
    assert problems == []
    return predicate(EVENT if event is None else event)


@pytest.mark.parametrize(
    "text",
    [
        "proc.name = bash",
        "proc.name != sh",
        "evt.rawres < 0",
        "evt.rawres >= -0x2",
        "user.loginuid = -1",
        "proc.tty = 0",
        "evt.arg.cmd = 5",
        "evt.arg[cmd] = 5",
        "evt.arg.cmd > 4",
        "evt.is_open_write = true",
        "evt.arg.flags contains O_CREAT",
        "evt.arg.flags icontains o_creat",
        "evt.buffer bcontains CAFEBABE",
        "evt.buffer bstartswith 00cafe",
        "fd.name startswith /etc/",
        "fd.name endswith _config",
        "fd.name glob /etc/*_config",
        "fd.name iglob /ETC/*",
        "fd.name regex '/etc/[a-z]+/.*'",
        "not fd.name regex '[a-z]+'",
        "fd.name pmatch (/usr, /etc/ssh)",
        "fd.name pmatch (/etc/ssh/sshd_config)",
        "fd.name pmatch (/)",
        "fd.name pmatch (/etc/*/)",
        "not fd.name pmatch (/etc/ss)",
        "not fd.name pmatch (/*/ss)",
        "fd.ip = 10.1.2.3",
        "fd.ip = ::1",
        "fd.net = 10.0.0.0/8",
        'fd.cnet in ("192.168.0.0/16", "10.0.0.0/8")',
        "not fd.net != 10.0.0.0/8",
        "fd.ip != 0.0.0.0",
        "fd.port = 22",
        "fd.port in (80, 22)",
        "not fd.port != 22",
        "proc.aname = sshd",
        "proc.aname in (sshd, cron)",
        "proc.aname[2] = sshd",
        "not proc.aname = bash",
        "proc.aname endswith shd",
        "proc.name = val(proc.name)",
        "proc.name = tolower(proc.pname)",
        "tolower(proc.pname) = bash",
        "toupper(proc.name) = BASH",
        "basename(proc.exepath) = bash",
        "b64(proc.cmdline) = bash",
        "len(proc.name) = 4",
        "len(fd.types) = 2",
        "proc.args intersects (-l, -x)",
        "not proc.args in (-l)",
        "fd.types in (file, ipv4, ipv6)",
        "not fd.types in (file)",
        "fd.types intersects (ipv4)",
        "container.id = host",
        "container.id exists",
        "evt.dir = <",
        "syscall.type = openat",
        "not user.name exists",
        "not user.name = root",
        "not user.name != root",
        "not user.name in (root)",
        "not container.image.repository != x",
        "not (not (not user.name != root))",
    ],
)
def test_true(text: str) -> None:
    assert holds(text)


def test_a_missing_field_compares_as_false() -> None:
    for operator in ("=", "!=", "<", ">", "<=", ">="):
        assert not holds(f"evt.rawres {operator} 0", {})
        assert not holds(f"evt.rawres {operator} val(evt.arg.x)", {"evt.rawres": 0})
    for operator in ("contains", "startswith", "endswith", "glob", "regex", "pmatch", "in", "intersects"):
        assert not holds(f"proc.name {operator} (a)" if operator in ("pmatch", "in", "intersects") else
                         f"proc.name {operator} a", {})  # fmt: skip


def test_events_of_other_types_than_expected() -> None:
    assert not holds("fd.ip = 10.0.0.1", {"fd.cip": "no address"})
    assert holds("fd.ip = 10.0.0.1", {"fd.cip": "::ffff:10.0.0.1"})
    assert not holds("proc.tty > 0", {"proc.tty": "many"})
    assert holds("proc.tty > 0", {"proc.tty": "34816"})
    assert holds("proc.name = 7", {"proc.name": 7})
    assert not holds("b64(proc.name) = x", {"proc.name": "*"})


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("fd.rport = ssh", "bad-rule-value", "ssh"),
        ("fd.rip = 300.1.1.1", "bad-rule-value", "300.1.1.1"),
        ('fd.rnet in ("10.0.0.0/8", "10.0.0.0/33")', "bad-rule-value", '"10.0.0.0/33"'),
        ("evt.failed = maybe", "bad-rule-value", "maybe"),
        ("evt.buffer bcontains XY", "bad-rule-value", "XY"),
        ("proc.name < a", "bad-rule-value", "a"),
        ("proc.name regex '(a'", "refused-pattern", "'(a'"),
    ],
)
def test_values_that_do_not_fit(text: str, code: str, place: str) -> None:
    problems: list[Diagnostic] = []
    predicate = compile_condition(parse_condition(PlacedText(text)), problems)
    assert [problem.code for problem in problems] == [code]
    assert problems[0].span is not None and problems[0].span.text == place
    assert not predicate(EVENT)

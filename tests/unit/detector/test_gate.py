"""Gates: wherever the reference says that a condition is true, the gate is, as compiled code of the eBPF machine."""

import random
import stat
from typing import Any

import pytest
from rule_texts import check, rule
from vm_output import output_of

from kernscope.detector.check import CheckedRules
from kernscope.detector.watch.calls import watched_call
from kernscope.detector.watch.gate import ALWAYS, NEVER, decided, gate
from kernscope.detector.watch.live_event import LiveEvent
from kernscope.detector.watch.parts import join_path
from kernscope.detector.watch.processes import Process, ProcessTree
from kernscope.syntax.literals import encode_string

_COMMON = {name: f"${name}" for name in ("comm", "pcomm", "pid", "tid", "uid", "gid")} | {"res": "$ret"}


def names_of(type: str) -> dict[str, str]:
    found = dict(_COMMON)
    for part in watched_call(type).parts:
        found.update(part.names)
    return found


def gate_of(condition: str, type: str) -> str:
    checked = check(rule(condition))
    assert not checked.has_errors, condition
    (only,) = checked.rules
    assert only.condition is not None
    return decided([only.condition], type, names_of(type)).text


# --- shapes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "type", "text"),
    [
        ("evt.type = openat", "openat", ALWAYS),
        ("evt.type = openat", "connect", NEVER),
        ("not evt.type = openat", "connect", ALWAYS),
        ("evt.type in (openat, open) and container.id != host", "open", NEVER),
        ("evt.dir = <", "openat", ALWAYS),
        ("evt.dir = >", "openat", NEVER),
        ("evt.type.is.openat = 1", "openat", ALWAYS),
        ("proc.aname = x", "openat", ALWAYS),
        ("not proc.aname = x", "openat", ALWAYS),
        ("k8s.pod.name = x", "openat", NEVER),
        ("k8s.pod.name != x", "openat", NEVER),
        ("not k8s.pod.name = x", "openat", ALWAYS),
        ("proc.name = a", "openat", 'strequals($comm, "a")'),
        ("proc.name = a or proc.name in (c, b)", "openat", 'strequals($comm, "a", "b", "c")'),
        ("proc.name = a and proc.aname = b", "openat", 'strequals($comm, "a")'),
        ("not (proc.name = a or proc.cmdline = b)", "openat", '!strequals($comm, "a")'),
        ("not proc.name in (a, b) and not proc.name = c", "openat", '!strequals($comm, "a", "b", "c")'),
        ("fd.name pmatch (/etc, /b)", "read", '(strequals($path, "/b", "/etc") || strstarts($path, "/b/", "/etc/"))'),
        ("fd.name glob /etc/*", "read", 'strstarts($path, "/etc/")'),
        ("fd.name glob '*.so'", "read", 'strends($path, ".so")'),
        ("fd.name glob '/a?b'", "read", '(strstarts($path, "/a") && strends($path, "b"))'),
        ("fd.name glob '/p/[0-9]*/mem'", "read", '(strstarts($path, "/p/") && strends($path, "/mem"))'),
        ("fd.name glob '/p/[0-9]'", "read", 'strstarts($path, "/p/")'),
        ("fd.name regex '/etc/(a|b)'", "read", 'strstarts($path, "/etc/")'),
        ("fd.name regex '.*a'", "read", ALWAYS),
        ("fd.filename = x", "read", '(strequals($path, "x") || strends($path, "/x"))'),
        ("fd.name icontains x", "read", ALWAYS),
        ("fd.name = x", "setuid", NEVER),
        ("evt.res = SUCCESS or evt.failed = false", "setuid", "(int64)($ret) >= 0"),
        ("evt.rawres >= 0 and evt.rawres < 0", "setuid", NEVER),
        ("evt.res = EACCES", "setuid", "(int64)($ret) == -13"),
        ("evt.arg.uid = 0", "setuid", "(int64)(int32)($a0) == 0"),
    ],
)  # fmt: skip
def test_what_is_decided(condition: str, type: str, text: str) -> None:
    assert gate_of(condition, type) == text


def test_what_branches_share_is_asked_once() -> None:
    text = gate_of("(user.uid = 0 and proc.name = a) or (user.uid = 0 and fd.name = /b)", "read")
    assert text.count("$uid") == 1


def test_a_value_that_is_not_known_is_asked_about_once() -> None:
    text = gate_of(
        "fs.path.name = /a or fs.path.name startswith /b or (fs.path.name = /c and proc.name = x)", "unlink"
    )
    assert text.count("strcontains") == 1
    failed = gate_of("fd.name startswith /etc and evt.rawres >= 0", "openat")
    assert "strcontains" not in failed


@pytest.mark.parametrize("text", ['a"b', "a\\\\b", "tab\\tx", "ä", "a;b", "${x}", "%s", "/*", "//"])
def test_text_of_rules_cannot_break_the_program(text: str) -> None:
    made = gate_of(f"fd.name = '{text}'", "read")
    assert output_of(
        f'begin {{ @p = "x"; $path = @p; clear(@p); print((int64)({made})); exit(); }}'
    ).split() == ["0"]


# --- against the reference ----------------------------------------------------------------------------------

_PATHS = ["", "/etc/passwd", "/etc/shadow", "/etc", "/etcetera", "/etc/ssh/sshd_config", "/tmp/x", "/tmp/.x/y.so",
          "/usr/lib/libc.so", "/root/.ssh/authorized_keys", "/proc/1/mem", "/dev/shm/a b", "memfd:x", "TCP",
          "/etc/passwd (deleted)", "…/a/passwd", "/"]  # fmt: skip
_GIVEN = [
    *_PATHS[:12],
    "etc/passwd",
    "../shadow",
    "/tmp/../etc/passwd",
    "/etc//shadow",
    "/etc/",
    "/tmp/./x",
    ".",
]
_COMMS = ["", "bash", "sh", "ssh", "sshd", "python3", "gcc", "a b", "exactly15bytes_"]
_TEXTS = {
    "proc.name": _COMMS, "proc.pname": _COMMS, "fd.name": _PATHS, "fs.path.name": _PATHS,
    "fd.filename": ["passwd", "x", "mem", "y.so", "memfd:x", ""], "fd.directory": ["/etc", "/tmp", "/", "/root/.ssh"],
    "fs.path.target": _PATHS, "fs.path.source": _PATHS,
}  # fmt: skip
_NUMBERS = {
    "evt.rawres": [-13, -2, -1, 0, 3, 7], "user.uid": [0, 1000], "proc.pid": [1, 77], "fd.num": [-2, 0, 3],
    "fd.sport": [22, 80, 443, 0], "fd.rport": [22, 80], "evt.rawarg.mode": [0, 0o644, 0o755],
}  # fmt: skip
_CHOICES = {
    "evt.res": ["SUCCESS", "EACCES", "ENOENT"], "evt.failed": ["true", "false"], "evt.is_open_write": ["true", "false"],
    "evt.is_open_read": ["true"], "evt.is_open_create": ["true", "false"], "evt.is_open_exec": ["true"],
    "user.name": ["root", "nobody"], "fd.typechar": ["f", "4", "u", "d", "p", "m"],
    "fd.type": ["file", "directory", "ipv4", "ipv6", "unix", "pipe", "memfd"], "fd.l4proto": ["tcp", "udp", "icmp"],
    "fd.sip": ["10.1.2.3", "127.0.0.1", "0.0.0.0"], "fd.snet": ["10.0.0.0/8", "127.0.0.0/8", "::1/128"],
    "evt.type": ["openat", "connect", "unlinkat"], "proc.exepath": ["/bin/sh"], "proc.aname[2]": ["sshd"],
    "evt.arg.uid": ["0", "1000", "-1"], "evt.arg.sig": ["SIGKILL", "SIGTERM"], "container.id": ["host"],
}  # fmt: skip
_PARTS = {
    "evt.arg.flags": ["O_CREAT", "O_TRUNC", "O_RDONLY", "O_", "AT_REMOVEDIR"],
    "evt.arg.mode": ["S_IXUSR", "S_ISUID"],
}


def comparison(rng: random.Random) -> str:
    kind = rng.choice(["text"] * 4 + ["number", "choice", "choice", "part"])
    quoted = [f"'{v}'" for v in rng.sample(_COMMS[1:], 2)]
    if kind == "number":
        field = rng.choice(sorted(_NUMBERS))
        return f"{field} {rng.choice(['=', '!=', '<', '<=', '>', '>='])} {rng.choice(_NUMBERS[field])}"
    if kind == "choice":
        field = rng.choice(sorted(_CHOICES))
        values = rng.sample(_CHOICES[field], min(len(_CHOICES[field]), rng.randint(1, 2)))
        return (
            f"{field} in ({', '.join(values)})"
            if len(values) > 1
            else f"{field} {rng.choice(['=', '!='])} {values[0]}"
        )
    if kind == "part":
        field = rng.choice(sorted(_PARTS))
        return f"{field} contains {rng.choice(_PARTS[field])}"
    field = rng.choice(sorted(_TEXTS))
    values = [value for value in _TEXTS[field] if value]
    value = rng.choice(values)
    operator = rng.choice(
        ["=", "!=", "in", "startswith", "endswith", "contains", "glob", "pmatch", "regex", "exists"]
    )
    if operator in ("startswith", "endswith", "contains"):
        start, end = sorted(rng.sample(range(len(value) + 1), 2))
        value = {"startswith": value[:end], "endswith": value[start:]}.get(operator, value[start:end])
    if operator == "exists":
        return f"{field} exists"
    if operator in ("in", "pmatch"):
        quoted = [f"'{v}'" for v in rng.sample(values, 2)]
        return f"{field} {operator} ({', '.join(quoted)})"
    if operator == "glob":
        value = rng.choice(
            [
                value + "*",
                "*" + value,
                value[:3] + "*" + value[-2:],
                f"*{value[1:-1]}*",
                value[:2] + "[a-z]*" + value[-1:],
            ]
        )
    if operator == "regex":
        value = rng.choice(["/etc/.*", "(/tmp|/etc)/x", "ba?sh", ".*passwd", "/etc/passwd"])
    return f"{field} {operator} '{value}'"


def condition(rng: random.Random, depth: int = 3) -> str:
    if depth == 0 or rng.random() < 0.25:
        return comparison(rng)
    if rng.random() < 0.3:
        return f"not ({condition(rng, depth - 1)})"
    joined = rng.choice([" and ", " or "])
    return "(" + joined.join(condition(rng, depth - 1) for _ in range(rng.randint(2, 3))) + ")"


class Made:
    """An event as its record would be: the fields that the rules see, and the variables that the gate sees."""

    def __init__(self, type: str, rng: random.Random) -> None:
        self.text: dict[str, str] = {"comm": rng.choice(_COMMS), "pcomm": rng.choice(_COMMS)}
        self.numbers = {"ret": rng.choice(_NUMBERS["evt.rawres"]), "uid": rng.choice([0, 1000]), "gid": 5}
        self.numbers |= {"pid": rng.choice([1, 77]), "tid": 78}
        arguments = [
            rng.choice([0, 1, 3, 9, 15, 1000, 0o644, 0o755, 0o4755, 512, (1 << 64) - 1]) for _ in range(6)
        ]
        self.numbers |= {f"a{n}": value for n, value in enumerate(arguments)}
        self.raw: dict[str, object] = {}
        getattr(self, f"_{type}")(rng)
        process = Process(self.numbers["pid"], 1, None)
        event = self.event = LiveEvent(type, ProcessTree(lambda pid: None), process, 0)
        event.call, event.arguments, event.raw = watched_call(type), arguments, self.raw
        event.comm, event.parent_comm, event.result = (
            self.text["comm"],
            self.text["pcomm"],
            self.numbers["ret"],
        )
        event.uid, event.gid, event.tid = self.numbers["uid"], self.numbers["gid"], 78

    def _file(self, rng: random.Random, mode: int | None = None) -> None:
        path = rng.choice(_PATHS)
        modes = [stat.S_IFREG, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR]
        self.text["path"] = self.raw["path"] = path  # type: ignore[assignment]
        self.numbers["mode"] = self.raw["mode"] = rng.choice(modes) if mode is None else mode  # type: ignore[assignment]

    def _openat(self, rng: random.Random) -> None:
        self._file(rng, None if self.numbers["ret"] >= 0 else 0)
        self.numbers["flags"] = self.raw["flags"] = rng.choice([0, 1, 2, 0o101, 0o1101, 0o2000102])  # type: ignore[assignment]
        if self.numbers["ret"] < 0:
            raw = rng.choice(_GIVEN)
            self.raw["path"] = join_path("/home", raw)
            self.text["path"] = raw if raw.startswith("/") else ""

    def _ftruncate(self, rng: random.Random) -> None:
        self._file(rng)

    def _named(self, rng: random.Random, key: str) -> None:
        raw = rng.choice(_GIVEN)
        self.raw[f"{key}_raw"], self.raw[key] = raw, join_path("/tmp", raw)
        self.text[f"whole_{key}"] = raw if raw.startswith("/") else ""

    def _unlinkat(self, rng: random.Random) -> None:
        self._named(rng, "path")

    def _renameat2(self, rng: random.Random) -> None:
        self._named(rng, "source")
        self._named(rng, "target")

    def _setuid(self, rng: random.Random) -> None:
        pass

    def _kill(self, rng: random.Random) -> None:
        pass

    def _connect(self, rng: random.Random) -> None:
        given = rng.choice([0, 1, 2, 2, 10])
        family = rng.choice([0, given, given])
        protocol = rng.choice([6, 17, 1, 0])
        self.numbers |= {
            "family": family,
            "protocol": protocol,
            "mode": stat.S_IFSOCK if family else stat.S_IFREG,
        }
        self.numbers |= {"sa_family": given, "sa_port": 0, "sa_ip": 0}
        self.raw["mode"] = self.numbers["mode"]
        if family:
            self.raw |= {
                "family": family,
                "socket_type": rng.choice([1, 2]),
                "protocol": protocol,
                "lport": 0,
                "rport": 0,
            }
            if family in (2, 10):
                self.raw |= {"lip": "127.0.0.1", "rip": "0.0.0.0" if family == 2 else "::"}
        if given in (2, 10):
            self.numbers["sa_port"] = self.raw["rport"] = rng.choice([22, 80, 443])  # type: ignore[assignment]
            self.raw["rip"] = "::1"
            if given == 2:
                self.numbers["sa_ip"], self.raw["rip"] = rng.choice(
                    [(0x0A010203, "10.1.2.3"), (0x7F000001, "127.0.0.1")]
                )
        elif given == 1:
            self.raw["path"] = "/run/x"

    def program(self, gates: list[str]) -> str:
        lines = []
        for name, value in self.text.items():
            lines.append(f"@t[1] = {encode_string(value)}; ${name} = @t[1]; clear(@t);")
        for name, value in self.numbers.items():
            signed = value - (1 << 64) if value >> 63 and value > 0 else value
            lines.append(f"${name} = ({'int64' if name == 'ret' else 'uint64'}){signed};")
        asked = " ".join(f"print((int64)({text}));" for text in gates)
        return f"begin {{ @t[2] = {encode_string('x' * 100)}; {' '.join(lines)} {asked} exit(); }}"


def rules_of(conditions: list[str]) -> CheckedRules:
    return check("".join(rule(text, name=f"r{n}") for n, text in enumerate(conditions)))


def some_of(names: dict[str, str], rng: random.Random) -> dict[str, str]:
    # Without `flags` the argument of that name is asked, which here is another number.
    left_out = {key.removesuffix("_unknown") for key in names if rng.random() < 0.5} - {"flags"}
    return {key: text for key, text in names.items() if key.removesuffix("_unknown") not in left_out}


@pytest.mark.parametrize(
    "type", ["openat", "ftruncate", "unlinkat", "renameat2", "connect", "setuid", "kill"]
)
@pytest.mark.parametrize("seed", range(6))
def test_a_gate_is_true_wherever_the_condition_is(type: str, seed: int) -> None:
    rng = random.Random(f"{type} {seed}")
    checked = rules_of([condition(rng) for _ in range(40)])
    rules: list[Any] = [r for r in checked.rules if r.condition is not None and r.predicate is not None]
    assert len(rules) > 30
    gates = [gate([r.condition], type, names_of(type)) for r in rules]
    # Gates that know less (early ones, coarse ones) let more through, never less.
    poorer = [gate([r.condition], type, some_of(names_of(type), rng)) for r in rules]
    passed = held = 0
    for _ in range(3):
        made = Made(type, rng)
        lines = output_of(made.program([*gates, *poorer])).split()
        answers = [line == "1" for line in lines if line in ("0", "1")]
        assert len(answers) == 2 * len(rules)
        for r, text, answer, poor, other in zip(rules, gates, answers, poorer, answers[len(rules) :]):
            true = r.predicate(made.event)
            assert other or not true, (r.rule.condition.text, poor, made.text, made.numbers, made.raw)
            assert answer or not true, (r.rule.condition.text, text, made.text, made.numbers, made.raw)
            passed, held = passed + answer, held + true
    assert held, "the events fit no condition: nothing is shown"
    assert passed < len(rules) * 3 * 0.95, "gates that let everything through decide nothing"

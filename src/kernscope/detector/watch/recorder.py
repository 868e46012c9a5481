"""Events written down as they are seen, for `detect test`: one JSON object of fields a line.

What is written is what rules can ask without looking anything up, and what these rules ask besides: an environment,
say, may hold secrets, and is only written where a rule asks for it.
"""

from __future__ import annotations

import json

from kernscope.detector.alert import EVIDENCE, plain
from kernscope.detector.condition_tree import comparisons
from kernscope.detector.conditions import Condition, Reference
from kernscope.detector.fields import MOST_ANCESTORS
from kernscope.detector.folding import field_of
from kernscope.detector.watch.live_event import LiveEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kernscope.detector.check import CheckedRule

__all__ = ["ALWAYS", "asked_keys", "event_line"]

ALWAYS = (
    *EVIDENCE,
    *("evt.num", "evt.time", "evt.rawtime", "evt.dir", "evt.rawres", "evt.failed", "evt.category"),
    *("evt.is_open_read", "evt.is_open_write", "evt.is_open_exec", "evt.is_open_create", "evt.arg.flags"),
    *(
        "evt.arg.mode",
        "fd.typechar",
        "fd.directory",
        "fd.filename",
        "fd.nameraw",
        "fd.lip",
        "fd.lport",
        "fd.rip",
    ),
    *("fd.rport", "fd.l4proto", "fd.sockfamily", "fd.is_server", "fs.path.nameraw", "fs.path.sourceraw"),
    *(
        "fs.path.targetraw",
        "proc.exe",
        "proc.args",
        "proc.exeline",
        "proc.ppid",
        "proc.pid.ts",
        "proc.ppid.ts",
    ),
    *("proc.pexe", "proc.pexepath", "proc.pcmdline", "proc.sid", "proc.pgid", "proc.is_exe_from_memfd"),
    *("proc.stdin.type", "proc.stdout.type", "proc.stderr.type", "thread.tid", "user.loginname", "group.gid"),
    *("group.name", "container.id", "watch.lost"),
)
"""Fields of every event that has them."""
_OF_ANCESTORS = ("name", "exe", "exepath", "cmdline", "pid", "pid.ts")


def asked_keys(rules: Iterable[CheckedRule]) -> list[str]:
    """The fields that conditions and outputs ask for, as an event has them."""
    found: dict[str, None] = {}
    for rule in rules:
        for operand in rule.output.operands:
            found[field_of(operand).key] = None
        if rule.condition is not None:
            found.update(dict.fromkeys(_keys(rule.condition)))
    return list(found)


def _keys(condition: Condition) -> Iterator[str]:
    for check in comparisons(condition):
        yield field_of(check.operand).key
        if isinstance(check.value, Reference):
            yield field_of(check.value.operand).key


def event_line(event: LiveEvent, asked: Iterable[str]) -> str:
    """The event as one line of JSON, without a line end."""
    fields: dict[str, object] = {}
    for key in (*ALWAYS, *asked):
        if key not in fields and (value := event.get(key)) is not None:
            fields[key] = value
    # Fields of any ancestor are made from those of each.
    for name in _OF_ANCESTORS:
        fields.pop(f"proc.a{name}", None)
        for number in range(1, MOST_ANCESTORS):
            value = event.get(f"proc.a{name}[{number}]")
            if value is None:
                break
            fields[f"proc.a{name}[{number}]"] = value
    return json.dumps({key: plain(value) for key, value in fields.items()})

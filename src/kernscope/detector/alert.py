"""An alert: one rule that matched, with what is known of the event and of who did it."""

from __future__ import annotations

import json

from kernscope.detector.conditions import Call, Operand
from kernscope.detector.evaluate import Event, operand_value
from kernscope.output.escape import escape_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kernscope.detector.rules import Rule

__all__ = ["EVIDENCE", "Alert", "ancestry", "make_alert", "plain"]

EVIDENCE = (
    *("evt.type", "evt.res", "evt.args", "proc.pid", "proc.name", "proc.exepath", "proc.cmdline", "proc.cwd"),
    *("proc.pname", "proc.tty", "user.uid", "user.name", "user.loginuid", "fd.num", "fd.type", "fd.name"),
    *("fs.path.name", "fs.path.source", "fs.path.target", "fd.cip", "fd.cport", "fd.sip", "fd.sport"),
)
"""Fields that an alert keeps besides those of the rule's output, where the event has them."""
_MOST_ANCESTORS = 32


class Alert:
    """One rule that matched one event, or several.

    Attributes:
        time_ns: of the event, in nanoseconds since 1970; 0 where it is not known.
        time: the same for people, as the event has it; None where it has none.
        rule, priority, tags: the rule's; the priority in lower case.
        output: the rule's output on one line, control characters escaped.
        fields: those of the output and `EVIDENCE`; texts may hold undecodable bytes as surrogates.
        process: who did it, then its parent, and so on: pid, start_ns, name, exe, cmdline, uid, user; None where
            something is not known.
        event: the event's number.
        shown: names of those of `fields` that the output shows.
    """

    __slots__ = (
        "event",
        "fields",
        "output",
        "priority",
        "process",
        "rule",
        "shown",
        "tags",
        "time",
        "time_ns",
    )

    def __init__(
        self,
        rule: str,
        priority: str,
        tags: list[str],
        output: str,
        *,
        time_ns: int = 0,
        time: str | None = None,
        fields: dict[str, object] | None = None,
        process: list[dict[str, object]] | None = None,
        event: int = 0,
        shown: tuple[str, ...] = (),
    ) -> None:
        self.rule, self.priority, self.tags, self.output = rule, priority, tags, output
        self.time_ns, self.time, self.event = time_ns, time, event
        self.fields = fields if fields is not None else {}
        self.process = process if process is not None else []
        self.shown = shown

    def text(self) -> str:
        """`TIME: Priority OUTPUT`, without the time where the event has none."""
        line = f"{self.priority.capitalize()} {self.output}"
        return line if self.time is None else f"{escape_text(self.time)}: {line}"

    def json(self) -> str:
        """One line with everything that is known."""
        return json.dumps(
            {
                "event": self.event,
                "time": self.time,
                "time_ns": self.time_ns,
                "rule": self.rule,
                "priority": self.priority,
                "tags": self.tags,
                "output": self.output,
                "fields": self.fields,
                "process": self.process,
            }
        )


def make_alert(
    rule: Rule,
    output: str,
    operands: Iterable[Operand],
    event: Event,
    evidence: Mapping[str, object],
) -> Alert:
    """The alert of a rule for an event; `operands` are the output's, `evidence` what a rule that counts found."""
    fields: dict[str, object] = {_key(operand): operand_value(operand, event) for operand in operands}
    shown = tuple(fields)
    for name in EVIDENCE:
        if name not in fields and (value := event.get(name)) is not None:
            fields[name] = value
    fields.update(evidence)
    time = event.get("evt.time")
    return Alert(
        rule.name,
        rule.priority,
        rule.tags,
        output,
        time_ns=_integer(event.get("evt.rawtime")) or 0,
        time=None if time is None else str(time),
        fields={name: plain(value) for name, value in fields.items()},
        process=ancestry(event),
        event=_integer(event.get("evt.num")) or 0,
        shown=shown,
    )


def _key(operand: Operand) -> str:
    return f"{operand.name}({_key(operand.operand)})" if isinstance(operand, Call) else operand.key


def plain(value: object) -> object:
    """As JSON can hold it."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) else None


def ancestry(event: Event) -> list[dict[str, object]]:
    """Who did it, then the parent, and so on; from the event's own fields, so that a recording gives the same."""
    if event.get("proc.pid") is None:
        return []
    found: list[dict[str, object]] = [
        {
            "pid": event.get("proc.pid"),
            "start_ns": event.get("proc.pid.ts"),
            "name": event.get("proc.name"),
            "exe": event.get("proc.exepath"),
            "cmdline": event.get("proc.cmdline"),
            "uid": event.get("user.uid"),
            "user": event.get("user.name"),
        }
    ]
    for number in range(1, _MOST_ANCESTORS):
        pid = event.get(f"proc.apid[{number}]")
        if pid is None and number == 1:
            pid = event.get("proc.ppid")
        if pid is None:
            break
        first = number == 1
        found.append(
            {
                "pid": pid,
                "start_ns": event.get("proc.ppid.ts") if first else event.get(f"proc.apid.ts[{number}]"),
                "name": _ancestor(event, "name", number),
                "exe": _ancestor(event, "exepath", number),
                "cmdline": _ancestor(event, "cmdline", number),
                "uid": event.get(f"proc.auid[{number}]"),
                "user": None,
            }
        )
    return found


def _ancestor(event: Event, what: str, number: int) -> object:
    value = event.get(f"proc.a{what}[{number}]")
    return event.get(f"proc.p{what}") if value is None and number == 1 else value

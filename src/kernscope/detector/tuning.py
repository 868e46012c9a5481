"""Exceptions proposed from stored alerts: for rules that fire often, and for the same harmless-looking cause.

The alerts of a rule are put into groups by who acted: executable, parent and user. What is constant in a group
becomes the fields of the exception, the most telling first. A group is left out, with the reason, where it does not
look harmless: an executable in a place that others can write to, an incident in which other rules matched too, a
critical priority, nothing constant but the process. Nothing is changed: the result is YAML to read and to load behind
the rules.
"""

from __future__ import annotations

from kernscope.detector.fields import find_field
from kernscope.detector.rules import PRIORITIES
from kernscope.output.escape import escape_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kernscope.detector.store import StoredAlert

__all__ = ["Group", "Proposals", "propose"]

LEAST = 10
"""Alerts of a group, repetitions included."""
_MOST_FIELDS = 4
_MOST_VALUE = 200
_MOST_GROUPS = 20
"""Of one rule."""
_WHO = ("proc.exepath", "proc.name", "proc.cmdline")
_WHAT = (
    *("proc.exepath", "proc.name", "proc.pname", "fd.name", "proc.cmdline", "fs.path.name", "fs.path.target"),
    *("fd.directory", "fd.sip", "fd.sport", "user.name", "proc.tty", "proc.cwd", "user.loginuid"),
)
"""Fields of an exception, the most telling first."""
_STRONG = frozenset(
    ("proc.pname", "fd.name", "proc.cmdline", "fs.path.name", "fs.path.target", "fd.directory", "fd.sip")
)
"""One of these besides the process, so that an exception is not about all that a program does."""
_OTHERS_WRITE = ("/tmp/", "/var/tmp/", "/dev/shm/", "/run/user/", "/home/", "/proc/", "/memfd:", "memfd:")
_SEVERE = PRIORITIES.index("critical")


class Group:
    """Alerts of one rule with the same cause.

    Attributes:
        count, incidents, first_ns, last_ns: of its alerts.
        fields: what is constant, for the exception; values are texts.
        refused: why there is no exception for it; empty where there is.
    """

    __slots__ = ("count", "fields", "first_ns", "incidents", "last_ns", "refused", "rule", "who")

    def __init__(self, rule: str, who: str) -> None:
        self.rule, self.who = rule, who
        self.count = self.first_ns = self.last_ns = 0
        self.incidents: set[int] = set()
        self.fields: dict[str, str] = {}
        self.refused = ""


class Proposals:
    """What `propose` found: `groups` by rule, `alerts` looked at, and their times."""

    __slots__ = ("alerts", "first_ns", "groups", "last_ns")

    def __init__(self) -> None:
        self.groups: dict[str, list[Group]] = {}
        self.alerts = self.first_ns = self.last_ns = 0

    @property
    def proposed(self) -> int:
        """How many exceptions there are."""
        return sum(not group.refused for groups in self.groups.values() for group in groups)

    def yaml(self) -> str:
        """A rule file with the exceptions; what was left out, and why, is in its comments."""
        from kernscope.detector.sinks.record import iso_time

        lines = [
            f"# Proposed from {self.alerts:,} alerts, {iso_time(self.first_ns)[:10]} to {iso_time(self.last_ns)[:10]}.",
            "# Read each before you use it: an exception is what an attacker may hide behind.",
            "# To load it, name this file behind the rules.",
        ]
        for rule, groups in self.groups.items():
            lines += ["", *_rule_yaml(rule, groups)]
        return "\n".join(lines) + "\n"


def propose(alerts: Iterable[StoredAlert], *, least: int = LEAST) -> Proposals:
    """Look at alerts, in any order."""
    found = Proposals()
    by_rule: dict[str, list[StoredAlert]] = {}
    rules_of: dict[int, set[str]] = {}
    for alert in alerts:
        by_rule.setdefault(alert.rule, []).append(alert)
        rules_of.setdefault(alert.incident, set()).add(alert.rule)
        found.alerts += alert.count
        found.first_ns = min(found.first_ns or alert.time_ns, alert.time_ns)
        found.last_ns = max(found.last_ns, alert.last_ns)
    for rule in sorted(by_rule, key=lambda name: -sum(alert.count for alert in by_rule[name])):
        groups = _groups(rule, by_rule[rule], rules_of, least)
        if groups:
            found.groups[rule] = groups
    return found


def _groups(
    rule: str, alerts: Sequence[StoredAlert], rules_of: dict[int, set[str]], least: int
) -> list[Group]:
    members: dict[tuple[str, ...], list[tuple[StoredAlert, dict[str, str]]]] = {}
    for alert in alerts:
        values = _values(alert)
        key = (
            values.get("proc.exepath") or values.get("proc.name", ""),
            *(values.get(k, "") for k in _PARTED),
        )
        members.setdefault(key, []).append((alert, values))
    groups = [
        _group(rule, rows, rules_of) for rows in members.values() if sum(a.count for a, _ in rows) >= least
    ]
    return sorted(groups, key=lambda group: -group.count)[:_MOST_GROUPS]


_PARTED = ("proc.pname", "user.name")


def _group(
    rule: str, rows: Sequence[tuple[StoredAlert, dict[str, str]]], rules_of: dict[int, set[str]]
) -> Group:
    first, values = rows[0]
    group = Group(rule, values.get("proc.exepath") or values.get("proc.name") or "?")
    group.count = sum(alert.count for alert, _ in rows)
    group.incidents = {alert.incident for alert, _ in rows}
    group.first_ns = min(alert.time_ns for alert, _ in rows)
    group.last_ns = max(alert.last_ns for alert, _ in rows)
    constant = {
        name: value
        for name, value in values.items()
        if all(other.get(name) == value for _, other in rows) and _can_be_written(value)
    }
    if "proc.exepath" in constant:
        constant.pop("proc.name", None)  # the path says more
    if "fd.name" in constant:
        constant.pop("fd.directory", None)
    group.fields = dict(list(constant.items())[:_MOST_FIELDS])
    others = set().union(*(rules_of[number] for number in group.incidents)) - {rule}
    if PRIORITIES.index(first.priority) <= _SEVERE:
        group.refused = f"the rule's priority is {first.priority}"
    elif group.who.startswith(_OTHERS_WRITE) or "/." in group.who or group.who.endswith(" (deleted)"):
        group.refused = "the executable lies where others than root may write, or is hidden"
    elif others:
        named = ", ".join(f"`{name}`" for name in sorted(others)[:3])
        group.refused = f"in the same incidents other rules matched: {named}"
    elif not any(name in group.fields for name in _WHO):
        group.refused = "the alerts do not say which process it was"
    elif not any(name in _STRONG for name in group.fields):
        group.refused = "nothing is constant but the process"
    return group


def _values(alert: StoredAlert) -> dict[str, str]:
    """The fields that an exception may be about, as texts, the most telling first."""
    fields = alert.fields
    process = alert.process
    known: dict[str, object] = {}
    if process:
        exe = process[0].get("exe")
        known["proc.exepath"] = exe if isinstance(exe, str) and exe.startswith("/") else None
        known |= {"proc.name": process[0].get("name"), "proc.cmdline": process[0].get("cmdline")}
        known["user.name"] = process[0].get("user")
        if len(process) > 1:
            known["proc.pname"] = process[1].get("name")
    found: dict[str, str] = {}
    for name in _WHAT:
        value = fields.get(name)
        if value is None:
            value = known.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and find_field(name) is not None:
            text = str(value)
            if name == "fd.name" and "->" in text:
                continue  # the client's port is another one each time
            found[name] = text
    return found


def _can_be_written(value: str) -> bool:
    """Whether YAML and the rule language can say it."""
    return (
        bool(value)
        and len(value) <= _MOST_VALUE
        and value.isprintable()
        and not ('"' in value and "'" in value)
    )


def _rule_yaml(rule: str, groups: Sequence[Group]) -> list[str]:
    lines = []
    entries: dict[tuple[str, ...], list[Group]] = {}
    for group in groups:
        if group.refused:
            lines.append(f"# `{_comment(rule)}`, {_told(group)}: left out, as {_comment(group.refused)}")
        else:
            entries.setdefault(tuple(group.fields), []).append(group)
    if not entries:
        return lines
    lines += [f"- rule: {_quoted(rule)}", "  exceptions:"]
    for fields, members in entries.items():
        # The name follows from the fields, so a later proposal with the same ones adds to it.
        name = "tuned_" + "_".join(field.replace(".", "_") for field in fields)
        lines += [f"    - name: {name}", f"      fields: [{', '.join(fields)}]"]
        lines += [f"      comps: [{', '.join('=' for _ in fields)}]", "      values:"]
        for group in members:
            lines.append(f"        # {_told(group)}")
            lines.append(f"        - [{', '.join(_word(value) for value in group.fields.values())}]")
    return [*lines, "  override:", "    exceptions: append"]


def _told(group: Group) -> str:
    """`312 times in 14 incidents by /usr/bin/x`"""
    times, places = len(group.incidents), "incident" if len(group.incidents) == 1 else "incidents"
    return f"{group.count:,} times in {times} {places} by {_comment(group.who)}"


def _comment(text: str) -> str:
    return escape_text(text)[:_MOST_VALUE]


def _quoted(text: str) -> str:
    """A YAML scalar in single quotes."""
    return "'" + text.replace("'", "''") + "'"


def _word(value: str) -> str:
    """In quotes of the rule language too: an unquoted word may be the name of a list."""
    if value.isdecimal():
        return value
    inner = f"'{value}'" if '"' in value else f'"{value}"'
    return _quoted(inner)

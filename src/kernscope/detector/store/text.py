"""Stored alerts for people and programs: tables, one alert with all that is known, JSON lines, CSV.

Everything that a process chose is escaped. Lines fit a width; where there is none, nothing is cut.
"""

from __future__ import annotations

import json
import time

from kernscope.detector.incidents import grows
from kernscope.detector.sinks.record import cut, iso_time
from kernscope.detector.sinks.stdout import colored
from kernscope.detector.store.reader import AlertQuery
from kernscope.output.escape import escape_text
from kernscope.output.quantities import display_width, fit
from kernscope.output.table import Column, csv_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kernscope.detector.store.reader import StoredAlert, StoredAlerts, StoredIncident

__all__ = [
    "alert_csv",
    "alert_json",
    "alert_lines",
    "alert_page",
    "alert_page_json",
    "incident_csv",
    "incident_json",
    "incident_lines",
    "is_news",
]

MOST_IN_TIMELINE = 50
_SHORT = {"informational": "info"}
_MOST_VALUE = 2000
_MOST_COMMAND = 300


def is_news(alert: StoredAlert, before: int) -> bool:
    """Whether a count is worth showing again: it passed 10, 100, … since it was `before`; 0 is never shown."""
    if before == 0:
        return True
    power = 10 ** (len(str(alert.count)) - 1)
    return before < power <= alert.count and grows(power)


# ── lists ──


def alert_lines(
    alerts: Sequence[StoredAlert], *, header: bool = True, width: int = 0, color: bool = False
) -> list[str]:
    """A line for each."""
    rows = [
        (str(a.number), clock(a.time_ns), _priority(a.priority), str(a.incident), _times(a.count) + a.output)
        for a in alerts
    ]
    priorities = [alert.priority for alert in alerts]
    return _table(("ID", "TIME", "PRIORITY", "INC", "ALERT"), "><<><", rows, priorities, header, width, color)


def incident_lines(
    incidents: Sequence[StoredIncident], *, header: bool = True, width: int = 0, color: bool = False
) -> list[str]:
    """A line for each."""
    rows = [
        (
            str(one.number),
            clock(one.first_ns),
            clock(one.last_ns),
            str(one.alerts),
            _priority(one.priority),
            fit(_process(one.root), 22) if width else _process(one.root),
            ", ".join(one.rules),
        )
        for one in incidents
    ]
    heads = ("ID", "FIRST", "LAST", "ALERTS", "PRIORITY", "PROCESS", "RULES")
    return _table(heads, "><<><<<", rows, [one.priority for one in incidents], header, width, color)


def _table(
    heads: Sequence[str],
    aligned: str,
    rows: Sequence[Sequence[str]],
    priorities: Sequence[str],
    header: bool,
    width: int,
    color: bool,
) -> list[str]:
    """Columns as wide as their widest cell; the last one has what is left of the width."""
    safe = [[escape_text(cell) for cell in row] for row in rows]
    shown = [list(heads), *safe] if header else safe
    widths = [max(map(display_width, column)) for column in zip(*shown)]
    lines = []
    for place, row in enumerate(shown):
        cells = []
        for cell, wide, align in zip(row[:-1], widths, aligned):
            space = " " * (wide - display_width(cell))
            cells.append(space + cell if align == ">" else cell + space)
        before = "  ".join(cells) + "  "
        last = row[-1] if not width else fit(row[-1], max(8, width - len(before)))
        line = (before + last).rstrip()
        if color and (place or not header):
            priority = priorities[place - 1 if header else place]
            name = _priority(priority)
            line = line.replace(f" {name} ", f" {colored(name, priority)} ", 1)
        lines.append(line)
    return lines


def clock(time_ns: int) -> str:
    """Local time: of day for today, otherwise with the date."""
    moment = _local(time_ns)
    today = time.localtime()
    if moment[:3] == today[:3]:
        return time.strftime("%H:%M:%S", moment)
    if moment[0] == today[0]:
        return time.strftime("%m-%d %H:%M", moment)
    return time.strftime("%Y-%m-%d", moment)


def _local(time_ns: int) -> time.struct_time:
    try:
        return time.localtime(time_ns // 10**9)
    except (ValueError, OverflowError, OSError):
        return time.localtime(0)


def _priority(name: str) -> str:
    return _SHORT.get(name, name)


def _times(count: int) -> str:
    return f"{count:,}× " if count > 1 else ""


def _process(process: dict[str, object]) -> str:
    name, pid = process.get("name") or process.get("exe") or "?", process.get("pid")
    return escape_text(f"{name} ({pid})" if pid is not None else str(name))


# ── one alert ──


def alert_page(store: StoredAlerts, alert: StoredAlert, *, width: int = 0, color: bool = False) -> str:
    """All that is known of an alert: its text, processes, fields, and the timeline of its incident."""
    priority = colored(alert.priority, alert.priority) if color else alert.priority
    moment = (
        f"{time.strftime('%Y-%m-%d %H:%M:%S', _local(alert.time_ns))}.{alert.time_ns % 10**9 // 1000:06d}"
    )
    if alert.count > 1:
        moment += f", {alert.count:,} times until {clock(alert.last_ns)}"
    lines = [
        f"alert {alert.number}: {alert.rule}",
        f"  {priority}, {moment}" + (f", tags {', '.join(alert.tags)}" if alert.tags else ""),
        "",
        *("  " + line for line in _wrapped(alert.output, width - 2 if width else 0)),
    ]
    lines += ["", "processes, the topmost first", *_ancestry(alert.process, width)]
    lines += ["", "fields", *_fields(alert.fields, width)]
    lines += ["", *_timeline(store, alert, width, color)]
    return "\n".join(lines) + "\n"


def _ancestry(process: Sequence[dict[str, object]], width: int) -> list[str]:
    if not process:
        return ["  none is known"]
    lines = []
    for depth, one in enumerate(reversed(process)):
        text = f"{one.get('pid')} {one.get('cmdline') or one.get('name') or '?'}"
        notes = [str(one[key]) for key in ("user", "exe") if one.get(key)]
        if one.get("user") is None and one.get("uid") is not None:
            notes.insert(0, f"uid {one['uid']}")
        shown = escape_text(cut(text, _MOST_COMMAND)) + (
            f"  [{escape_text(', '.join(notes))}]" if notes else ""
        )
        lines.append(_fitted("  " + " " * min(depth, 20) + shown, width))
    return lines


def _fields(fields: dict[str, object], width: int) -> list[str]:
    rows = [
        (escape_text(name), escape_text(_shown(value))) for name, value in fields.items() if value is not None
    ]
    if not rows:
        return ["  none"]
    widest = min(28, max(len(name) for name, _ in rows))
    lines = []
    for name, value in rows:
        first, *others = _wrapped(value, width - widest - 4 if width else 0) or [""]
        lines.append(f"  {name:<{widest}}  {first}".rstrip())
        lines += [" " * (widest + 4) + other for other in others]
    return lines


def _timeline(store: StoredAlerts, alert: StoredAlert, width: int, color: bool) -> list[str]:
    incident = store.incident(alert.incident)
    found = list(store.alerts(AlertQuery(incident=alert.incident)))
    place = next((at for at, one in enumerate(found) if one.number == alert.number), 0)
    begin = max(0, min(place - MOST_IN_TIMELINE // 2, len(found) - MOST_IN_TIMELINE))
    part = found[begin : begin + MOST_IN_TIMELINE]
    head = f"incident {alert.incident}"
    if incident is not None:
        head += f" of {_process(incident.root)}: {incident.alerts:,} alerts" if incident.root else ""
        head += f", {clock(incident.first_ns)} to {clock(incident.last_ns)}"
    lines = [_fitted(head, width)]
    if begin:
        lines.append(f"  {begin} before")
    rows = [
        (
            ">" if one.number == alert.number else " ",
            str(one.number),
            clock(one.time_ns),
            _priority(one.priority),
            _times(one.count) + one.rule,
        )
        for one in part
    ]
    priorities = [one.priority for one in part]
    lines += _table(("", "ID", "TIME", "PRIORITY", "RULE"), "<><<<", rows, priorities, False, width, color)
    behind = len(found) - begin - len(part)
    return [*lines, f"  {behind} behind"] if behind else lines


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, at blanks where there are some."""
    if width <= 0:
        return [text]
    lines = []
    while display_width(text) > width:
        end = width
        while display_width(text[:end]) > width:
            end -= 1
        blank = text.rfind(" ", width // 2, end + 1)
        end = blank if blank > 0 else max(1, end)
        lines.append(text[:end].rstrip())
        text = text[end:].lstrip()
    return [*lines, text]


def _fitted(text: str, width: int) -> str:
    return fit(text, width) if width else text


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(one) for one in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:_MOST_VALUE]


# ── for programs ──


def alert_json(alert: StoredAlert) -> str:
    """One line, without its end."""
    found = {**alert.body, "count": alert.count, "last_ns": alert.last_ns, "last": iso_time(alert.last_ns)}
    return json.dumps(found)


def incident_json(incident: StoredIncident) -> str:
    """One line, without its end."""
    return json.dumps(_incident_object(incident))


def _incident_object(incident: StoredIncident) -> dict[str, object]:
    return {
        "incident": incident.number,
        "first": iso_time(incident.first_ns),
        "last": iso_time(incident.last_ns),
        "alerts": incident.alerts,
        "priority": incident.priority,
        "process": incident.root,
        "rules": incident.rules,
    }


def alert_page_json(store: StoredAlerts, alert: StoredAlert) -> str:
    """The alert, and its incident with the timeline."""
    incident = store.incident(alert.incident)
    timeline = [
        {"id": one.number, "time": iso_time(one.time_ns), "rule": one.rule, "priority": one.priority}
        | {"count": one.count, "output": one.output}
        for one in store.alerts(AlertQuery(incident=alert.incident))
    ]
    whole = json.loads(alert_json(alert))
    return json.dumps(
        {
            **whole,
            "incident": {
                **(_incident_object(incident) if incident is not None else {}),
                "timeline": timeline,
            },
        }
    )


_ALERT_COLUMNS = [
    Column(name)
    for name in "id time last count incident priority rule tags pid process exe user output".split()
]
_INCIDENT_COLUMNS = [
    Column(name) for name in "incident first last alerts priority pid process exe rules".split()
]


def alert_csv(alerts: Iterable[StoredAlert], *, header: bool = True) -> str:
    """Cells that a spreadsheet would take for a formula begin with `'`."""
    rows = [
        (
            *(a.number, iso_time(a.time_ns), iso_time(a.last_ns), a.count, a.incident, a.priority),
            *map(_cell, (a.rule, " ".join(a.tags), a.pid, a.name, a.exe, a.user, a.output)),
        )
        for a in alerts
    ]
    return csv_text(_ALERT_COLUMNS, rows, header=header)


def incident_csv(incidents: Iterable[StoredIncident], *, header: bool = True) -> str:
    rows = [
        (
            *(one.number, iso_time(one.first_ns), iso_time(one.last_ns), one.alerts, one.priority),
            *map(
                _cell, (one.root.get("pid"), one.root.get("name"), one.root.get("exe"), ", ".join(one.rules))
            ),
        )
        for one in incidents
    ]
    return csv_text(_INCIDENT_COLUMNS, rows, header=header)


def _cell(value: object) -> object:
    """OWASP's list of what begins a formula: = + - @, tab and carriage return; the last two are escaped anyway."""
    if not isinstance(value, str):
        return value
    text = escape_text(value)
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") else text

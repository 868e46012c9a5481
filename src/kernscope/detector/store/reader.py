"""Questions to the store."""

from __future__ import annotations

import json
import os
import sqlite3

from kernscope.detector.rules import PRIORITIES
from kernscope.detector.store.database import StoreError, default_path, open_for_reading, reason
from kernscope.output.escape import escape_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["AlertQuery", "StoredAlert", "StoredAlerts", "StoredIncident"]

_COLUMNS = (
    "id, change, time_ns, last_ns, count, incident, rule, priority, tags, output, pid, name, exe, user, body"
)


class StoredAlert:
    """An alert as it is stored.

    Attributes:
        number, incident, count: its number, its incident's, and how often it came.
        time_ns, last_ns: when it came first and last, in nanoseconds since 1970.
        rule, priority, tags, output, name, exe, user: texts are escaped, so harmless for a terminal.
        body: everything, as `alert_object` makes it.
        change: grows with each alert that is written or counted up.
    """

    __slots__ = (
        *("body", "change", "count", "exe", "incident", "last_ns", "name", "number", "output", "pid"),
        *("priority", "rule", "tags", "time_ns", "user"),
    )

    def __init__(self, row: sqlite3.Row) -> None:
        self.number: int = row["id"]
        self.change: int = row["change"]
        self.time_ns: int = row["time_ns"]
        self.last_ns: int = row["last_ns"]
        self.count: int = row["count"]
        self.incident: int = row["incident"]
        self.rule: str = row["rule"]
        self.priority = _priority(row["priority"])
        self.tags = [tag for tag in str(row["tags"]).split("\n") if tag]
        self.output: str = row["output"]
        self.pid: int | None = row["pid"]
        self.name: str = row["name"]
        self.exe: str = row["exe"]
        self.user: str = row["user"]
        self.body = _object(row["body"])

    @property
    def fields(self) -> dict[str, object]:
        found = self.body.get("fields")
        return found if isinstance(found, dict) else {}

    @property
    def process(self) -> list[dict[str, object]]:
        found = self.body.get("process")
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


class StoredIncident:
    """The alerts of one process tree; `root` is its topmost process, `rules` those that matched."""

    __slots__ = ("alerts", "first_ns", "last_ns", "number", "priority", "root", "rules")

    def __init__(self, row: sqlite3.Row, rules: list[str]) -> None:
        self.number: int = row["id"]
        self.first_ns: int = row["first_ns"]
        self.last_ns: int = row["last_ns"]
        self.alerts: int = row["alerts"]
        self.priority = _priority(row["priority"])
        root = _object(row["root"]).get("root")
        self.root: dict[str, object] = root if isinstance(root, dict) else {}
        self.rules = rules


class AlertQuery:
    """Which alerts.

    Args:
        rule, process, user: a part of the name, whatever its case, or a pattern with `*` and `?`; `process` is also
            a pid or, with a slash, the executable's path.
        priority: at least this severe.
        tag: one of the rule's tags.
        since_ns, until_ns: when it came, also a repetition.
        text: a part of the output, the rule's name or any of the fields.
        last: only so many, the newest.
        changed_after: only those written or counted up after this.
    """

    __slots__ = (
        *("changed_after", "incident", "last", "number", "priority", "process", "rule", "since_ns"),
        *("tag", "text", "until_ns", "user"),
    )

    def __init__(
        self,
        *,
        rule: str = "",
        priority: str = "",
        tag: str = "",
        process: str = "",
        user: str = "",
        since_ns: int | None = None,
        until_ns: int | None = None,
        incident: int | None = None,
        number: int | None = None,
        text: str = "",
        last: int | None = None,
        changed_after: int | None = None,
    ) -> None:
        self.rule, self.priority, self.tag, self.process, self.user = rule, priority, tag, process, user
        self.since_ns, self.until_ns, self.incident, self.number = since_ns, until_ns, incident, number
        self.text, self.last, self.changed_after = text, last, changed_after

    def where(self) -> tuple[str, list[object]]:
        """The condition in SQL, and its values. Nothing that was given becomes part of the SQL."""
        parts: list[str] = []
        values: list[object] = []

        def add(part: str, *given: object) -> None:
            parts.append(part)
            values.extend(given)

        for column in ("rule", "user"):
            if getattr(self, column):
                add(f"lower({column}) GLOB ?", _pattern(getattr(self, column)))
        if self.process.isdecimal():
            add("(pid = ? OR name = ?)", min(int(self.process), 1 << 62), self.process)
        elif self.process:
            column = "exe" if "/" in self.process else "name"
            add(f"lower({column}) GLOB ?", _pattern(self.process))
        if self.priority:
            add("priority <= ?", PRIORITIES.index(self.priority))
        if self.tag:
            add("instr(tags, ?) > 0", f"\n{escape_text(self.tag)}\n")
        if self.since_ns is not None:
            add("last_ns >= ?", self.since_ns)
        if self.until_ns is not None:
            add("time_ns <= ?", self.until_ns)
        if self.incident is not None:
            add("incident = ?", self.incident)
        if self.number is not None:
            add("id = ?", self.number)
        if self.text:
            shown, stored = escape_text(self.text).lower(), json.dumps(self.text)[1:-1].lower()
            add(
                "(instr(lower(output), ?) OR instr(lower(rule), ?) OR instr(lower(body), ?))",
                shown,
                shown,
                stored,
            )
        if self.changed_after is not None:
            add("change > ?", self.changed_after)
        return " AND ".join(parts) or "1", values


class StoredAlerts:
    """A store to read from, while the detector may write to it. Raises StoreError, here and in all methods."""

    def __init__(self, path: str = "") -> None:
        self.path = path or default_path()
        self._database = open_for_reading(self.path)
        self._database.row_factory = sqlite3.Row
        self._inode = self._inode_now()

    def close(self) -> None:
        self._database.close()

    def replaced(self) -> bool:
        """Whether the file of this name is another one by now."""
        return self._inode_now() not in (self._inode, -1)

    def _inode_now(self) -> int:
        try:
            return os.stat(self.path).st_ino
        except OSError:
            return -1

    def alerts(self, query: AlertQuery) -> Iterator[StoredAlert]:
        """In the order in which they came; with `changed_after` in that of their changes."""
        where, values = query.where()
        order = "id" if query.changed_after is None else "change"
        if query.last is not None:
            inner = f"SELECT {_COLUMNS} FROM alerts WHERE {where} ORDER BY {order} DESC LIMIT ?"
            question = f"SELECT * FROM ({inner}) ORDER BY {order}"
            values.append(query.last)
        else:
            question = f"SELECT {_COLUMNS} FROM alerts WHERE {where} ORDER BY {order}"
        for row in self._rows(question, values):
            yield StoredAlert(row)

    def count(self, query: AlertQuery) -> int:
        """How many fit, whatever `last` says."""
        where, values = query.where()
        found: int = next(self._rows(f"SELECT count(*) AS n FROM alerts WHERE {where}", values))["n"]
        return found

    def alert(self, number: int) -> StoredAlert | None:
        return next(self.alerts(AlertQuery(number=number)), None)

    def incidents(self, query: AlertQuery) -> Iterator[StoredIncident]:
        """Those that have an alert that fits, in the order of their last alerts."""
        where, values = query.where()
        inner = f"SELECT DISTINCT incident FROM alerts WHERE {where}"
        question = f"SELECT * FROM incidents WHERE id IN ({inner}) ORDER BY last_ns, id"
        if query.last is not None:
            question = f"SELECT * FROM ({question.replace('last_ns, id', 'last_ns DESC, id DESC')} LIMIT ?)"
            question += " ORDER BY last_ns, id"
            values.append(query.last)
        for row in list(self._rows(question, values)):
            names = "SELECT rule, min(priority) AS worst FROM alerts WHERE incident = ? GROUP BY rule"
            rules = self._rows(f"{names} ORDER BY worst, rule", [row["id"]])
            yield StoredIncident(row, [one["rule"] for one in rules])

    def incident(self, number: int) -> StoredIncident | None:
        return next(self.incidents(AlertQuery(incident=number)), None)

    def losses(self) -> list[tuple[int, int, str]]:
        """What is not in the store that should be: when, how many, why."""
        return [
            (row["time_ns"], row["count"], row["reason"]) for row in self._rows("SELECT * FROM losses", [])
        ]

    def trimmed(self) -> int:
        """Alerts that left because of the store's bounds."""
        rows = self._rows("SELECT value FROM counters WHERE name = 'trimmed'", [])
        return int(next(rows, {"value": 0})["value"])

    def last_change(self) -> int:
        return int(next(self._rows("SELECT max(change) AS n FROM alerts", []))["n"] or 0)

    def _rows(self, question: str, values: list[object]) -> Iterator[sqlite3.Row]:
        try:
            yield from self._database.execute(question, values)
        except sqlite3.Error as problem:
            raise StoreError(f"cannot read the store `{self.path}`: {reason(problem)}") from None


def _priority(severity: object) -> str:
    if isinstance(severity, int) and 0 <= severity < len(PRIORITIES):
        return PRIORITIES[severity]
    return PRIORITIES[-1]


def _pattern(text: str) -> str:
    """For SQLite's GLOB: brackets mean themselves; without `*` and `?`, any part fits."""
    escaped = escape_text(text).lower().replace("[", "[[]")
    return escaped if "*" in text or "?" in text else f"*{escaped}*"


def _object(text: object) -> dict[str, object]:
    try:
        found = json.loads(str(text))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

"""The writer of the store.

Alerts are added, and then committed together. A commit that fails (a full disk, a lock that does not go away) is tried
again; until then the alerts wait in memory, in bounded space, and what finds no room there is counted. A count of all
that is not in the database lies on the loss page, so it outlives the process.
"""

from __future__ import annotations

import os
import sqlite3
import time

from kernscope.detector.rules import PRIORITIES
from kernscope.detector.sinks.record import alert_object, bounded, json_line
from kernscope.detector.store.database import (
    StoreError,
    default_path,
    is_corrupt,
    move_aside,
    open_for_writing,
    reason,
)
from kernscope.detector.store.losses import LossPage
from kernscope.output.escape import escape_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.detector.alert import Alert
    from kernscope.detector.incidents import Placed

__all__ = ["DEFAULT_AGE_S", "DEFAULT_BYTES", "LEAST_BYTES", "Store"]

DEFAULT_BYTES = 256 << 20
LEAST_BYTES = 1 << 20
DEFAULT_AGE_S = 90 * 86400.0
MOST_WAITING_BYTES = 4 << 20
"""Of alerts that wait until they can be written."""
_RETRY_S = 1.0
_TRIM_S = 600.0
_TRIM_ROWS = 500
_MOST_COUNTS = 20_000
_FROM_BEFORE = "an earlier run ended before they could be written"


class _Row:
    """What is written of one alert."""

    __slots__ = ("last_ns", "number", "time_ns", "values")

    def __init__(self, alert: Alert, placed: Placed) -> None:
        found = alert_object(alert, placed.incident, placed.count, placed.number, lossless=True)
        body = json_line(found).decode("ascii")
        self.number, self.time_ns, self.last_ns = placed.number, alert.time_ns, alert.time_ns
        first = alert.process[0] if alert.process else {}
        self.values = (
            placed.incident,
            _text(alert.rule),
            _severity(alert.priority),
            "\n" + "".join(f"{_text(tag)}\n" for tag in alert.tags),
            _text(alert.output),
            _number(first.get("pid")),
            _text(first.get("name")),
            _text(first.get("exe")),
            _text(first.get("user") or alert.fields.get("user.name")),
            _number(first.get("uid")),
            body,
        )

    @property
    def bytes(self) -> int:
        return len(str(self.values[-1])) + 500


class _Incident:
    """What was added to an incident since the last commit."""

    __slots__ = ("alerts", "first_ns", "last_ns", "priority", "root")

    def __init__(self, alert: Alert) -> None:
        from kernscope.detector.incidents import tree_root

        self.alerts = 0
        self.first_ns = self.last_ns = alert.time_ns
        self.priority = _severity(alert.priority)
        self.root = tree_root(alert.process)

    def add(self, alert: Alert) -> None:
        self.alerts += 1
        self.first_ns, self.last_ns = min(self.first_ns, alert.time_ns), max(self.last_ns, alert.time_ns)
        self.priority = min(self.priority, _severity(alert.priority))


class Store:
    """The one writer of a database. Not for several threads at once.

    Args:
        path: of the database; its folder is made where it is missing.
        max_bytes, max_age_s: older alerts leave when the database is larger, or they are older.
        tell: takes sentences about what went wrong, each once, and that it is over.

    Attributes:
        stored: alerts that were written.
        lost: alerts that could not be, and never will be.
        trimmed: alerts that left because of size or age.

    Raises:
        StoreError: it cannot be used.
    """

    def __init__(
        self,
        path: str = "",
        *,
        max_bytes: int = DEFAULT_BYTES,
        max_age_s: float = DEFAULT_AGE_S,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.path = path or default_path()
        self._max_bytes, self._max_age_s, self._tell = max(max_bytes, LEAST_BYTES), max_age_s, tell
        database = open_for_writing(self.path, tell)
        try:
            self._page = LossPage(self.path)
        except BaseException:
            database.close()
            raise
        self._database: sqlite3.Connection | None = database
        self._inode = _inode(self.path)
        self.stored = self.lost = self.trimmed = 0
        self._rows: list[_Row] = []
        self._rows_bytes = 0
        self._counts: dict[int, tuple[int, int]] = {}
        self._incidents: dict[int, _Incident] = {}
        self._failing = ""
        self._retry_s = self._trimmed_s = 0.0
        self._since_trim = _TRIM_ROWS
        # What is not in the database, as (count, first, last) by reason.
        self._losses: dict[str, list[int]] = {}
        if self._page.before[0]:
            self._losses[_FROM_BEFORE] = list(self._page.before)
            tell(f"{self._page.before[0]} alerts are not in the store: {_FROM_BEFORE}")
        self.next_alert = 1 + max(self._most("alerts", "id"), self._counter("last_alert"))
        self.next_incident = 1 + max(self._most("incidents", "id"), self._counter("last_incident"))
        self._change = 1 + self._most("alerts", "change")
        self._boot = _boot_id()

    def known_incidents(self) -> list[tuple[int, object, object, int]]:
        """Those of this boot, for `Incidents.restore`."""
        assert self._database is not None
        rows = self._database.execute(
            "SELECT id, pid, start_ns, last_ns FROM incidents WHERE boot = ? AND pid IS NOT NULL"
            " ORDER BY last_ns DESC LIMIT 1000",
            (self._boot,),
        ).fetchall()
        return [(row[0], row[1], row[2], row[3]) for row in reversed(rows)]

    def add(self, alert: Alert, placed: Placed) -> None:
        """Take an alert, or a repetition. It is written by the next `commit`."""
        if placed.repeated:
            if len(self._counts) < _MOST_COUNTS or placed.number in self._counts:
                self._counts[placed.number] = (placed.count, alert.time_ns)
            else:
                self._lose(1, alert.time_ns, self._failing or "too many alerts waited")
        elif self._rows_bytes > MOST_WAITING_BYTES:
            self._lose(1, alert.time_ns, self._failing or "too many alerts waited")
            return
        else:
            row = _Row(alert, placed)
            self._rows.append(row)
            self._rows_bytes += row.bytes
        incident = self._incidents.get(placed.incident)
        if incident is None:
            if len(self._incidents) >= _MOST_COUNTS:
                return
            incident = self._incidents[placed.incident] = _Incident(alert)
        incident.add(alert)

    def lose(self, count: int, why: str) -> None:
        """Count alerts that were lost before they came here."""
        self._lose(count, time.time_ns(), why)

    def commit(self) -> bool:
        """Write what was added; whether all of it is in the database now."""
        if not (self._rows or self._counts or self._incidents or self._losses):
            return True
        now = time.monotonic()
        if self._failing and now < self._retry_s:
            self._note_losses()
            return False
        try:
            self._write()
        except sqlite3.Error as problem:
            self._fail(problem)
        except StoreError as problem:
            self._failed(str(problem))
        if self._failing:
            self._note_losses()
            return False
        return True

    def tick(self) -> None:
        """From time to time: try again, notice that the file is gone, and trim."""
        if self._database is not None and _inode(self.path) != self._inode:
            self._tell(f"the store `{self.path}` was removed or replaced: a new one is begun")
            self._close_database()
            self._lose(0, time.time_ns(), "the store was removed or replaced")
        self.commit()
        now = time.monotonic()
        due = self._since_trim >= _TRIM_ROWS or now - self._trimmed_s > _TRIM_S
        if due and not self._failing and self._database is not None:
            self._since_trim, self._trimmed_s = 0, now
            try:
                self._trim(self._database)
            except sqlite3.Error as problem:
                self._fail(problem)

    def close(self) -> None:
        """Write what waits, and say what could not be."""
        self._retry_s = 0.0
        if not self.commit():
            waiting = len(self._rows)
            self._tell(f"{waiting + self.lost} alerts are not in the store `{self.path}`: {self._failing}")
        self._close_database()
        self._page.close()

    # ── writing ──

    def _write(self) -> None:
        if self._database is None:
            self._database = open_for_writing(self.path, self._tell)
            self._inode = _inode(self.path)
        database = self._database
        change = self._change
        database.execute("BEGIN IMMEDIATE")
        for row in self._rows:
            change += 1
            database.execute(
                "INSERT OR REPLACE INTO alerts VALUES (?,?,?,?,1,?,?,?,?,?,?,?,?,?,?,?)",
                (row.number, change, row.time_ns, row.last_ns, *row.values),
            )
        for number, (count, last_ns) in self._counts.items():
            change += 1
            database.execute(
                "UPDATE alerts SET change = ?, count = ?, last_ns = max(last_ns, ?) WHERE id = ?",
                (change, count, last_ns, number),
            )
        for number, incident in self._incidents.items():
            self._write_incident(database, number, incident)
        for why, (count, _, last_ns) in self._losses.items():
            if count:
                database.execute("INSERT INTO losses VALUES (?, ?, ?)", (last_ns, count, escape_text(why)))
        self._remember(database)
        database.execute("COMMIT")
        self._written(change)

    def _write_incident(self, database: sqlite3.Connection, number: int, added: _Incident) -> None:
        root = added.root or {}
        database.execute(
            "INSERT INTO incidents VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET"
            " first_ns = min(first_ns, excluded.first_ns), last_ns = max(last_ns, excluded.last_ns),"
            " alerts = alerts + excluded.alerts, priority = min(priority, excluded.priority)",
            (
                number,
                self._boot,
                added.first_ns,
                added.last_ns,
                added.alerts,
                added.priority,
                _number(root.get("pid")),
                _number(root.get("start_ns")),
                json_line({"root": bounded(root, lossless=True)}).decode("ascii"),
            ),
        )

    def _remember(self, database: sqlite3.Connection) -> None:
        """The highest numbers, so that none is given twice after alerts left."""
        if self._rows:
            database.execute("REPLACE INTO counters VALUES ('last_alert', ?)", (self._rows[-1].number,))
        if self._incidents:
            database.execute("REPLACE INTO counters VALUES ('last_incident', ?)", (max(self._incidents),))

    def _written(self, change: int) -> None:
        self._change = change
        self.stored += len(self._rows)
        self._since_trim += len(self._rows)
        late = sum(count for count, _, _ in self._losses.values())
        if self._failing:
            self._tell(
                f"the store `{self.path}` can be written again: {len(self._rows)} alerts that waited are in it"
                + (f", {late} are lost" if late else "")
            )
            self._failing = ""
        self._rows, self._counts, self._incidents = [], {}, {}
        self._rows_bytes = 0
        self._losses.clear()
        self._page.write(0, 0, 0)

    def _fail(self, problem: sqlite3.Error) -> None:
        database = self._database
        try:
            if database is not None and database.in_transaction:
                database.execute("ROLLBACK")
        except sqlite3.Error:
            self._close_database()
        if not is_corrupt(problem):
            self._failed(reason(problem))
            return
        self._close_database()
        try:
            aside = move_aside(self.path)
            self._tell(
                f"the store `{self.path}` was damaged ({problem}): it is now `{aside}`, and a new one is begun"
            )
            self._write()
        except (sqlite3.Error, StoreError) as again:
            self._failed(reason(again) if isinstance(again, sqlite3.Error) else str(again))

    def _failed(self, why: str) -> None:
        if not self._failing:
            self._tell(
                f"alerts cannot be written to the store `{self.path}`: {why}; they are kept in memory and counted"
            )
        self._failing = why
        self._retry_s = time.monotonic() + _RETRY_S

    def _lose(self, count: int, time_ns: int, why: str) -> None:
        entry = self._losses.setdefault(why, [0, time_ns, time_ns])
        entry[0] += count
        entry[2] = max(entry[2], time_ns)
        self.lost += count

    def _note_losses(self) -> None:
        count = len(self._rows) + sum(entry[0] for entry in self._losses.values())
        times = [row.time_ns for row in (self._rows[:1] + self._rows[-1:])]
        times += [at for entry in self._losses.values() for at in entry[1:]]
        if count:
            self._page.write(count, max(0, min(times)), max(0, max(times)))

    def _close_database(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    # ── bounds ──

    def _trim(self, database: sqlite3.Connection) -> None:
        oldest_ns = time.time_ns() - int(self._max_age_s * 1e9)
        gone = self._delete(database, "last_ns < ? AND time_ns > 0", oldest_ns)
        for _ in range(20):
            if self._used_bytes(database) <= self._max_bytes:
                break
            count = self._value(database, "SELECT count(*) FROM alerts")
            if not count:
                break
            last = self._value(
                database,
                f"SELECT max(id) FROM (SELECT id FROM alerts ORDER BY id LIMIT {max(1, count // 10)})",
            )
            gone += self._delete(database, "id <= ?", last)
        if not gone:
            return
        self.trimmed += gone
        database.executescript("PRAGMA incremental_vacuum")  # `execute` would free one page
        database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _delete(self, database: sqlite3.Connection, where: str, value: int) -> int:
        database.execute("BEGIN IMMEDIATE")
        gone = database.execute(f"DELETE FROM alerts WHERE {where}", (value,)).rowcount
        if gone:
            database.execute(
                "DELETE FROM incidents WHERE NOT EXISTS (SELECT 1 FROM alerts WHERE incident = incidents.id)"
            )
            database.execute(
                "INSERT INTO counters VALUES ('trimmed', ?)"
                " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                (gone,),
            )
        database.execute("COMMIT")
        return gone

    def _used_bytes(self, database: sqlite3.Connection) -> int:
        pages = self._value(database, "PRAGMA page_count") - self._value(database, "PRAGMA freelist_count")
        return pages * self._value(database, "PRAGMA page_size")

    def _value(self, database: sqlite3.Connection, question: str) -> int:
        return int(database.execute(question).fetchone()[0] or 0)

    def _most(self, table: str, column: str) -> int:
        assert self._database is not None
        return self._value(self._database, f"SELECT max({column}) FROM {table}")

    def _counter(self, name: str) -> int:
        assert self._database is not None
        row = self._database.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0


def _inode(path: str) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_ino
    except OSError:
        return -1


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def _severity(priority: str) -> int:
    return PRIORITIES.index(priority) if priority in PRIORITIES else len(PRIORITIES) - 1


def _text(value: object) -> str:
    """For a column: harmless and of bounded length."""
    return "" if value is None else escape_text(str(value)[:4096])


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and -(1 << 63) <= value < 1 << 63 else None

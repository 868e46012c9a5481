"""Opening the store's database, and what the errors of SQLite mean."""

from __future__ import annotations

import os
import sqlite3
import time
from urllib.parse import quote

from kernscope.detector.private_files import UnsafePath, open_private, private_folder, state_folder
from kernscope.detector.store.schema import APPLICATION_ID, SCHEMA, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["StoreError", "default_path", "is_corrupt", "open_for_reading", "open_for_writing", "reason"]

BUSY_S = 0.25
"""How long another program may hold the database before writing is put off."""
_MOST_ASIDE = 3
"""Corrupt stores that are kept."""
_SIDE_FILES = ("", "-wal", "-shm")
_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class StoreError(Exception):
    """The store cannot be used; the message says why, `help` what to do."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help


def default_path() -> str:
    return os.path.join(state_folder(), "alerts.db")


def _code(error: sqlite3.Error) -> int:
    """The primary result code (sqlite.org/rescode.html); 0 where there is none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_corrupt(error: sqlite3.Error) -> bool:
    return _code(error) in _BROKEN


def reason(error: sqlite3.Error) -> str:
    """In words."""
    words = {
        sqlite3.SQLITE_FULL: "the disk is full",
        sqlite3.SQLITE_IOERR: "the disk is full or fails",
        sqlite3.SQLITE_READONLY: "it is read-only",
        sqlite3.SQLITE_BUSY: "another program has locked it",
        sqlite3.SQLITE_LOCKED: "another program has locked it",
        sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
        sqlite3.SQLITE_PERM: "permission denied",
        sqlite3.SQLITE_CORRUPT: "it is damaged",
        sqlite3.SQLITE_NOTADB: "it is no SQLite database",
    }
    return words.get(_code(error), str(error))


def _address(path: str, mode: str) -> str:
    return f"file:{quote(os.path.abspath(path))}?{mode}"


def open_for_writing(path: str, tell: Callable[[str], None]) -> sqlite3.Connection:
    """The database, made where there is none. A damaged one is moved aside, and told about. Raises StoreError."""
    try:
        private_folder(os.path.dirname(path))
        os.close(open_private(path, os.O_RDWR | os.O_CREAT))
    except UnsafePath as problem:
        raise StoreError(f"the store is not safe: {problem}", problem.help) from None
    except OSError as problem:
        raise StoreError(f"cannot open the store `{path}`: {problem.strerror}", _help(problem)) from None
    try:
        return _opened(path)
    except sqlite3.Error as problem:
        if not is_corrupt(problem):
            raise StoreError(f"cannot open the store `{path}`: {reason(problem)}") from None
        aside = move_aside(path)
        tell(f"the store `{path}` was damaged ({problem}): it is now `{aside}`, and a new one is begun")
    try:
        os.close(open_private(path, os.O_RDWR | os.O_CREAT))
        return _opened(path)
    except sqlite3.Error as problem:
        raise StoreError(f"cannot begin the store `{path}`: {reason(problem)}") from None
    except (UnsafePath, OSError) as problem:
        raise StoreError(f"cannot begin the store `{path}`: {problem}") from None


def _help(problem: OSError) -> str:
    if isinstance(problem, PermissionError):
        return "run it as root, or name another file with `--store FILE`"
    return "name another file with `--store FILE`"


def _opened(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(
        _address(path, "mode=rw"), uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    try:
        _prepare(database, path)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, path: str) -> None:
    def pragma(text: str) -> object:
        row = database.execute(f"PRAGMA {text}").fetchone()
        return row[0] if row else None

    database.execute("PRAGMA cache_size = -1024")  # KiB
    tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables == 0:
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table
    elif pragma("application_id") != APPLICATION_ID:
        raise StoreError(f"`{path}` is another program's database", "name another file with `--store FILE`")
    elif pragma("user_version") != VERSION:
        raise StoreError(
            f"the store `{path}` has version {pragma('user_version')}, and this Kernscope knows {VERSION}",
            "name another file with `--store FILE`, or move this one away",
        )
    if pragma("journal_mode = WAL") != "wal":
        raise StoreError(
            f"the store `{path}` lies on a file system that SQLite's WAL does not work on",
            "name a file on a local disk with `--store FILE`",
        )
    # A commit survives the end of the process at any moment; only a power failure can undo the last ones.
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA journal_size_limit = 4194304")
    if tables == 0:
        database.executescript(
            f"BEGIN IMMEDIATE;{SCHEMA}PRAGMA application_id = {APPLICATION_ID};"
            f"PRAGMA user_version = {VERSION};COMMIT;"
        )
    else:
        # Damage is found where it matters: what is written to, and the newest rows.
        database.execute("SELECT * FROM alerts ORDER BY id DESC LIMIT 100").fetchall()
        database.execute("SELECT * FROM incidents ORDER BY id DESC LIMIT 100").fetchall()
    try:
        database.execute("BEGIN IMMEDIATE")  # whether it can be written
        database.execute("REPLACE INTO counters VALUES ('opened', 1)")
        database.execute("COMMIT")
    except sqlite3.Error as problem:
        # A disk may have room later; until then alerts wait, or are counted.
        if _code(problem) not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            raise
        if database.in_transaction:
            database.execute("ROLLBACK")


def move_aside(path: str) -> str:
    """Rename a damaged store and its side files; of such ones only the last few are kept. Returns the new name."""
    folder, name = os.path.split(path)
    prefix = f"{name}.damaged-"
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    aside, number = os.path.join(folder, prefix + stamp), 1
    while os.path.lexists(aside):
        number += 1
        aside = os.path.join(folder, f"{prefix}{stamp}-{number}")
    for side in _SIDE_FILES:
        try:
            os.rename(path + side, aside + side)
        except FileNotFoundError:
            continue
        except OSError as problem:
            raise StoreError(
                f"the store `{path}` is damaged and cannot be moved aside: {problem.strerror}"
            ) from None
    kept = {
        found.removesuffix("-wal").removesuffix("-shm")
        for found in os.listdir(folder or ".")
        if found.startswith(prefix)
    }
    for old in sorted(kept)[:-_MOST_ASIDE]:
        for side in _SIDE_FILES:
            if os.path.lexists(os.path.join(folder, old + side)):
                os.unlink(os.path.join(folder, old + side))
    return aside


def open_for_reading(path: str) -> sqlite3.Connection:
    """The database, which nothing is changed in. Raises StoreError."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    except FileNotFoundError:
        raise StoreError(
            f"no alerts are stored: there is no `{path}`", "`kernscope detect run` writes it"
        ) from None
    except OSError as problem:
        raise StoreError(f"cannot read the store `{path}`: {problem.strerror}", _help(problem)) from None
    # On a read-only file system WAL cannot keep its index; nobody writes there, so none is needed.
    failed: sqlite3.Error | None = None
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        database = sqlite3.connect(_address(path, mode), uri=True, timeout=2.0, isolation_level=None)
        try:
            _check_for_reading(database, path)
            return database
        except sqlite3.Error as error:
            failed = error
            database.close()
            if _code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                break
        except BaseException:
            database.close()
            raise
    assert failed is not None
    help = "the detector moves a damaged store aside when it starts" if is_corrupt(failed) else ""
    raise StoreError(f"cannot read the store `{path}`: {reason(failed)}", help)


def _check_for_reading(database: sqlite3.Connection, path: str) -> None:
    database.execute("PRAGMA query_only = 1")
    found = database.execute("PRAGMA application_id").fetchone()[0]
    version = database.execute("PRAGMA user_version").fetchone()[0]
    tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables == 0 or found != APPLICATION_ID:
        raise StoreError(f"`{path}` is no store of alerts")
    if version != VERSION:
        raise StoreError(f"the store `{path}` has version {version}, and this Kernscope knows {VERSION}")

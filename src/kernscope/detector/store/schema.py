"""The tables of the store."""

__all__ = ["APPLICATION_ID", "SCHEMA", "VERSION"]

APPLICATION_ID = 0x4B536174
"""`KSat`, in the file's header (PRAGMA application_id)."""
VERSION = 1

SCHEMA = """
CREATE TABLE alerts (
    id INTEGER PRIMARY KEY,
    change INTEGER NOT NULL,     -- grows with every row that is written or counted up
    time_ns INTEGER NOT NULL,
    last_ns INTEGER NOT NULL,    -- of the last repetition
    count INTEGER NOT NULL,
    incident INTEGER NOT NULL,
    rule TEXT NOT NULL,
    priority INTEGER NOT NULL,   -- 0 emergency … 7 debug, as in syslog
    tags TEXT NOT NULL,          -- each between line ends
    output TEXT NOT NULL,
    pid INTEGER,
    name TEXT NOT NULL,
    exe TEXT NOT NULL,
    user TEXT NOT NULL,
    uid INTEGER,
    body TEXT NOT NULL           -- everything, as JSON
);
CREATE INDEX alerts_by_change ON alerts (change);
CREATE INDEX alerts_by_time ON alerts (last_ns);
CREATE INDEX alerts_by_incident ON alerts (incident);
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY,
    boot TEXT NOT NULL,          -- /proc/sys/kernel/random/boot_id: pids mean something within one
    first_ns INTEGER NOT NULL,
    last_ns INTEGER NOT NULL,
    alerts INTEGER NOT NULL,     -- repetitions included
    priority INTEGER NOT NULL,   -- the most severe
    pid INTEGER,
    start_ns INTEGER,
    root TEXT NOT NULL           -- the topmost process, as JSON
);
CREATE TABLE losses (
    time_ns INTEGER NOT NULL,
    count INTEGER NOT NULL,
    reason TEXT NOT NULL
);
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""

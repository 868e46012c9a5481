"""Alerts on disk: an SQLite database of bounded size and age.

schema.py   its tables
database.py opening it, and what the errors of SQLite mean
losses.py   what could not be stored, on a page of its own that needs no room on the disk
writer.py   Store: the one writer
reader.py   StoredAlerts: questions
"""

from kernscope.detector.store.database import StoreError, default_path
from kernscope.detector.store.reader import AlertQuery, StoredAlert, StoredAlerts, StoredIncident
from kernscope.detector.store.writer import Store

__all__ = [
    "AlertQuery",
    "Store",
    "StoreError",
    "StoredAlert",
    "StoredAlerts",
    "StoredIncident",
    "default_path",
]

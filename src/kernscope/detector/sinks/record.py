"""An alert as an object for JSON, of bounded size.

Texts that are no UTF-8 are written out (`\\xff`): strict readers of JSON refuse lone surrogates, and an alert must not
vanish because of a file's name.
"""

from __future__ import annotations

import json
import time
from math import isfinite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.detector.alert import Alert

__all__ = ["alert_object", "bounded", "cut", "iso_time", "json_line"]

MOST_CHARACTERS = 4096
MOST_ITEMS = 64
MOST_BYTES = 64 << 10


def alert_object(
    alert: Alert, incident: int, count: int = 1, number: int = 0, *, lossless: bool = False
) -> dict[str, object]:
    """The object. `lossless` keeps undecodable bytes as surrogates."""
    found: dict[str, object] = {
        "id": number,
        "incident": incident,
        "count": count,
        "time": iso_time(alert.time_ns) if alert.time_ns else alert.time,
        "time_ns": alert.time_ns,
        "rule": alert.rule,
        "priority": alert.priority,
        "tags": list(alert.tags),
        "output": alert.output,
        "fields": alert.fields,
        "process": alert.process,
        "event": alert.event,
    }
    result = bounded(found, lossless=lossless)
    assert isinstance(result, dict)
    return result


def bounded(value: object, *, lossless: bool = False, depth: int = 4) -> object:
    """As JSON can hold it, long texts and lists cut with a mark of how much is missing."""
    if isinstance(value, str):
        value = cut(value)
        return value if value.isascii() else _decodable(value, lossless)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)  # JSON has no infinity
    if depth == 0:
        return bounded(str(value), lossless=lossless)
    if isinstance(value, dict):
        pairs = list(value.items())[: 4 * MOST_ITEMS]
        return {
            str(bounded(str(k), lossless=lossless)): bounded(v, lossless=lossless, depth=depth - 1)
            for k, v in pairs
        }
    if isinstance(value, list | tuple | set | frozenset):
        items = [bounded(one, lossless=lossless, depth=depth - 1) for one in list(value)[:MOST_ITEMS]]
        return [*items, f"… {len(value) - MOST_ITEMS} more"] if len(value) > MOST_ITEMS else items
    return bounded(str(value), lossless=lossless)


def _decodable(text: str, lossless: bool) -> str:
    """Undecodable bytes as `\\xff`, or as they are; surrogates that stand for no byte are always written out."""
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text if lossless else data.decode("utf-8", "backslashreplace")


def cut(text: str, most: int = MOST_CHARACTERS) -> str:
    """At most so many characters, and then how many are missing."""
    return text if len(text) <= most else f"{text[:most]}… {len(text) - most} more"


def json_line(found: dict[str, object]) -> bytes:
    """One line without its end. Where it is too long, ancestors and then fields are cut harder."""
    line = json.dumps(found)
    for most in (512, 64):
        if len(line) <= MOST_BYTES:
            break
        found = {**found, "cut": True}
        for key in ("process", "fields", "tags", "output", "rule"):
            found[key] = _cut_all(found.get(key), most)
        line = json.dumps(found)
    return line.encode("ascii", "backslashreplace")


def _cut_all(value: object, most: int) -> object:
    if isinstance(value, str):
        return cut(value, most)
    if isinstance(value, dict):
        return {cut(str(k), most): _cut_all(v, most) for k, v in list(value.items())[:most]}
    return [_cut_all(one, most) for one in value[:most]] if isinstance(value, list) else value


def iso_time(time_ns: int) -> str:
    """In UTC, to the microsecond: `2026-05-01T12:30:00.000001Z`."""
    seconds, rest = divmod(time_ns, 10**9)
    try:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):
        return str(time_ns)
    return f"{text}.{rest // 1000:06d}Z"

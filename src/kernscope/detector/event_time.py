"""When an event was, for rules that count."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.detector.evaluate import Event

__all__ = ["event_time_ns"]

_CLOCK = re.compile(r"(?:\d{4}-\d\d-\d\d[T ])?(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?")


def event_time_ns(event: Event) -> int:
    """Nanoseconds since 1970; of a recording that has only `evt.time`, since midnight; 0 where there is neither."""
    raw = event.get("evt.rawtime")
    if isinstance(raw, int):
        return raw
    clock = _CLOCK.match(str(event.get("evt.time") or ""))
    if clock is None:
        return 0
    hours, minutes, seconds, fraction = clock.groups()
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 10**9 + int(
        (fraction or "0").ljust(9, "0")
    )

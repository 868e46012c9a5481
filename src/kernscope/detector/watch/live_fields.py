"""The fields of a live event: for each name a function from the event to its value; `fields` says what they mean."""

from __future__ import annotations

import time

from kernscope.detector.fields import MOST_ANCESTORS
from kernscope.detector.watch.behaviour_fields import BEHAVIOUR_FIELDS
from kernscope.detector.watch.call_fields import CALL_DOTTED, CALL_FIELDS, CALL_INDEXED
from kernscope.detector.watch.live_event import LiveEvent
from kernscope.detector.watch.process_fields import PROCESS_DOTTED, PROCESS_FIELDS, PROCESS_INDEXED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["DOTTED", "FIELDS", "INDEXED", "names_of"]

_SECOND = 1_000_000_000


def _clock(event: LiveEvent, form: str, fraction: bool, zone: Callable[[float], time.struct_time]) -> str:
    seconds, rest = divmod(event.time_ns, _SECOND)
    text = time.strftime(form, zone(seconds))
    return f"{text}.{rest:09}" if fraction else text


def _hostname(event: LiveEvent) -> str:
    import os

    return os.uname().nodename


_TIME_FIELDS: dict[str, Callable[[LiveEvent], object]] = {
    "evt.num": lambda event: event.number,
    "evt.time": lambda event: _clock(event, "%H:%M:%S", True, time.localtime),
    "evt.time.s": lambda event: _clock(event, "%H:%M:%S", False, time.localtime),
    "evt.time.iso8601": lambda event: _clock(event, "%Y-%m-%dT%H:%M:%S", True, time.gmtime) + "+0000",
    "evt.datetime": lambda event: _clock(event, "%Y-%m-%d %H:%M:%S", True, time.localtime),
    "evt.datetime.s": lambda event: _clock(event, "%Y-%m-%d %H:%M:%S", False, time.localtime),
    "evt.rawtime": lambda event: event.time_ns,
    "evt.rawtime.s": lambda event: event.time_ns // _SECOND,
    "evt.rawtime.ns": lambda event: event.time_ns % _SECOND,
    "evt.reltime": lambda event: event.time_ns - event.began_ns,
    "evt.reltime.s": lambda event: (event.time_ns - event.began_ns) // _SECOND,
    "evt.reltime.ns": lambda event: (event.time_ns - event.began_ns) % _SECOND,
    "evt.source": lambda event: "syscall",
    "evt.hostname": _hostname,
    "evt.is_async": lambda event: False,
    "evt.dir": lambda event: "<",
}

FIELDS: dict[str, Callable[[LiveEvent], object]] = (
    _TIME_FIELDS | CALL_FIELDS | PROCESS_FIELDS | BEHAVIOUR_FIELDS
)
INDEXED: dict[str, Callable[[LiveEvent, str], object]] = CALL_INDEXED | PROCESS_INDEXED
"""Fields with something in brackets."""
DOTTED: dict[str, Callable[[LiveEvent, str], object]] = CALL_DOTTED | PROCESS_DOTTED
"""Beginnings of names whose rest says which one."""

_RECORDED = (*("name", "exe", "exepath", "cmdline", "pid", "pid.ts"), "uid")


def names_of(event: LiveEvent) -> Iterator[str]:
    """All that an event may have: the fields, its arguments, its ancestors'."""
    yield from FIELDS
    if event.call is not None:
        for argument in event.call.arguments:
            yield f"evt.arg.{argument.name}"
    for number in range(1, MOST_ANCESTORS):
        if event.get(f"proc.apid[{number}]") is None:
            return
        for name in _RECORDED:
            yield f"proc.a{name}[{number}]"

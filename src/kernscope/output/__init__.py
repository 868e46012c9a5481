"""From records to what people and programs see: events, text, JSON, tables, Arrow.

record ── decode.py, lines.py ──▶ values, lines          (no I/O: functions from bytes to values)
events.py                         what a session yields
sink.py, text.py, json_sink.py    where output goes
maptext.py, histogram.py          maps in bpftrace's form
actions.py, symbolic.py           tables: what record kinds and symbolic values mean
"""

__all__ = [
    "AttachedEvent",
    "EndEvent",
    "ErrorEvent",
    "Event",
    "EventSink",
    "Histogram",
    "JoinEvent",
    "JsonSink",
    "KeyedValueEvent",
    "LostEvent",
    "MapEvent",
    "MissedEvent",
    "Plan",
    "PrintfEvent",
    "Sink",
    "Stats",
    "SymbolFacts",
    "TextSink",
    "TimeEvent",
    "ValueEvent",
    "VerdictEvent",
    "escape_text",
    "to_arrow",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.output.arrow import to_arrow
    from kernscope.output.escape import escape_text
    from kernscope.output.events import (
        AttachedEvent,
        EndEvent,
        ErrorEvent,
        Event,
        JoinEvent,
        KeyedValueEvent,
        LostEvent,
        MapEvent,
        MissedEvent,
        PrintfEvent,
        TimeEvent,
        ValueEvent,
        VerdictEvent,
    )
    from kernscope.output.histogram import Histogram, Stats
    from kernscope.output.json_sink import JsonSink
    from kernscope.output.sink import EventSink, Plan, Sink
    from kernscope.output.symbolic import SymbolFacts
    from kernscope.output.text import TextSink

_HOMES = {
    "EventSink": "sink",
    "Histogram": "histogram",
    "JsonSink": "json_sink",
    "Plan": "sink",
    "Sink": "sink",
    "Stats": "histogram",
    "SymbolFacts": "symbolic",
    "TextSink": "text",
    "escape_text": "escape",
    "to_arrow": "arrow",
}


def __getattr__(name: str) -> object:
    # Each part costs start-up time only where it is used.
    home = _HOMES.get(name) or ("events" if name.endswith("Event") else None)
    if home is None or name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"kernscope.output.{home}"), name)

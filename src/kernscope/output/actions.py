"""What a record means to a sink: one entry per `Record.action` that shows something as it comes.

`line` builds the function from a record to its bytes of text, `event` the one to its event. The actions of
the control ring (`exit`, `print_map`, `clear`, …) change or read the session's state and are the runtime's.
"""

from __future__ import annotations

from kernscope.bundle import Record
from kernscope.output.decode import record_decoder
from kernscope.output.events import Event, JoinEvent, KeyedValueEvent, PrintfEvent, TimeEvent, ValueEvent
from kernscope.output.lines import join_line, print_line, printf_line
from kernscope.output.symbolic import SymbolFacts, strftime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kernscope.output.lines import Escape, Line

    LineBuilder = Callable[[Record, SymbolFacts, Escape, int], Line]
    EventBuilder = Callable[[Record, SymbolFacts, int], Callable[[bytes], Event]]

__all__ = ["ACTIONS", "Action"]


class Action:
    """Builders of the functions for one record kind; the last argument is the size of the record's header.

    `message` is the `type` of its JSON message where that carries the line as text, without the newline that
    `line` adds if `ends_line`; None where it carries a value.
    """

    __slots__ = ("ends_line", "event", "line", "message")

    def __init__(
        self, line: LineBuilder, event: EventBuilder, message: str | None = None, ends_line: bool = False
    ) -> None:
        self.line, self.event, self.message, self.ends_line = line, event, message, ends_line


def _printf_event(record: Record, facts: SymbolFacts, header_bytes: int) -> Callable[[bytes], Event]:
    line = printf_line(record, facts, None, header_bytes)
    values = record_decoder(record.types, facts, header_bytes)

    def event(data: bytes) -> Event:
        return PrintfEvent(line(data).decode("utf-8", "surrogateescape"), values(data))

    return event


def _value_event(record: Record, facts: SymbolFacts, header_bytes: int) -> Callable[[bytes], Event]:
    values = record_decoder(record.types, facts, header_bytes)
    type = record.types[0]

    def event(data: bytes) -> Event:
        return ValueEvent(values(data)[0], type)

    return event


def _keyed_event(record: Record, facts: SymbolFacts, header_bytes: int) -> Callable[[bytes], Event]:
    values = record_decoder(record.types, facts, header_bytes)
    name, type = record.text, record.types[1]

    def event(data: bytes) -> Event:
        key, value = values(data)
        return KeyedValueEvent(name, key, value, type)

    return event


def _join_event(record: Record, facts: SymbolFacts, header_bytes: int) -> Callable[[bytes], Event]:
    values = record_decoder(record.types, facts, header_bytes)
    separator = record.text

    def event(data: bytes) -> Event:
        found: Any = values(data)
        parts = found[1 : 1 + found[0]]
        return JoinEvent(separator.join(parts), parts)

    return event


def _now(format: str) -> str:
    import time

    return strftime(format, time.time_ns())


def _time_line(record: Record, facts: SymbolFacts, escape: Escape, header_bytes: int) -> Line:
    format = record.text
    return lambda data: _now(format).encode("utf-8", "surrogateescape")


def _time_event(record: Record, facts: SymbolFacts, header_bytes: int) -> Callable[[bytes], Event]:
    format = record.text
    return lambda data: TimeEvent(_now(format))


ACTIONS: dict[str, Action] = {
    "printf": Action(printf_line, _printf_event, "printf"),
    "print_value": Action(print_line, _value_event),
    "print_keyed": Action(print_line, _keyed_event),
    "join": Action(join_line, _join_event, "join", ends_line=True),
    "time": Action(_time_line, _time_event, "time"),
}

"""bpftrace's text output."""

from __future__ import annotations

from kernscope.output.escape import escape_bytes, escape_text
from kernscope.output.events import (
    AttachedEvent,
    CatEvent,
    ComplaintEvent,
    EndEvent,
    ErrorEvent,
    Event,
    JoinEvent,
    KeyedValueEvent,
    LostEvent,
    MapEvent,
    MissedEvent,
    PrintfEvent,
    SystemEvent,
    TimeEvent,
    ValueEvent,
    VerdictEvent,
)
from kernscope.output.maptext import MapShape
from kernscope.output.messages import (
    attached_text,
    complaint_text,
    error_text,
    lost_text,
    missed_text,
    verdict_text,
)
from kernscope.output.sink import Plan, Sink
from kernscope.output.values import value_text
from kernscope.output.writer import Writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["TextSink"]


class TextSink(Sink):
    """Writes text to `out`, and messages about the run (attached, lost, errors) to `messages`.

    Args:
        out, messages: a file descriptor or an object with `write(bytes)`; `messages` may be None.
        terminal: escape control characters in strings that the program did not write; None: find out.
        buffering: `full` writes what comes at once with one call; `line` each line on its own; `none` each record.
        end_lines: what separates the events from the maps at the end.
        quiet: no message about attaching.
        warnings: tell run-time errors.
    """

    def __init__(
        self,
        out: object,
        messages: object = None,
        *,
        terminal: bool | None = None,
        buffering: str = "full",
        end_lines: str = "\n\n",
        quiet: bool = False,
        warnings: bool = True,
    ) -> None:
        self._warnings = warnings
        self.terminal = _is_terminal(out) if terminal is None else terminal
        self.writer: Writer = Writer(out)
        self._messages = None if messages is None else Writer(messages)
        self._single = buffering != "full"
        self._end = end_lines.encode()
        self._quiet = quiet
        self._source_name = self._source_text = ""
        self._pending: list[bytes] = []
        self._read: Callable[[list[bytes]], list[Any]] = lambda batch: []
        self._escape: Callable[[str], str] = escape_text if self.terminal else str

    @property
    def error(self) -> OSError | None:  # type: ignore[override]
        """Why output ended, if it did."""
        return self.writer.error

    @property
    def unwritten(self) -> bytes:
        """What could not be written since (the first 4 MiB of it)."""
        return b"".join(self.writer.unwritten)

    def open(self, plan: Plan) -> None:
        escape = escape_bytes if self.terminal else None
        self._source_name, self._source_text = plan.bundle.source_name, plan.bundle.source_text
        self._read = plan.readers(lambda record, action: action.line(record, plan.facts, escape, 8))

    def records(self, batch: list[bytes]) -> None:
        if self._single:
            for line in self._read(batch):
                self.writer.write(line)
        else:
            self._pending += self._read(batch)

    def event(self, event: Event) -> None:
        _WRITERS[event.__class__](self, event)

    def flush(self) -> None:
        pending, self._pending = self._pending, []
        self.writer.write(b"".join(pending))

    def close(self) -> None:
        self.flush()

    def _write(self, text: str) -> None:
        self._pending.append(text.encode("utf-8", "surrogateescape"))
        if self._single:
            self.flush()

    def _message(self, text: str) -> None:
        if self._messages is not None:
            # A reader of both sees them in the order in which they happened.
            self.flush()
            self._messages.write(text.encode("utf-8", "surrogateescape"))

    def _attached(self, event: AttachedEvent) -> None:
        if not self._quiet:
            self._message(attached_text(event))

    def _end_of_events(self, event: EndEvent) -> None:
        self._write(self._end.decode())

    def _map(self, event: MapEvent) -> None:
        if isinstance(event.view, MapShape):
            self._write(event.view.text(event.mapping, event.top, event.div, self._escape))

    def _text(self, event: PrintfEvent | TimeEvent | CatEvent) -> None:
        self._write(event.text)

    def _system(self, event: SystemEvent) -> None:
        self._write(event.text + "\n")

    def _join(self, event: JoinEvent) -> None:
        self._write(self._escape(event.text) + "\n")

    def _keyed(self, event: KeyedValueEvent) -> None:
        if isinstance(event.view, MapShape):
            self._write(event.view.value_text(event.value, self._escape) + "\n")
        else:
            self._write(value_text(event.type, event.value, self._escape) + "\n")

    def _value(self, event: ValueEvent) -> None:
        self._write(value_text(event.type, event.value, self._escape) + "\n")

    def _error(self, event: ErrorEvent) -> None:
        if self._warnings:
            self._message(error_text(event, self._source_name, self._source_text))

    def _complaint(self, event: ComplaintEvent) -> None:
        if self._warnings or event.severity == "error":
            shown = event
            if self.terminal:
                lines = "\n".join(self._escape(line) for line in event.text.split("\n"))
                shown = ComplaintEvent(event.severity, lines, event.span)
            self._message(complaint_text(shown, self._source_name, self._source_text))

    def _verdict(self, event: VerdictEvent) -> None:
        if not self._quiet:
            self._write(verdict_text(event))

    def _lost(self, event: LostEvent) -> None:
        self._message(lost_text(event))

    def _missed(self, event: MissedEvent) -> None:
        self._message(missed_text(event))


_WRITERS: dict[type[Event], Callable[[TextSink, Any], None]] = {
    AttachedEvent: TextSink._attached,
    CatEvent: TextSink._text,
    ComplaintEvent: TextSink._complaint,
    EndEvent: TextSink._end_of_events,
    ErrorEvent: TextSink._error,
    JoinEvent: TextSink._join,
    KeyedValueEvent: TextSink._keyed,
    LostEvent: TextSink._lost,
    MapEvent: TextSink._map,
    MissedEvent: TextSink._missed,
    PrintfEvent: TextSink._text,
    SystemEvent: TextSink._system,
    TimeEvent: TextSink._text,
    ValueEvent: TextSink._value,
    VerdictEvent: TextSink._verdict,
}


def _is_terminal(out: object) -> bool:
    import os

    try:
        fd = out if isinstance(out, int) else out.fileno()  # type: ignore[attr-defined]
        return os.isatty(fd)
    except (AttributeError, OSError):
        return False

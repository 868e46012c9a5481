"""bpftrace's JSON output (`-f json`): one object per line (see `json_text`)."""

from __future__ import annotations

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
from kernscope.output.json_text import json_text
from kernscope.output.maptext import MapShape
from kernscope.output.sink import Plan, Sink
from kernscope.output.writer import Writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kernscope.bundle import Record
    from kernscope.output.actions import Action
    from kernscope.output.symbolic import SymbolFacts

__all__ = ["JsonSink"]

Message = dict[str, object]


class JsonSink(Sink):
    """Writes to `out`, a descriptor or an object with `write(bytes)`. `quiet`: no message about attaching;
    `warnings`: tell run-time errors.
    """

    def __init__(
        self, out: object, *, buffering: str = "full", quiet: bool = False, warnings: bool = True
    ) -> None:
        self.writer: Writer = Writer(out)
        self._warnings = warnings
        self._single = buffering != "full"
        self._quiet = quiet
        self._pending: list[str] = []
        self._read_messages: Callable[[list[bytes]], list[str]] = lambda batch: []
        self._source_name = self._source_text = ""

    @property
    def error(self) -> OSError | None:  # type: ignore[override]
        """Why output ended, if it did."""
        return self.writer.error

    @property
    def unwritten(self) -> bytes:
        """What could not be written since (the first 4 MiB of it)."""
        return b"".join(self.writer.unwritten)

    def open(self, plan: Plan) -> None:
        self._source_name, self._source_text = plan.bundle.source_name, plan.bundle.source_text
        self._read_messages = plan.readers(lambda record, action: self._reader(record, action, plan.facts))

    def _reader(self, record: Record, action: Action, facts: SymbolFacts) -> Callable[[bytes], str]:
        """The function from records of one kind to their messages."""
        if action.message is None:
            make = action.event(record, facts, 8)
            return lambda data: self._message(make(data)) or ""
        line = action.line(record, facts, None, 8)
        head = f'{{"type": "{action.message}", "data": '
        end = -1 if action.ends_line else None

        def message(data: bytes) -> str:
            return f"{head}{json_text(line(data)[:end].decode('utf-8', 'surrogateescape'))}}}"

        return message

    def records(self, batch: list[bytes]) -> None:
        self._pending += self._read_messages(batch)
        if self._single:
            self.flush()

    def event(self, event: Event) -> None:
        message = self._message(event)
        if message is not None:
            self._pending.append(message)
            if self._single:
                self.flush()

    def _message(self, event: Event) -> str | None:
        message = _MESSAGES[event.__class__](self, event)
        return None if message is None else json_text(message)

    def flush(self) -> None:
        if self._pending:
            pending, self._pending = self._pending, []
            self.writer.write(("\n".join(pending) + "\n").encode())

    def close(self) -> None:
        self.flush()

    def _attached(self, event: AttachedEvent) -> Message | None:
        if self._quiet:
            return None
        return {"type": "attached_probes", "count": event.count, "data": {"probes": event.count}}

    def _nothing(self, event: EndEvent) -> None:
        return None

    def _map(self, event: MapEvent) -> Message | None:
        if not isinstance(event.view, MapShape):
            return None
        return event.view.json(event.mapping, event.top, event.div)

    def _printf(self, event: PrintfEvent) -> Message:
        return {"type": "printf", "data": event.text}

    def _time(self, event: TimeEvent) -> Message:
        return {"type": "time", "data": event.text}

    def _cat(self, event: CatEvent) -> Message:
        return {"type": "cat", "data": event.text}

    def _system(self, event: SystemEvent) -> Message:
        return {"type": "syscall", "data": event.text}  # bpftrace's name of it

    def _complaint(self, event: ComplaintEvent) -> Message | None:
        if event.severity != "error" and not self._warnings:
            return None
        kind = "errorf" if event.severity == "error" else "warnf"
        message: Message = {"type": kind, "msg": event.text}
        self._place(message, event.span)
        return message

    def _join(self, event: JoinEvent) -> Message:
        return {"type": "join", "data": event.text}

    def _keyed(self, event: KeyedValueEvent) -> Message:
        if isinstance(event.view, MapShape):
            return {"type": "value", "data": event.view.value_json(event.value)}
        return {"type": "value", "data": event.value}

    def _value(self, event: ValueEvent) -> Message:
        return {"type": "value", "data": event.value}

    def _verdict(self, event: VerdictEvent) -> Message:
        data: Message = {"probe": event.probe, "verdict": event.verdict, "count": event.count}
        return {"type": "verdict", "data": data | {"enforced": event.enforced}}

    def _lost(self, event: LostEvent) -> Message:
        return {"type": "lost_events", "data": {"events": event.count, "probe": event.clause}}

    def _missed(self, event: MissedEvent) -> Message:
        return {"type": "missed_events", "data": {"events": event.count, "program": event.program}}

    def _error(self, event: ErrorEvent) -> Message | None:
        if not self._warnings:
            return None
        message: Message = {"type": "helper_error" if event.helper else "runtime_error", "msg": event.message}
        if event.helper:
            message["helper"] = event.helper
            message["retcode"] = event.code
        if event.count > 1:
            message["count"] = event.count
        self._place(message, event.span)
        return message

    def _place(self, message: Message, span: tuple[int, int]) -> None:
        """Where in the source something comes from."""
        message["filename"] = self._source_name
        if self._source_text:
            from kernscope.diagnostics.source import Source

            source = Source(self._source_name, self._source_text)
            message["line"], message["col"] = source.position(span[0])


_MESSAGES: dict[type[Event], Callable[[JsonSink, Any], Message | None]] = {
    AttachedEvent: JsonSink._attached,
    CatEvent: JsonSink._cat,
    ComplaintEvent: JsonSink._complaint,
    EndEvent: JsonSink._nothing,
    ErrorEvent: JsonSink._error,
    JoinEvent: JsonSink._join,
    KeyedValueEvent: JsonSink._keyed,
    LostEvent: JsonSink._lost,
    MapEvent: JsonSink._map,
    MissedEvent: JsonSink._missed,
    PrintfEvent: JsonSink._printf,
    SystemEvent: JsonSink._system,
    TimeEvent: JsonSink._time,
    ValueEvent: JsonSink._value,
    VerdictEvent: JsonSink._verdict,
}

"""Where a trace's events become lines."""

from kernscope.output.complaints import WarningCollector
from kernscope.output.events import Event, ValueEvent
from kernscope.output.sink import EventSink
from kernscope.output.writer import Writer
from kernscope.syscalls.trace import SyscallEvent, Trace
from kernscope.syscalls.trace_text import LineWriter, clock_offset_ns, json_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["TraceSink"]


class TraceSink(EventSink):
    """Writes the calls that a trace's session reports to `out`, a descriptor or an object with
    `write(bytes)`.

    `format` is `text` or `json` (one object per line). What comes at once is written at once.
    """

    def __init__(self, trace: Trace, out: object, *, format: str = "text") -> None:
        super().__init__(self._event)
        self._trace = trace
        self._collector = WarningCollector()
        self.writer: Writer = Writer(out)
        self._pending: list[str] = []
        self._offset_ns = clock_offset_ns()
        self._lines = LineWriter(self._offset_ns)
        self._text = self._json if format == "json" else self._lines.line

    @property
    def error(self) -> OSError | None:  # type: ignore[override]
        """Why output ended, if it did."""
        return self.writer.error

    @property
    def warnings(self) -> list[str]:
        """What was lost or went wrong."""
        return self._collector.texts()

    def _json(self, event: SyscallEvent) -> str:
        return json_line(event, self._offset_ns)

    def _event(self, event: Event) -> None:
        if isinstance(event, ValueEvent):
            self._pending.append(self._text(self._trace.event(event.value)))
        else:
            self._collector.take(event)

    def write_unfinished(self, kept: "Mapping[Any, Any]") -> None:
        """The calls that had not returned when the session ended; `kept` is its map `@call`."""
        self._pending += [self._text(event) for event in self._trace.unfinished(kept)]
        self.flush()

    def flush(self) -> None:
        pending, self._pending = self._pending, []
        if pending:
            self.writer.write(("\n".join(pending) + "\n").encode("utf-8", "surrogateescape"))

    def close(self) -> None:
        self.flush()

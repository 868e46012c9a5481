"""Alerts as lines on a descriptor: for people, or as JSON."""

from __future__ import annotations

import os

from kernscope.detector.sinks.base import Setting, Sink, SinkKind
from kernscope.detector.sinks.record import alert_object, cut, json_line
from kernscope.detector.sinks.settings import choice
from kernscope.output.escape import escape_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kernscope.detector.alert import Alert

__all__ = ["KIND", "StdoutSink", "alert_line", "colored"]

_COLORS = {
    "emergency": "1;31",
    "alert": "1;31",
    "critical": "1;31",
    "error": "31",
    "warning": "33",
    "notice": "36",
}


def colored(text: str, priority: str) -> str:
    """In the colour of a priority; those below notice have none."""
    code = _COLORS.get(priority)
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def alert_line(alert: Alert, incident: int, count: int = 1, number: int = 0, *, color: bool = False) -> str:
    """`TIME: Priority OUTPUT [#12, incident 3]`, harmless for a terminal, without a line end."""
    line = escape_text(cut(alert.text(), 8192))
    priority = alert.priority.capitalize()
    if color:
        line = line.replace(f"{priority} ", colored(priority, alert.priority) + " ", 1)
    marks = [f"#{number}"] if number else []
    marks += [f"incident {incident}"] if incident else []
    marks += [f"{count:,} times"] if count > 1 else []
    return f"{line} [{', '.join(marks)}]" if marks else line


class StdoutSink(Sink):
    """`json`: objects instead of lines. `on_gone` is called when whoever read them went away."""

    def __init__(
        self,
        fd: int = 1,
        *,
        json: bool = False,
        color: bool = False,
        on_gone: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__("standard output")
        self._on_gone = on_gone
        self._fd, self._json, self._color = fd, json, color
        self._lines: list[bytes] = []
        self.gone = False

    def take(self, alert: Alert, incident: int, count: int = 1, number: int = 0) -> None:
        if self._json:
            line = json_line(alert_object(alert, incident, count, number))
        else:
            text = alert_line(alert, incident, count, number, color=self._color)
            line = text.encode("utf-8", "backslashreplace")
        self._lines.append(line + b"\n")

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        if not lines:
            return
        data = memoryview(b"".join(lines))
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as problem:
            if isinstance(problem, BrokenPipeError) and not self.gone:
                self.gone = True
                self._on_gone()
            self._fails(len(lines), problem.strerror or str(problem))
            return
        self._works(len(lines))

    def close(self) -> None:
        self.flush()


def _make(values: Mapping[str, object]) -> StdoutSink:
    is_json = values["format"] == "json"
    color = not is_json and not os.environ.get("NO_COLOR") and os.isatty(1)
    return StdoutSink(1, json=is_json, color=color)


KIND = SinkKind(
    "stdout",
    "lines on standard output; coloured on a terminal",
    [Setting("format", "text or json", choice(("text", "json")), "text")],
    _make,
)

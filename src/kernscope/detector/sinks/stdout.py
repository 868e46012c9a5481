"""Alerts as lines on a descriptor: for people, or as JSON."""

from __future__ import annotations

import os
import select
import time
from collections import deque

from kernscope.detector.sinks.base import Setting, Sink, SinkKind
from kernscope.detector.sinks.record import alert_object, cut, json_line
from kernscope.detector.sinks.settings import choice
from kernscope.output.escape import escape_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kernscope.detector.alert import Alert

__all__ = ["KIND", "StdoutSink", "alert_line", "colored"]

MOST_WAITING_BYTES = 1 << 20
"""Of lines that nobody reads."""
PATIENCE_S = 0.5
CLOSE_S = 2.0
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
        self._lines: deque[bytes] = deque()
        self._bytes = self._begun = 0  # of all lines; of the first one, what is written
        self.gone = False

    def take(self, alert: Alert, incident: int, count: int = 1, number: int = 0) -> None:
        if self._json:
            line = json_line(alert_object(alert, incident, count, number))
        else:
            text = alert_line(alert, incident, count, number, color=self._color)
            line = text.encode("utf-8", "backslashreplace")
        if self._bytes > MOST_WAITING_BYTES:
            self._fails(1, "nobody reads it")
            return
        self._lines.append(line + b"\n")
        self._bytes += len(line) + 1

    def flush(self) -> None:
        self._flush(0.0 if self._problem else PATIENCE_S)

    def close(self) -> None:
        self._flush(CLOSE_S)
        if self._lines:
            self._fails(len(self._lines), "nobody reads it")

    def _flush(self, patience_s: float) -> None:
        """Write what can be written without waiting for long: a terminal may be stopped, a reader may not read."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        until = time.monotonic() + patience_s
        while self._lines:
            try:
                if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
                    self._fails(0, "nobody reads it")
                    return
                # So much can be written without waiting, where anything can (pipe(7)).
                line = self._lines[0]
                self._begun += os.write(self._fd, line[self._begun : self._begun + select.PIPE_BUF])
            except OSError as problem:
                self._lost(problem)
                return
            if self._begun == len(line):
                self._lines.popleft()
                self._bytes, self._begun = self._bytes - len(line), 0
                self._works()

    def _lost(self, problem: OSError) -> None:
        lost = len(self._lines)
        self._lines.clear()
        self._bytes = self._begun = 0
        if isinstance(problem, BrokenPipeError) and not self.gone:
            self.gone = True
            self._on_gone()
        self._fails(lost, problem.strerror or str(problem))


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

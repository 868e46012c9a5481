"""Running a summary: redraw while it runs, keep the final table."""

from __future__ import annotations

import time

from kernscope.output.complaints import WarningCollector
from kernscope.output.screen import Screen
from kernscope.output.sink import EventSink
from kernscope.syscalls.summary import Row, Summary
from kernscope.syscalls.summary_text import csv_text, json_text, table_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    class Session(Protocol):
        """What is used of `kernscope.Session`."""

        @property
        def maps(self) -> Mapping[str, Mapping[object, object]]: ...

        def start(self) -> object: ...

        def wait(self, timeout: float | None = None) -> bool: ...


__all__ = ["Watcher"]


class Watcher:
    """Watches the session of a summary.

    Args:
        summary: whose program runs.
        top: rows to show; 0: all.
        escape: the text goes to a terminal.
    """

    def __init__(self, summary: Summary, *, top: int = 0, escape: bool = False) -> None:
        self._summary, self._top, self._escape = summary, top, escape
        self._collector = WarningCollector()
        self.sink = EventSink(self._collector.take)
        self.rows: Sequence[Row] = ()
        self.elapsed_s = 0.0

    @property
    def warnings(self) -> list[str]:
        """What went wrong meanwhile."""
        return self._collector.texts()

    def watch(self, session: Session, *, screen_fd: int | None = None, interval_s: float = 1.0) -> None:
        """Run the session to its end, redrawing the table on the terminal `screen_fd` if there is one."""
        session.start()
        start = time.monotonic()
        screen = None if screen_fd is None else Screen(screen_fd)
        try:
            if screen is not None:
                self._draw(session, screen, start)
            while not session.wait(interval_s if screen else None):
                if screen is not None:
                    self._draw(session, screen, start)
            self.elapsed_s = time.monotonic() - start
        finally:
            if screen is not None:
                screen.clear()
        self.rows = self._summary.rows(session.maps)

    def _draw(self, session: Session, screen: Screen, start: float) -> None:
        width, height = screen.size()
        rows = self._summary.rows(session.maps)
        elapsed_s = time.monotonic() - start
        screen.draw(
            table_lines(
                rows, by=self._summary.by, elapsed_s=elapsed_s, top=self._top, width=width, height=height - 1
            )
        )

    def text(self, format: str) -> str:
        """The final result as `table`, `json` or `csv`."""
        by, elapsed_s, top = self._summary.by, self.elapsed_s, self._top
        if format == "json":
            text = json_text(self.rows, by=by, elapsed_s=elapsed_s, top=top, lost=self._collector.lost)
            return text + "\n"
        if format == "csv":
            return csv_text(self.rows, by=by, elapsed_s=elapsed_s, top=top, escape=self._escape)
        return "".join(f"{line}\n" for line in table_lines(self.rows, by=by, elapsed_s=elapsed_s, top=top))

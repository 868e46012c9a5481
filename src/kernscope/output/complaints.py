"""What went wrong while a program ran, as sentences for people."""

from __future__ import annotations

from kernscope.output.events import ErrorEvent, Event, LostEvent, MissedEvent

__all__ = ["WarningCollector"]


class WarningCollector:
    """Sentences about what was lost or failed while a program ran."""

    def __init__(self) -> None:
        self.lost = 0
        self._texts: dict[str, int] = {}

    def take(self, event: Event) -> None:
        """Count an event if it is a loss or an error."""
        if isinstance(event, LostEvent):
            self.lost += event.count
        elif isinstance(event, ErrorEvent):
            self._texts[event.message] = self._texts.get(event.message, 0) + event.count
        elif isinstance(event, MissedEvent):
            text = f"the kernel skipped `{event.program}`, because it was already running on that CPU"
            self._texts[text] = self._texts.get(text, 0) + event.count

    def texts(self) -> list[str]:
        """One sentence each."""
        texts = [f"{text} ({n} times)" if n > 1 else text for text, n in self._texts.items()]
        if self.lost:
            texts.insert(0, f"{self.lost} events lost: the ring buffer was full")
        return texts

"""Fields about how unusual the process of a live event is; those of `window` are set where the event is made."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.detector.watch.live_event import LiveEvent

__all__ = ["BEHAVIOUR_FIELDS"]


def _mark(event: LiveEvent) -> tuple[float, str | None]:
    found = event.process.marks.get("anomaly") if event.process is not None else None
    if not isinstance(found, tuple):
        return 0.0, None
    score, reason, until_ns = found
    return (score, reason) if event.time_ns <= until_ns else (0.0, None)


BEHAVIOUR_FIELDS: dict[str, Callable[[LiveEvent], object]] = {
    "anomaly.score": lambda event: _mark(event)[0],
    "anomaly.reason": lambda event: _mark(event)[1],
} | {
    f"window.{name}": lambda event: None
    for name in ("calls", "rate", "errors", "error_share", "forks", "files", "ports", "top", "duration")
}

"""Losses and errors that programs count in the `globals` map, reported as they grow."""

from struct import Struct

from kernscope.bundle import Bundle, Counter
from kernscope.output.events import ErrorEvent, LostEvent, VerdictEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.output.events import Event

__all__ = ["Counters"]

_WORD = Struct("=Q")
_E2BIG = 7


class Counters:
    """Compares the counters with what was last reported."""

    def __init__(self, bundle: Bundle, globals: memoryview | None) -> None:
        self._bundle = bundle
        self._globals = globals
        counters = bundle.counters if globals is not None else []
        self._counters = [c for c in counters if c.kind != "verdict"]
        self._verdicts = [c for c in counters if c.kind == "verdict"]
        self._reported = [0] * len(self._counters)

    def read(self) -> list[int]:
        """All counters now."""
        if self._globals is None:
            return []
        return [_WORD.unpack_from(self._globals, counter.offset)[0] for counter in self._counters]

    def lost(self) -> dict[str, int]:
        """Lost records by clause (the text of its probes)."""
        found: dict[str, int] = {}
        for counter, count in zip(self._counters, self.read()):
            if count and counter.kind in ("lost", "control_lost"):
                clause = self._clause(counter)
                found[clause] = found.get(clause, 0) + count
        return found

    def news(self) -> "list[Event]":
        """One event for each counter that grew since the last call."""
        now = self.read()
        if now == self._reported:
            return []
        events = [
            _EVENTS[counter.kind](self, counter, count - before, count)
            for counter, count, before in zip(self._counters, now, self._reported)
            if count > before
        ]
        self._reported = now
        return events

    def verdicts(self, *, enforced: bool) -> "list[VerdictEvent]":
        """What was decided so far; in a dry run also that nothing would have been."""
        if self._globals is None:
            return []
        found = []
        for counter in self._verdicts:
            (count,) = _WORD.unpack_from(self._globals, counter.offset)
            if count or not enforced:
                found.append(VerdictEvent(counter.name, counter.text, count, enforced=enforced))
        return found

    def freeze(self) -> None:
        """Read for the last time; the memory goes away."""
        if self._globals is not None:
            self._globals = memoryview(bytes(self._globals))

    def _clause(self, counter: Counter) -> str:
        clauses = self._bundle.clauses
        if counter.kind == "lost" and counter.clause < len(clauses):
            return clauses[counter.clause]
        return ""

    def _lost(self, counter: Counter, grown: int, total: int) -> "Event":
        return LostEvent(self._clause(counter), grown, total)

    def _map_full(self, counter: Counter, grown: int, total: int) -> "Event":
        message = f"map `{counter.name}` is full: new keys were not stored"
        return ErrorEvent(message, span=counter.span, helper="map_update_elem", code=-_E2BIG, count=grown)

    def _error(self, counter: Counter, grown: int, total: int) -> "Event":
        return ErrorEvent(counter.text, span=counter.span, count=grown)


_EVENTS: "dict[str, Callable[[Counters, Counter, int, int], Event]]" = {
    "lost": Counters._lost,
    "control_lost": Counters._lost,
    "map_full": Counters._map_full,
    "error": Counters._error,
}

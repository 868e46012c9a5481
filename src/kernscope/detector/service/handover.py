"""From one session to the next without an event lost or seen twice.

The new session is attached while the old one still is. Then the old one ends, and all that it recorded is handled: so
records of the new one from before that moment are all known, and are left out. Around the moment itself both may
have recorded an event, each with its own time: the older program runs first, so the old record is the same event if it
is alike and not much earlier.
"""

from __future__ import annotations

from collections import deque

from kernscope.output.events import Event, ValueEvent
from kernscope.output.sink import EventSink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any

__all__ = ["Gate"]

MOST_REMEMBERED = 500_000
SAME_NS = 10_000_000
"""How much later the new program may have looked at the clock: a program may be preempted between."""


class Gate:
    """Between a session and the watcher that takes its events.

    `sink` is for the session; records are tuples that begin with a kind and the nanoseconds since boot.
    """

    def __init__(self, take: Callable[[Event], object]) -> None:
        self._take = take
        self.sink = EventSink(self._event)
        self.left_out = 0
        self._remembered: deque[tuple[int, Hashable]] | None = None
        self._from_ns = 0
        self._old: dict[Hashable, list[int]] = {}

    def remember(self) -> None:
        """The session ends soon: keep what tells its records apart."""
        self._remembered = deque(maxlen=MOST_REMEMBERED)

    def forget(self) -> None:
        """It goes on after all."""
        self._remembered = None

    def follow(self, old: Gate, moment_ns: int) -> None:
        """Leave out what the old gate's session has told: it was attached until `moment_ns` at least."""
        self._from_ns = moment_ns
        for time_ns, key in old._remembered or ():
            if time_ns >= moment_ns - SAME_NS:
                self._old.setdefault(key, []).append(time_ns)

    def _event(self, event: Event) -> None:
        if isinstance(event, ValueEvent) and isinstance(event.value, tuple) and len(event.value) > 1:
            record = event.value
            if self._remembered is not None:
                self._remembered.append((record[1], _key(record)))
            if self._from_ns and self._known(record):
                self.left_out += 1
                return
        self._take(event)

    def _known(self, record: tuple[Any, ...]) -> bool:
        time_ns = record[1]
        if self._old and time_ns > self._from_ns + 600 * SAME_NS:
            self._old.clear()  # the old session has ended long before
        times = self._old.get(_key(record), []) if self._old else []
        for place in reversed(range(len(times))):
            if 0 <= time_ns - times[place] <= SAME_NS:
                del times[place]  # an old record stands for one new one, also of those before the moment
                return True
        return bool(time_ns < self._from_ns)


def _key(record: tuple[Any, ...]) -> Hashable:
    """The kind; then of a call: its number, process, thread, and the result; of others what they begin with."""
    return (record[0], *record[2:6], *record[11:12])

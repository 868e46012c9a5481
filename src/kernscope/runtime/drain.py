"""Records out of the two rings, in the order in which things happened.

The event ring carries what is shown as it comes; the control ring what must not be lost behind a flood. A
record of the control ring holds the event ring's producer position of the moment it was sent, so it is
handled once all events before that position have been handed over, and before those behind it.
"""

from struct import Struct

from kernscope.runtime.control import handler_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kernscope.bundle import Record
    from kernscope.kernel.ringbuf import RingBuffer
    from kernscope.runtime.control import Controlled, Handler

__all__ = ["Drain"]

BATCH_RECORDS = 8192

_CONTROL_HEADER = Struct("=IIQ")
"""id, length of the fixed part, position."""


class Drain:
    """Reads `events` and `control` (either may be missing); `deliver` gets batches of event records."""

    def __init__(
        self,
        events: "RingBuffer | None",
        control: "RingBuffer | None",
        records: "Sequence[Record]",
        session: "Controlled",
        deliver: "Callable[[list[bytes]], None]",
    ) -> None:
        self._events, self._control = events, control
        self._records, self._session, self._deliver = records, session, deliver
        self._handlers: dict[int, Handler] = {}
        self._waiting: list[bytes] = []
        self.delivered = 0
        """Event records handed over so far."""

    def rings(self) -> "list[RingBuffer]":
        """The rings there are, to wait for."""
        return [ring for ring in (self._events, self._control) if ring is not None]

    def round(self, limit: int = BATCH_RECORDS) -> int:
        """Hand over what has come by now, about `limit` events at most; how many records there were.

        The order of the reads matters. A program that sends a control record and then an event has sent the
        former before the latter's position was published: reading the position first, the control ring second
        and then only events before that position keeps the two in order.
        """
        end = self._events.producer_pos if self._events is not None else 0
        if self._control is not None:
            self._waiting += self._control.drain()
        handled = 0
        while self._waiting:
            id, _, position = _CONTROL_HEADER.unpack_from(self._waiting[0])
            handled += self._events_until(position, limit - handled)
            if self._events is not None and self._events.consumer_pos < position:
                return handled  # the limit, or an event that is still being written
            data = self._waiting.pop(0)
            self._handle(id, data)
            handled += 1
        return handled + self._events_until(end, max(1, limit - handled))

    def _events_until(self, position: int, limit: int) -> int:
        if self._events is None or limit <= 0:
            return 0
        batch = self._events.drain(limit, until=position)
        if batch:
            self.delivered += len(batch)
            self._deliver(batch)
        return len(batch)

    def _handle(self, id: int, data: bytes) -> None:
        handler = self._handlers.get(id)
        if handler is None:
            handler = self._handlers[id] = handler_of(self._records[id], self._session)
        handler(self._session, data)

    @property
    def pending(self) -> bool:
        """Whether records are left that could not be handed over yet."""
        return bool(self._waiting) or any(ring.pending_bytes for ring in self.rings())

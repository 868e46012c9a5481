"""What a sink is, and the plan that tells it how to read records."""

from __future__ import annotations

from kernscope.bundle import Bundle, Record
from kernscope.output.actions import ACTIONS, Action
from kernscope.output.events import Event
from kernscope.output.symbolic import SymbolFacts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from kernscope.output.writer import Writer

__all__ = ["EventSink", "Plan", "Sink"]


class Plan:
    """The record kinds of a bundle and how to read them, compiled when first needed."""

    __slots__ = ("bundle", "facts", "records")

    def __init__(self, bundle: Bundle, facts: SymbolFacts) -> None:
        self.bundle, self.facts = bundle, facts
        self.records: Sequence[Record] = bundle.records

    def readers(
        self, build: Callable[[Record, Action], Callable[[bytes], Any]]
    ) -> Callable[[list[bytes]], list[Any]]:
        """A function from a batch of records to what `build`'s functions make of each.

        `build` is called once per record kind, when the first of its records comes.
        """
        table: list[Callable[[bytes], Any]] = []

        def lazy(record: Record) -> Callable[[bytes], Any]:
            def first(data: bytes) -> Any:
                reader = table[record.id] = build(record, ACTIONS[record.action])
                return reader(data)

            return first

        table.extend(lazy(record) for record in self.records)
        if len(table) <= 256:

            def read(batch: list[bytes]) -> list[Any]:
                return [table[data[0]](data) for data in batch]  # the low byte of the id is the id

        else:

            def read(batch: list[bytes]) -> list[Any]:
                return [table[data[0] | data[1] << 8](data) for data in batch]

        return read


class Sink:
    """Where output goes. All methods do nothing; subclasses override what they need.

    `error` is set once output can no longer be written; the session then ends.
    """

    error: OSError | None = None

    writer: Writer | None = None
    """What it writes with, if it does: the session ends when its reader goes away."""

    def open(self, plan: Plan) -> None:
        """Called once, before anything else."""

    def records(self, batch: list[bytes]) -> None:
        """Records of the event ring, whole, in the order in which they were sent."""

    def event(self, event: Event) -> None:
        """Something that is not in the event ring: a map, an error, what was lost, the end."""

    def flush(self) -> None:
        """All that came at once has been handed over."""

    def close(self) -> None:
        """Nothing comes any more."""


class EventSink(Sink):
    """Gives each event to a function."""

    def __init__(self, take: Callable[[Event], object]) -> None:
        self._take = take
        self._read: Callable[[list[bytes]], list[Event]] | None = None

    def open(self, plan: Plan) -> None:
        facts = plan.facts
        self._read = plan.readers(lambda record, action: action.event(record, facts, 8))

    def records(self, batch: list[bytes]) -> None:
        assert self._read is not None
        for event in self._read(batch):
            self._take(event)

    def event(self, event: Event) -> None:
        self._take(event)

"""What rules remember of each key, in bounded memory.

The rule whose keys take most gives up what was used longest ago, and this is counted. Keys that nothing was seen of for
a window are forgotten, so a rule is small again after a flood.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Generic, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MOST_UNITS", "KeyState", "KeyTable", "Memory"]

MOST_UNITS = 100_000
"""Of all rules together: a time, a value or a step is one unit, of about 100 bytes; a key costs `_KEY_UNITS` more."""
_KEY_UNITS = 6


class KeyState:
    """What is known of one key; subclasses add what their kind needs.

    Attributes:
        last_ns: the latest time of an event.
        quiet_until_ns: no alert before.
        units: how much it holds.
    """

    __slots__ = ("last_ns", "quiet_until_ns", "units")

    def __init__(self, now_ns: int) -> None:
        self.last_ns = now_ns
        self.quiet_until_ns = -(1 << 63)
        self.units = 0


S = TypeVar("S", bound=KeyState)


class Memory:
    """What all rules of a set share."""

    __slots__ = ("evicted", "most", "tables", "used")

    def __init__(self, most: int = MOST_UNITS) -> None:
        self.most = most
        self.used = self.evicted = 0
        self.tables: list[KeyTable[Any]] = []

    def shrink(self) -> None:
        """Give up what was used longest ago until all fits."""
        while self.used > self.most:
            largest = max(self.tables, key=lambda table: table.used)
            largest.forget_oldest()
            self.evicted += 1


class KeyTable(Generic[S]):
    """The states of one rule's keys, the one used longest ago first."""

    __slots__ = ("evicted", "make", "memory", "states", "used", "within_ns")

    def __init__(self, memory: Memory, within_ns: int, make: Callable[[int], S]) -> None:
        self.memory, self.within_ns, self.make = memory, within_ns, make
        self.states: OrderedDict[object, S] = OrderedDict()
        self.used = self.evicted = 0
        memory.tables.append(self)

    def get(self, key: object, now_ns: int) -> tuple[S, int]:
        """A key's state, and the time that counts: never earlier than what was seen of the key before.

        Where the clock was set back by more than a window, the key begins anew.
        """
        self.expire(now_ns)
        state = self.states.get(key)
        if state is not None and state.last_ns - now_ns > self.within_ns:
            self.drop(key)
            state = None
        if state is None:
            state = self.states[key] = self.make(now_ns)
            self.used += _KEY_UNITS
            self.memory.used += _KEY_UNITS
        else:
            self.states.move_to_end(key)
        state.last_ns = max(state.last_ns, now_ns)
        return state, state.last_ns

    def holds(self, state: S, units: int) -> None:
        """Say how much a state that `get` gave holds now. It may be gone after this."""
        change = units - state.units
        if change:
            state.units = units
            self.used += change
            self.memory.used += change
        if self.memory.used > self.memory.most:
            self.memory.shrink()

    def expire(self, now_ns: int) -> None:
        """Forget keys of which nothing was seen for a window, and whose quiet time is over."""
        oldest = now_ns - self.within_ns
        while self.states:
            key, state = next(iter(self.states.items()))
            if state.last_ns >= oldest or state.quiet_until_ns > now_ns:
                break
            self.drop(key)

    def take(self, other: KeyTable[S]) -> None:
        """Go on with the states of another table of the same kind, which has none then."""
        self.states, other.states = other.states, OrderedDict()
        self.memory.used += other.used - self.used
        other.memory.used -= other.used
        self.used, other.used = other.used, 0
        self.evicted += other.evicted
        self.memory.shrink()

    def forget_oldest(self) -> None:
        self.drop(next(iter(self.states)))
        self.evicted += 1

    def drop(self, key: object) -> None:
        units = self.states.pop(key).units + _KEY_UNITS
        self.used -= units
        self.memory.used -= units

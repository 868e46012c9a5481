"""A process and all its descendants: found, frozen, signalled. No signal ever reaches another process.

A process is held by a pidfd. It is the one that is meant if it started when that one did: after the pidfd was opened,
its start is read from /proc, and the pidfd must still be that of a living process then; a pid is not used again before.
A tree is frozen first, from its root on, until a look at /proc finds nobody new: what is stopped makes no children.
"""

from __future__ import annotations

import os
import select
import signal

from kernscope.kernel.process_table import children_of_all, parent_of, start_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MOST_PROCESSES", "Held", "Tree", "hold"]

MOST_PROCESSES = 20_000
_MOST_LOOKS = 50
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class Held:
    """A process that is held by a descriptor; `start_ns` since boot, exact to a clock tick."""

    __slots__ = ("fd", "pid", "start_ns")

    def __init__(self, pid: int, start_ns: int, fd: int) -> None:
        self.pid, self.start_ns, self.fd = pid, start_ns, fd

    def send(self, number: int) -> bool:
        """Whether it was still there."""
        try:
            signal.pidfd_send_signal(self.fd, number)
        except ProcessLookupError:
            return False
        return True

    @property
    def ended(self) -> bool:
        poll = select.poll()  # select() takes no descriptors above 1023
        poll.register(self.fd, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def hold(pid: int, start_ns: int | None = None) -> Held | None:
    """A process, if it is the one that started at `start_ns` (since boot; None: whoever has the pid now)."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return None
    started = start_of(pid)
    held = Held(pid, started or 0, fd)
    wrong = started is None or (start_ns is not None and not -_TICK_NS <= start_ns - started < 2 * _TICK_NS)
    if wrong or held.ended:
        held.close()
        return None
    return held


def _hold_child(pid: int, parents: set[int]) -> Held | None:
    """A process that was seen to be a child of one of these; none if the pid belongs to another one by now."""
    held = hold(pid)
    if held is not None and (parent_of(pid) not in parents or held.ended):
        held.close()
        return None
    return held


class Tree:
    """A root and its descendants, as far as they may be touched.

    Attributes:
        members: the root first, parents before their children.
        spared: pids that `spare` gave a reason for, with the reason; what is below them is spared too.
    """

    def __init__(self, root: Held, spare: Callable[[int], str]) -> None:
        self.members = [root]
        self.spared: dict[int, str] = {}
        self._spare = spare

    def freeze(self, before: Callable[[list[Held]], None] = lambda found: None) -> None:
        """Stop all, until nobody new is found. `before` is told of each before it is stopped."""
        found = self.members[:]
        for _ in range(_MOST_LOOKS):
            before(found)
            for held in found:
                held.send(signal.SIGSTOP)
            found = self._new()
            self.members += found
            if not found or len(self.members) >= MOST_PROCESSES:
                return

    def look(self) -> None:
        """Find all without stopping them."""
        for _ in range(_MOST_LOOKS):
            found = self._new()
            self.members += found
            if not found or len(self.members) >= MOST_PROCESSES:
                return

    def _new(self) -> list[Held]:
        children = children_of_all()
        known = {held.pid for held in self.members}
        found: list[Held] = []
        waiting = [held.pid for held in self.members]
        while waiting and len(known) < MOST_PROCESSES:
            for pid in children.get(waiting.pop(0), ()):
                if pid in self.spared:
                    continue
                if pid not in known:
                    known.add(pid)
                    reason = self._spare(pid)
                    if reason:
                        self.spared[pid] = reason
                        continue
                    held = _hold_child(pid, known)
                    if held is None:
                        continue
                    found.append(held)
                    waiting.append(pid)
        return found

    def send(self, number: int) -> int:
        """How many got it."""
        return sum(held.send(number) for held in self.members)

    def close(self) -> None:
        for held in self.members:
            held.close()

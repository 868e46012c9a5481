"""What register allocation decides, step by step, and the copying of several locations at once.

A step is (kind, value, dst, srcs):

    OP     the instruction `value`; result in dst (-1: none), arguments in srcs (-1: immediate, 10: frame)
    MOVE   dst = srcs[0]
    LOAD   dst = the spill slot that belongs to `value`
    STORE  the spill slot that belongs to `value` = srcs[0]
    REMAT  dst = the floating value `value`, made anew
"""

from __future__ import annotations

from kernscope.ssa.ir import Value

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` and `collections.abc` cost as much start-up time as this whole room
    from collections.abc import Callable

__all__ = ["LOAD", "MOVE", "OP", "REMAT", "STORE", "Step", "parallel_moves"]

Step = tuple[int, Value, int, tuple[int, ...]]

OP = 0
MOVE = 1
LOAD = 2
STORE = 3
REMAT = 4


def parallel_moves(
    moves: list[tuple[int, int, Value]], free: int, scratch: Callable[[], Value]
) -> list[Step]:
    """Steps that copy registers as if all at once.

    `moves`: (dst, src, what it holds), each dst once. `free`: bit set of registers whose content nobody
    needs, the destinations not counted. A cycle is broken with one of those, else with the `scratch` spill
    slot: pointers survive both whole.
    """
    pending = {dst: (src, value) for dst, src, value in moves if dst != src}
    readers = dict.fromkeys(pending, 0)
    for src, _ in pending.values():
        if src in readers:
            readers[src] += 1
    steps: list[Step] = []
    ready = [dst for dst in pending if not readers[dst]]
    while pending:
        while ready:
            dst = ready.pop()
            src, value = pending.pop(dst)
            steps.append((MOVE, value, dst, (src,)))
            if src in pending:
                readers[src] -= 1
                if not readers[src]:
                    ready.append(src)
        if pending:
            steps += _break_cycle(pending, free, scratch)
    return steps


def _break_cycle(
    pending: dict[int, tuple[int, Value]], free: int, scratch: Callable[[], Value]
) -> list[Step]:
    """Take one whole cycle out of `pending`, in which only cycles are left."""
    start = next(iter(pending))
    first_source, first_value = pending.pop(start)
    steps: list[Step] = []
    slot: Value | None = None
    keep = -1
    if free:
        keep = (free & -free).bit_length() - 1
        steps.append((MOVE, first_value, keep, (start,)))
    else:
        slot = scratch()
        steps.append((STORE, slot, -1, (start,)))
    # `start` is saved; fill it, then what was copied into it, and so on round to the saved one.
    dst, src, value = start, first_source, first_value
    while src != start:
        steps.append((MOVE, value, dst, (src,)))
        dst = src
        src, value = pending.pop(dst)
    if slot is None:
        steps.append((MOVE, value, dst, (keep,)))
    else:
        steps.append((LOAD, slot, dst, ()))
    return steps

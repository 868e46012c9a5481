"""The stack frame: where each stack object and spill slot lies below r10.

Objects whose lives are apart (`frame_lives`) share their bytes, and so do spill slots among themselves. The
placing is first fit, not optimal.
"""

from kernscope.ssa.allocate import Allocation
from kernscope.ssa.frame_lives import object_lives, spill_lives
from kernscope.ssa.ir import FrameSlot, Function, Op, Value
from kernscope.ssa.liveness import Liveness

__all__ = [
    "FRAME_LIMIT",
    "MAY_GOTO_BYTES",
    "Frame",
    "FrameTooLarge",
    "called_functions",
    "check_call_chains",
    "layout",
]

FRAME_LIMIT = 512  # MAX_BPF_STACK, include/linux/filter.h
MAY_GOTO_BYTES = 16  # the verifier adds the loop counter (and a time stamp) to the frame


class FrameTooLarge(Exception):
    """The stack objects and spilled values of a function, or of functions that call each other, do not fit.

    `function`: its name. `needed`, `limit`: bytes. `objects`: the sizes of its stack objects.
    """

    def __init__(self, function: str, needed: int, limit: int, objects: list[int]) -> None:
        super().__init__(f"`{function}` needs {needed} bytes of stack, and {limit} are there")
        self.function = function
        self.needed = needed
        self.limit = limit
        self.objects = objects


class Frame:
    """`spills`: the offset of each spilled value; `size`: bytes, a multiple of 8."""

    __slots__ = ("size", "spills")

    def __init__(self, size: int, spills: dict[Value, int]) -> None:
        self.size = size
        self.spills = spills


def layout(f: Function, lv: Liveness, allocation: Allocation) -> Frame:
    """Set `offset` of every stack object; place the spill slots below them. Raises FrameTooLarge."""
    limit = FRAME_LIMIT
    if any(b.term is not None and b.term.op == Op.MAY_GOTO for b in f.blocks):
        limit -= MAY_GOTO_BYTES
    size = _place_objects(object_lives(f, lv)) if f.slots else 0
    spills: dict[Value, int] = {}
    if allocation.spilled or allocation.scratch:
        lives = spill_lives(f, lv, allocation.spilled)
        lives.update(dict.fromkeys(allocation.scratch, -1))
        size = _place_spills(lives, size, spills)
    if size > limit:
        raise FrameTooLarge(f.name, size, limit, [s.size for s in f.slots])
    return Frame(size, spills)


def _place_objects(lives: dict[FrameSlot, int]) -> int:
    """Largest first, each as near to the top as those allow that live at the same time."""
    placed: dict[tuple[int, int], int] = {}  # when bytes are taken, by first and last byte below r10
    total = 0
    for slot in sorted(lives, key=lambda s: (-s.size, s.id)):
        life = lives[slot]
        align = max(slot.align, 1)
        bottom = _round_up(slot.size, align)
        for top, end in sorted(span for span, other in placed.items() if other & life):
            if bottom <= top:
                break
            bottom = max(bottom, _round_up(end + slot.size, align))
        slot.offset = -bottom
        span = bottom - slot.size, bottom
        placed[span] = placed.get(span, 0) | life
        total = max(total, bottom)
    return _round_up(total, 8)


def _round_up(n: int, align: int) -> int:
    return (n + align - 1) // align * align


def _place_spills(lives: dict[Value, int], size: int, spills: dict[Value, int]) -> int:
    """In order of their beginnings, each into the first slot that nothing else needs meanwhile."""
    taken: list[int] = []
    for v in sorted(lives, key=lambda v: (lives[v] & -lives[v], v.id)):
        life = lives[v]
        n = next((n for n, other in enumerate(taken) if not other & life), len(taken))
        if n == len(taken):
            taken.append(0)
        taken[n] |= life
        spills[v] = -(size + 8 * (n + 1))
    return size + 8 * len(taken)


# --- call chains -----------------------------------------------------------------------------------------


def called_functions(f: Function) -> set[Function]:
    """The functions that `f` calls or passes as callbacks."""
    if len(f.module.functions) == 1:
        return set()
    found = {v.aux for v in f.values() if v.op == Op.CALL_FUNC}
    found.update(a.aux for v in f.values() for a in v.args if a.op == Op.FUNC_REF)
    return {callee for callee in found if isinstance(callee, Function)}


def check_call_chains(main: Function, frames: dict[Function, Frame]) -> None:
    """Raise FrameTooLarge where functions active at once need more than the limit.

    The verifier adds up frames along calls and callbacks, each rounded up to 32 bytes (16 with a JIT), at
    least one unit (check_max_stack_depth, kernel/bpf/verifier.c). `frames`: those of all functions that are
    needed.
    """
    calls = {f: called_functions(f) for f in frames}
    deepest: dict[Function, int] = {}
    for (
        _
    ) in frames:  # after as many rounds as there are functions, every chain is counted; few need that many
        before = dict(deepest)
        for f in frames:
            own = _round_up(max(frames[f].size, 1), 32)
            deepest[f] = own + max((deepest.get(c, 0) for c in calls[f]), default=0)
        if deepest == before:
            break
    if deepest[main] > FRAME_LIMIT and calls[main]:
        raise FrameTooLarge(main.name, deepest[main], FRAME_LIMIT, [frames[f].size for f in frames])

"""The stack frame: where each stack object and spill slot lies below r10.

Objects whose lives are apart share their bytes. A life is taken as one span of positions: from the first to
the last instruction that names the object (whole loops, where a loop holds some of them: the content may be
carried round), or where the spilled value lives. An object whose address flows into a phi or select lives
everywhere.
"""

from heapq import heappop, heappush

from kernscope.ssa.allocate import Allocation
from kernscope.ssa.ir import Block, FrameSlot, Function, Module, Op, Value
from kernscope.ssa.liveness import Liveness

__all__ = ["FRAME_LIMIT", "MAY_GOTO_BYTES", "Frame", "FrameTooLarge", "check_call_chains", "layout"]

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


def layout(f: Function, lv: Liveness, loops: list[tuple[Block, set[Block]]], allocation: Allocation) -> Frame:
    """Set `offset` of every stack object; place the spill slots below them. Raises FrameTooLarge."""
    limit = FRAME_LIMIT
    if any(b.term is not None and b.term.op == Op.MAY_GOTO for b in f.blocks):
        limit -= MAY_GOTO_BYTES
    size = _place_objects(f, lv, loops) if f.slots else 0
    spills: dict[Value, int] = {}
    if allocation.spilled or allocation.scratch:
        size = _place_spills(f, lv, allocation, size, spills)
    if size > limit:
        raise FrameTooLarge(f.name, size, limit, [s.size for s in f.slots])
    return Frame(size, spills)


# --- stack objects ---------------------------------------------------------------------------------------


def _place_objects(f: Function, lv: Liveness, loops: list[tuple[Block, set[Block]]]) -> int:
    lives = _object_lives(f, lv)
    spans = [(lv.start[min(b.order for b in i)], lv.end[max(b.order for b in i)]) for _, i in loops]
    placed: list[tuple[int, int, int, int]] = []  # first and last position, bottom and top as bytes below r10
    total = 0
    used = [slot for slot in f.slots if slot in lives]
    for slot in sorted(used, key=lambda s: -s.size):
        first, last = _whole_loops(*lives[slot], spans)
        align = max(slot.align, 1)
        top = 0
        for _, _, other_top, other_bottom in sorted(
            (p for p in placed if p[0] <= last and first <= p[1]), key=lambda p: p[2]
        ):
            bottom = _round_up(top + slot.size, align)
            if bottom <= other_top:
                break
            top = max(top, other_bottom)
        bottom = _round_up(top + slot.size, align)
        slot.offset = -bottom
        placed.append((first, last, bottom - slot.size, bottom))
        total = max(total, bottom)
    return _round_up(total, 8)


def _round_up(n: int, align: int) -> int:
    return (n + align - 1) // align * align


def _whole_loops(first: int, last: int, spans: list[tuple[int, int]]) -> tuple[int, int]:
    """The span widened to every loop it touches."""
    changed = True
    while changed:
        changed = False
        for start, end in spans:
            if start <= last and first <= end and (start < first or last < end):
                first, last = min(first, start), max(last, end)
                changed = True
    return first, last


def _object_lives(f: Function, lv: Liveness) -> dict[FrameSlot, tuple[int, int]]:
    """First and last position at which each object is named."""
    lives: dict[FrameSlot, tuple[int, int]] = {}
    derived: dict[Value, FrameSlot] = {}
    everywhere: set[FrameSlot] = set()

    def slot_of(v: Value) -> FrameSlot | None:
        if v.op == Op.FRAME_ADDR and isinstance(v.aux, FrameSlot):
            return v.aux
        return derived.get(v)

    for block in f.blocks:
        position = lv.start[block.order]
        for v in (*block.phis, *block.insns, block.term):
            if v is None:
                continue
            if v.op != Op.PHI:
                position += 1
            for arg in v.args:
                slot = slot_of(arg)
                if slot is None:
                    continue
                first, last = lives.get(slot, (position, position))
                lives[slot] = (min(first, position), max(last, position))
                if v.op == Op.PTR_ADD:
                    derived[v] = slot
                elif v.op in (Op.PHI, Op.SELECT_CMP) or (v.op == Op.STORE and arg is v.args[1]):
                    everywhere.add(slot)
    for slot in everywhere:
        lives[slot] = (0, lv.end[-1])
    return lives


# --- spill slots -----------------------------------------------------------------------------------------


def _place_spills(
    f: Function, lv: Liveness, allocation: Allocation, size: int, spills: dict[Value, int]
) -> int:
    """Give out slots in the order in which lives begin; a life that is over frees its slot."""
    spans = _spill_lives(f, lv, allocation.spilled)
    for slot in allocation.scratch:
        spans[slot] = (0, lv.end[-1])
    busy: list[tuple[int, int]] = []  # last position, offset
    free: list[int] = []
    for v in sorted(spans, key=lambda v: (spans[v][0], v.id)):
        first, last = spans[v]
        while busy and busy[0][0] < first:
            free.append(heappop(busy)[1])
        if not free:
            size += 8
            free.append(-size)
        offset = free.pop()
        spills[v] = offset
        heappush(busy, (last, offset))
    return size


def _spill_lives(f: Function, lv: Liveness, spilled: set[Value]) -> dict[Value, tuple[int, int]]:
    spans: dict[Value, tuple[int, int]] = {}
    bits = 0
    for v in spilled:
        bits |= 1 << v.id
        assert v.block is not None
        at = lv.start[v.block.order]
        spans[v] = (at, at)
        if v.op == Op.PHI:  # its slot is written at the ends of the predecessors
            for pred in v.block.preds:
                spans[v] = _widen(spans[v], lv.end[pred.order])
    for block in f.blocks:
        i = block.order
        for v in lv.members(lv.live_in[i] & bits):
            spans[v] = _widen(spans[v], lv.start[i])
        for v in lv.members(lv.live_out[i] & bits):
            spans[v] = _widen(spans[v], lv.end[i])
    for block in f.blocks:
        position = lv.start[block.order]
        for user in (*block.insns, block.term):
            position += 1
            for arg in user.args if user is not None else ():
                if arg in spans and position > spans[arg][1]:
                    spans[arg] = (spans[arg][0], position)
    return spans


def _widen(span: tuple[int, int], position: int) -> tuple[int, int]:
    return min(span[0], position), max(span[1], position)


# --- call chains -----------------------------------------------------------------------------------------


def check_call_chains(m: Module, frames: dict[Function, Frame]) -> None:
    """Raise FrameTooLarge where functions active at once need more than the limit.

    The verifier adds up frames along calls and callbacks, each rounded up to 32 bytes (16 with a JIT), at
    least one unit (check_max_stack_depth, kernel/bpf/verifier.c).
    """
    calls: dict[Function, set[Function]] = {f: set() for f in m.functions}
    for f in m.functions:
        for v in f.values():
            callees = [a.aux for a in v.args if a.op == Op.FUNC_REF]
            if v.op == Op.CALL_FUNC:
                callees.append(v.aux)
            calls[f].update(c for c in callees if isinstance(c, Function) and c in calls)
    deepest: dict[Function, int] = {}
    for _ in m.functions:  # callees first needs no more rounds than there are functions
        for f in m.functions:
            own = _round_up(max(frames[f].size, 1), 32)
            deepest[f] = own + max((deepest.get(c, 0) for c in calls[f]), default=0)
    main = m.functions[0]
    if deepest[main] > FRAME_LIMIT and deepest[main] > _round_up(frames[main].size, 32):
        sizes = [frames[f].size for f in m.functions]
        raise FrameTooLarge(main.name, deepest[main], FRAME_LIMIT, sizes)

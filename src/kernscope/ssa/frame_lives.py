"""When stack objects and spill slots hold something that is still wanted: bit sets of positions.

A spilled value: where the value lives. A stack object: where it may have been named before and may be read
again before it is written in full. An object whose address flows into a phi, a select or memory lives
everywhere.
"""

from kernscope.ssa.ir import Block, FrameSlot, Function, Op, Value
from kernscope.ssa.liveness import Liveness

__all__ = ["object_lives", "spill_lives"]


def _span(first: int, last: int) -> int:
    """Bits first to last."""
    return ((1 << (last - first + 1)) - 1) << first


def spill_lives(f: Function, lv: Liveness, spilled: set[Value]) -> dict[Value, int]:
    """Positions at which each spilled value lives; a phi is written at the ends of its predecessors."""
    lives = dict.fromkeys(spilled, 0)
    bits = 0
    for v in spilled:
        if lv.number[v.id] >= 0:
            bits |= 1 << lv.number[v.id]
        if v.op == Op.PHI and v.block is not None:
            for pred in v.block.preds:
                lives[v] |= 1 << lv.end[pred.order]
    for block in f.blocks:
        i = block.order
        start, end = lv.start[i], lv.end[i]
        begins = dict.fromkeys(lv.members(lv.live_in[i] & bits), start)
        ends: dict[Value, int] = {}
        for v in block.phis:
            if v in lives:
                begins[v] = start
        position = start
        for dying in lv.deaths[i]:
            position += 1
            for v in dying:
                ends[v] = position
        position = start
        for v in block.insns:
            position += 1
            if v in lives:
                begins[v] = position
        for v in lv.members(lv.live_out[i] & bits):
            ends[v] = end
        for v, first in begins.items():
            lives[v] |= _span(first, ends.get(v, first))
    return lives


class _Named:
    """How one block names stack objects: bit sets of objects, and first and last position by object."""

    __slots__ = ("any", "first", "full", "last", "read")

    def __init__(self) -> None:
        self.any = 0
        self.full = 0  # written in full before anything else is done with it
        self.read = 0  # perhaps read before that
        self.first: dict[FrameSlot, int] = {}
        self.last: dict[FrameSlot, int] = {}


def object_lives(f: Function, lv: Liveness) -> dict[FrameSlot, int]:
    """Positions at which each named stack object lives."""
    everywhere: set[FrameSlot] = set()
    derived: dict[Value, FrameSlot] = {}
    named = [_scan(block, lv.start[block.order], derived, everywhere) for block in f.blocks]
    before, after = _reach(f, named)
    lives: dict[FrameSlot, int] = {}
    for block in f.blocks:
        i = block.order
        here = named[i]
        wanted_in = here.read | (after[i] & ~here.full)
        live_in, live_out = before[i] & wanted_in, (before[i] | here.any) & after[i]
        alive = here.any | live_in | live_out
        while alive:
            bit = alive & -alive
            alive ^= bit
            slot = f.slots[bit.bit_length() - 1]
            first = lv.start[i] if live_in & bit else here.first.get(slot, lv.start[i])
            last = lv.end[i] if live_out & bit else here.last.get(slot, lv.start[i])
            lives[slot] = lives.get(slot, 0) | _span(first, last)
    for slot in everywhere:
        lives[slot] = _span(0, lv.end[-1])
    return lives


def _scan(block: Block, start: int, derived: dict[Value, FrameSlot], everywhere: set[FrameSlot]) -> _Named:
    found = _Named()
    covered: dict[FrameSlot, int] = {}
    position = start
    for v in (*block.phis, *block.insns, block.term):
        if v is None:
            continue
        if v.op != Op.PHI:
            position += 1
        for n, arg in enumerate(v.args):
            slot = arg.aux if arg.op == Op.FRAME_ADDR else derived.get(arg)
            if not isinstance(slot, FrameSlot):
                continue
            found.any |= 1 << slot.id
            found.first.setdefault(slot, position)
            found.last[slot] = position
            if v.op == Op.PTR_ADD:
                derived[v] = slot
            elif v.op in (Op.PHI, Op.SELECT_CMP) or (v.op == Op.STORE and n == 1):
                everywhere.add(slot)
            elif v.op == Op.STORE and arg.op == Op.FRAME_ADDR:
                _cover(found, covered, slot, arg.imm + v.imm, v.width // 8)
            elif not found.full >> slot.id & 1:
                found.read |= 1 << slot.id
    return found


def _cover(found: _Named, covered: dict[FrameSlot, int], slot: FrameSlot, offset: int, size: int) -> None:
    bit = 1 << slot.id
    if found.read & bit:
        return
    covered[slot] = covered.get(slot, 0) | ((1 << size) - 1) << offset
    if covered[slot] + 1 == 1 << slot.size:
        found.full |= bit


def _reach(f: Function, named: list[_Named]) -> tuple[list[int], list[int]]:
    """Objects that may have been named before each block, and that may be read after it."""
    before = [0] * len(f.blocks)
    after = [0] * len(f.blocks)
    changed = True
    while changed:
        changed = False
        for block in f.blocks:
            bits = 0
            for pred in block.preds:
                bits |= before[pred.order] | named[pred.order].any
            if bits != before[block.order]:
                before[block.order] = bits
                changed = True
    changed = True
    while changed:
        changed = False
        for block in reversed(f.blocks):
            bits = 0
            for succ in block.succs:
                there = named[succ.order]
                bits |= there.read | (after[succ.order] & ~there.full)
            if bits != after[block.order]:
                after[block.order] = bits
                changed = True
    return before, after

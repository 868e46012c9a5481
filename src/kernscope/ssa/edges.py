"""Register states at block boundaries: what holds at the start of a block, and making each edge agree."""

from kernscope.ssa.ir import SCALAR, Block, Function, Op, Value
from kernscope.ssa.liveness import Liveness
from kernscope.ssa.location import LOAD, REMAT, STORE, Step, parallel_moves

__all__ = ["Edges", "State"]

_FLOATING = Op.FRAME_ADDR
_FAR = 1 << 60
_CALLEE_FIRST = (6, 7, 8, 9, 0, 5, 4, 3, 2, 1)
_CALLER_FIRST = (0, 5, 4, 3, 2, 1, 6, 7, 8, 9)
_ROOM = 9  # registers a loop may fill before values that wait are kept in their slots throughout


class State:
    """Registers (and the same by value), slots that hold their value, those of them that know less of it."""

    __slots__ = ("loc", "regs", "stale", "stored")

    def __init__(self, regs: list[Value | None], stored: set[Value], stale: set[Value]) -> None:
        self.regs = regs
        self.loc = {v: r for r, v in enumerate(regs) if v is not None}
        self.stored = stored
        self.stale = stale


class Edges:
    """The states at the ends of blocks, and the steps on the edges between them."""

    __slots__ = ("body", "entries", "exits", "f", "loops", "lv", "phi_reg", "scratch", "spilled")

    def __init__(
        self,
        f: Function,
        lv: Liveness,
        loops: list[tuple[Block, set[Block]]],
        body: list[list[Step]],
        spilled: set[Value],
        scratch: list[Value],
    ) -> None:
        self.f = f
        self.lv = lv
        self.loops = dict(loops)
        self.body = body
        self.spilled = spilled
        self.scratch = scratch
        self.exits: list[State | None] = [None] * len(f.blocks)
        self.entries: list[State | None] = [None] * len(f.blocks)
        self.phi_reg: dict[Value, int] = {}

    def scratch_slot(self, index: int = 0) -> Value:
        """The spill slot number `index` that belongs to no value."""
        while len(self.scratch) <= index:
            self.scratch.append(self.f.new_value(Op.PHI, [], SCALAR))
        return self.scratch[index]

    def enter(self, block: Block) -> State:
        """The state at the start of `block`; completes the edges from blocks that are done."""
        preds = block.preds
        if not preds:
            return State([None] * 10, set(), set())
        if len(preds) == 1:
            return self._inherit(block, preds[0])
        done = [(p, s) for p in preds if p.order < block.order and (s := self.exits[p.order]) is not None]
        state = self._choose(block, done)
        if len(done) < len(preds):
            self.entries[block.order] = State(list(state.regs), set(state.stored), set())
        for pred, end in done:
            self._connect(pred, end, block, state)
        return state

    def leave(self, block: Block, state: State) -> None:
        """Keep the state at the end of `block`; completes its edge back to a loop header."""
        self.exits[block.order] = state
        assert block.term is not None
        for target in block.term.targets:
            entry = self.entries[target.order]
            if target.order <= block.order and entry is not None:
                self._connect(block, state, target, entry)

    def _inherit(self, block: Block, pred: Block) -> State:
        end = self.exits[pred.order]
        assert end is not None
        live = self.lv.live_in[block.order]
        number = self.lv.number
        regs = [
            v
            if v is not None and (v.op <= _FLOATING or ((n := number[v.id]) >= 0 and live >> n & 1))
            else None
            for v in end.regs
        ]
        stored = {v for v in end.stored if (n := number[v.id]) >= 0 and live >> n & 1}
        return State(regs, stored, end.stale & stored)

    # --- joins -------------------------------------------------------------------------------------------

    def _choose(self, block: Block, done: list[tuple[Block, State]]) -> State:
        """A state for a block with several predecessors, of which some may not be allocated yet."""
        live = self.lv.members(self.lv.live_in[block.order])
        main_pred, main = max(done, key=lambda ps: (ps[0].likely, ps[0].depth, ps[0].order))
        wanted: list[tuple[int, int, Value]] = []
        for v in live:
            at = [s.loc.get(v, -1) for _, s in done]
            held = sum(1 for r in at if r >= 0)
            if held and (held == len(at) or any(v not in s.stored or v in s.stale for _, s in done)):
                wanted.append((self._next_use(v, block), main.loc.get(v, max(at)), v))
        column = block.preds.index(main_pred)
        live_set = set(live)
        for phi in block.phis:
            arg = phi.args[column]
            prefer = self.phi_reg.get(phi, -1)
            if prefer < 0 and arg not in live_set:
                prefer = main.loc.get(arg, -1)
            if prefer < 0:
                prefer = self.lv.hints[phi.id]
            wanted.append((self._next_use(phi, block), prefer, phi))
        wanted.sort(key=lambda w: w[0])
        regs = self._assign(self._within_loop_room(block, wanted), block)
        held_set = {v for v in regs if v is not None}
        stored = {v for v in live if v not in held_set or all(v in s.stored for _, s in done)}
        stored.update(phi for phi in block.phis if phi not in held_set)
        self.spilled.update(v for v in stored if v not in held_set)
        return State(regs, stored, {v for v in live if v in held_set and any(v in s.stale for _, s in done)})

    def _next_use(self, v: Value, block: Block) -> int:
        uses = self.lv.uses[v.id]
        start = self.lv.start[block.order]
        while uses and uses[-1] < start:
            uses.pop()
        return uses[-1] if uses else _FAR

    def _within_loop_room(
        self, block: Block, wanted: list[tuple[int, int, Value]]
    ) -> list[tuple[int, int, Value]]:
        """Leave out of a loop's registers what would have to leave them inside: stores stay outside then."""
        inside = self.loops.get(block)
        if inside is None:
            return wanted
        lv = self.lv
        if any(lv.has_call[b.order] for b in inside):
            kept, room = [], 4
            for w in wanted:
                if lv.crosses[w[2].id]:
                    room -= 1
                    if room < 0:
                        continue
                kept.append(w)
            wanted = kept
        excess = max(lv.pressure[b.order] for b in inside) - _ROOM
        while excess > 0 and wanted and wanted[-1][2].op != Op.PHI:
            wanted = wanted[:-1]
            excess -= 1
        return wanted

    def _assign(self, wanted: list[tuple[int, int, Value]], block: Block) -> list[Value | None]:
        regs: list[Value | None] = [None] * 10
        inside = self.loops.get(block, ())
        strict = any(self.lv.has_call[b.order] for b in inside)
        rest: list[Value] = []
        for _, prefer, v in wanted[:10]:
            crosses = self.lv.crosses[v.id]
            if prefer >= 0 and regs[prefer] is None and not (strict and crosses and prefer < 6):
                regs[prefer] = v
            else:
                rest.append(v)
        for v in rest:
            order = _CALLEE_FIRST if self.lv.crosses[v.id] else _CALLER_FIRST
            regs[next(r for r in order if regs[r] is None)] = v
        for r, held in enumerate(regs):
            if held is not None and held.op == Op.PHI and held.block is block:
                self.phi_reg[held] = r
        return regs

    # --- edges -------------------------------------------------------------------------------------------

    def _connect(self, pred: Block, end: State, block: Block, entry: State) -> None:
        """Append to `pred` the steps after which the state at its end is `entry`."""
        steps = self.body[pred.order]
        column = block.preds.index(pred)
        arriving = {phi: phi.args[column] for phi in block.phis}
        moves: list[tuple[int, int, Value]] = []
        late: list[tuple[int, Value]] = []
        for reg, v in enumerate(entry.regs):
            if v is None:
                continue
            source = arriving.get(v, v) if v.block is block else v
            at = end.loc.get(source)
            if at is None:
                late.append((reg, source))
            else:
                moves.append((reg, at, source))
        for v in self.lv.members(self.lv.live_in[block.order]):
            if v not in entry.loc and (v not in end.stored or v in end.stale) and v in end.loc:
                steps.append((STORE, v, -1, (end.loc[v],)))
                self.spilled.add(v)
        slot_phis = [
            (phi, arg) for phi, arg in arriving.items() if phi in entry.stored and phi not in entry.loc
        ]
        after = self._store_phis(slot_phis, end, late, steps) if slot_phis else []
        if moves:
            busy = 0
            for dst, src, _ in moves:
                busy |= 1 << dst | 1 << src
            steps += parallel_moves(moves, 0x3FF & ~busy, self.scratch_slot)
        for reg, source in late:
            steps.append((REMAT if source.op <= _FLOATING else LOAD, source, reg, ()))
        steps += after

    def _store_phis(
        self, phis: list[tuple[Value, Value]], end: State, late: list[tuple[int, Value]], steps: list[Step]
    ) -> list[Step]:
        """Write phis that live in slots. Returns steps for the very end of the edge."""
        written = {phi for phi, _ in phis}
        read = {arg for _, arg in phis if arg not in end.loc} | {source for _, source in late}
        if not (written & read):
            for phi, arg in phis:
                if arg is not phi:
                    self._copy_to_slot(phi, arg, end, steps)
            return []
        # Some slot is read and written: all go through scratch slots, the last one being for the register.
        after: list[Step] = []
        for n, (phi, arg) in enumerate(phis):
            if arg is phi:
                continue
            middle = self.scratch_slot(n + 2)
            self._copy_to_slot(middle, arg, end, steps)
            keep = self.scratch_slot(1)
            after += [
                (STORE, keep, -1, (9,)),
                (LOAD, middle, 9, ()),
                (STORE, phi, -1, (9,)),
                (LOAD, keep, 9, ()),
            ]
        return after

    def _copy_to_slot(self, slot: Value, arg: Value, end: State, steps: list[Step]) -> None:
        at = end.loc.get(arg)
        if at is not None:
            steps.append((STORE, slot, -1, (at,)))
            return
        free = next((r for r in _CALLER_FIRST if end.regs[r] is None), -1)
        keep = self.scratch_slot(1)
        reg = 9 if free < 0 else free
        if free < 0:
            steps.append((STORE, keep, -1, (reg,)))
        steps.append((REMAT if arg.op <= _FLOATING else LOAD, arg, reg, ()))
        steps.append((STORE, slot, -1, (reg,)))
        if free < 0:
            steps.append((LOAD, keep, reg, ()))

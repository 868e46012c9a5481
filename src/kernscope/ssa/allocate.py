"""Register allocation: one walk over the blocks in order, with what is in each register known at every point.

Each value is in a register or in its own spill slot. When registers run out, the value whose next use is
farthest makes room (Belady's rule); its slot is written then, and not again unless a branch has since taught
the verifier something about the register that the slot does not know. A block with one predecessor goes on
where that one ended; at a join a common state is chosen and each incoming edge is made to agree (`edges`). At
a call, what lives on moves to r6-r9 or its slot. Floating values are made where they are used and forgotten
freely. Every function can be allocated: at most five registers are wanted at once.

Known weakness: decisions are never revised, so that a value may move between registers around a loop.
"""

from kernscope.ssa.edges import Edges
from kernscope.ssa.ir import Block, Function, Op, Value
from kernscope.ssa.liveness import Liveness
from kernscope.ssa.location import LOAD, MOVE, OP, REMAT, STORE, Step, parallel_moves

__all__ = ["Allocation", "allocate"]

_CALLEE_FIRST = (6, 7, 8, 9, 0, 5, 4, 3, 2, 1)
_CALLER_FIRST = (0, 5, 4, 3, 2, 1, 6, 7, 8, 9)
_CALLS = frozenset((Op.CALL, Op.CALL_FUNC, Op.CALL_KFUNC))
_FLOATING = Op.FRAME_ADDR  # operations up to this one
_FAR = 1 << 60
#: Operations whose result starts as a copy of an argument, and which argument that is.
_TIED = {
    **dict.fromkeys(range(Op.ADD, Op.BSWAP + 1), 0),
    Op.PTR_ADD: 0,
    Op.SELECT_CMP: 2,
}
_COMMUTATIVE = frozenset((Op.ADD, Op.MUL, Op.AND, Op.OR, Op.XOR))
_MEMORY = frozenset((Op.LOAD, Op.STORE, Op.ATOMIC))


def _small_immediates() -> dict[int, int]:
    """Bit sets, by operation, of the arguments that an instruction can hold as a signed 32-bit number."""
    return {
        **dict.fromkeys(range(Op.ADD, Op.ASHR + 1), 0b10),
        **dict.fromkeys((Op.CMP, Op.BRANCH_CMP, Op.PTR_ADD, Op.STORE), 0b10),
        Op.SELECT_CMP: 0b1010,
    }


_IMMEDIATE = _small_immediates()


class Allocation:
    """`body`, `term`: steps by block order. `spilled`: values that have a slot. `scratch`: slots of none."""

    __slots__ = ("body", "scratch", "spilled", "term")

    def __init__(self, blocks: int) -> None:
        self.body: list[list[Step]] = [[] for _ in range(blocks)]
        self.term: list[Step | None] = [None] * blocks
        self.spilled: set[Value] = set()
        self.scratch: list[Value] = []


def allocate(f: Function, lv: Liveness, loops: list[tuple[Block, set[Block]]]) -> Allocation:
    """Assign registers and spill slots. Needs critical edges split, no phi with one argument."""
    result = Allocation(len(f.blocks))
    edges = Edges(f, lv, loops, result.body, result.spilled, result.scratch)
    walker = _Walker(f, lv, edges, result)
    for block in f.blocks:
        walker.block(block)
    return result


class _Walker:
    __slots__ = (
        "edges",
        "f",
        "loc",
        "lv",
        "native_sext",
        "out",
        "phi_reg",
        "pinned",
        "pos",
        "regs",
        "result",
        "spilled",
        "stale",
        "stored",
    )

    def __init__(self, f: Function, lv: Liveness, edges: Edges, result: Allocation) -> None:
        self.f = f
        self.lv = lv
        self.edges = edges
        self.result = result
        self.spilled = result.spilled
        self.phi_reg = edges.phi_reg
        self.native_sext = "v4" in f.module.features
        self.regs: list[Value | None] = []
        self.loc: dict[Value, int] = {}
        self.stored: set[Value] = set()
        self.stale: set[Value] = set()
        self.out: list[Step] = []
        self.pinned = 0
        self.pos = 0

    # --- blocks ------------------------------------------------------------------------------------------

    def block(self, block: Block) -> None:
        order = block.order
        state = self.edges.enter(block)
        self.regs, self.loc, self.stored, self.stale = state.regs, state.loc, state.stored, state.stale
        self.out = self.result.body[order]
        self.pos = self.lv.start[order]
        deaths = self.lv.deaths[order]
        for v, dying in zip(block.insns, deaths):
            self.pos += 1
            op = v.op
            if op in _CALLS:
                self.call(v, dying)
            elif op == Op.PARAM:
                self.param(v, dying)
            elif op == Op.ATOMIC:
                self.atomic(v, dying)
            else:
                self.operation(v, dying)
        self.pos += 1
        term = block.term
        assert term is not None
        self.terminate(block, term, deaths[-1])
        self.edges.leave(block, state)

    def terminate(self, block: Block, term: Value, dying: tuple[Value, ...]) -> None:
        srcs: tuple[int, ...] = ()
        if term.op == Op.RET:
            self.place(term.args[0], 0)
            srcs = (0,)
        elif term.args:
            self.pinned = 0
            srcs = tuple([self.operand(term, i, a) for i, a in enumerate(term.args)])
            for a in term.args:
                if a in self.stored and a.kind == 0:
                    self.stale.add(a)
        self.release(dying)
        self.result.term[block.order] = (OP, term, -1, srcs)

    def place(self, a: Value, reg: int) -> None:
        """Copy `a` into a register whose content nobody needs any more."""
        at = self.loc.get(a)
        if at is None:
            self.out.append((REMAT if a.op <= _FLOATING else LOAD, a, reg, ()))
        elif at != reg:
            self.out.append((MOVE, a, reg, (at,)))

    def release(self, dying: tuple[Value, ...]) -> None:
        for a in dying:
            at = self.loc.pop(a, None)
            if at is not None:
                self.regs[at] = None

    def assign(self, v: Value, reg: int) -> None:
        self.regs[reg] = v
        self.loc[v] = reg

    # --- choosing registers ------------------------------------------------------------------------------

    def pick(self, v: Value) -> int:
        """An unpinned register for `v`, emptied if it must be; what was cached there is forgotten."""
        regs, pinned, ident = self.regs, self.pinned, v.id
        crosses = self.lv.crosses[ident]
        phi = self.lv.affinity.get(ident)
        for want in (
            -1 if crosses else self.lv.hints[ident],
            self.phi_reg.get(phi, -1) if phi is not None else -1,
        ):
            if want >= 0 and not pinned >> want & 1 and not (crosses and want < 6):
                held = regs[want]
                if held is None:
                    return want
                if held.op <= _FLOATING:
                    del self.loc[held]
                    regs[want] = None
                    return want
        chosen = self.pick_any(_CALLEE_FIRST if crosses else _CALLER_FIRST)
        if phi is not None:
            self.phi_reg.setdefault(phi, chosen)
        return chosen

    def pick_any(self, order: tuple[int, ...]) -> int:
        regs, pinned = self.regs, self.pinned
        cached = -1
        for r in order:
            held = regs[r]
            if held is None:
                if not pinned >> r & 1:
                    return r
            elif cached < 0 and held.op <= _FLOATING and not pinned >> r & 1:
                cached = r
        if cached >= 0:
            held = regs[cached]
            assert held is not None
            del self.loc[held]
            regs[cached] = None
            return cached
        return self.evict()

    def next_use(self, v: Value) -> int:
        uses = self.lv.uses[v.id]
        pos = self.pos
        while uses and uses[-1] < pos:
            uses.pop()
        return uses[-1] if uses else _FAR

    def evict(self) -> int:
        """Send the unpinned value with the farthest next use to its slot."""
        best, best_rank = -1, (-1, False)
        for r, held in enumerate(self.regs):
            if held is None or self.pinned >> r & 1:
                continue
            rank = (self.next_use(held), held in self.stored and held not in self.stale)
            if rank > best_rank:
                best, best_rank = r, rank
        victim = self.regs[best]
        assert victim is not None
        self.spill(victim)
        return best

    def spill(self, v: Value) -> None:
        """Make the slot of `v` valid and forget its register."""
        reg = self.loc.pop(v)
        self.regs[reg] = None
        if v not in self.stored or v in self.stale:
            self.out.append((STORE, v, -1, (reg,)))
            self.stored.add(v)
            self.stale.discard(v)
            self.spilled.add(v)

    # --- operands ----------------------------------------------------------------------------------------

    def operand(self, v: Value, index: int, a: Value) -> int:
        """Where instruction `v` reads argument `a`: a register (pinned), -1 immediate, 10 frame pointer."""
        op = a.op
        if op == 0 and _IMMEDIATE.get(v.op, 0) >> index & 1:
            n = a.imm
            if -0x8000_0000 <= n <= 0x7FFF_FFFF or (v.width < 64 and index == 1 and v.op != Op.CMP):
                return -1
        elif op == Op.FRAME_ADDR and index == 0 and v.op in _MEMORY:
            return 10
        reg = self.loc.get(a)
        if reg is None:
            reg = self.bring(a)
        self.pinned |= 1 << reg
        return reg

    def bring(self, a: Value) -> int:
        """Put `a` into some register."""
        if a.op <= _FLOATING:
            reg = self.pick_any(_CALLER_FIRST)
            self.out.append((REMAT, a, reg, ()))
        else:
            reg = self.pick(a)
            self.out.append((LOAD, a, reg, ()))
        self.assign(a, reg)
        return reg

    # --- instructions ------------------------------------------------------------------------------------

    def param(self, v: Value, dying: tuple[Value, ...]) -> None:
        reg = v.imm + 1
        self.out.append((OP, v, reg, ()))
        if v not in dying:
            self.assign(v, reg)

    def operation(self, v: Value, dying: tuple[Value, ...]) -> None:
        op = v.op
        tied = _TIED.get(op, -1)
        if tied >= 0 and not (op == Op.ZEXT and v.width == 32) and not (op == Op.SEXT and self.native_sext):
            self.tied_operation(v, tied, dying)
            return
        self.pinned = 0
        srcs = tuple([self.operand(v, i, a) for i, a in enumerate(v.args)])
        if v.kind == 2:
            self.release(dying)
            self.out.append((OP, v, -1, srcs))
            return
        if op != Op.CMP:  # whose result is written before its arguments are read
            self.pinned = 0
            self.release(dying)
            dst = self.pick(v)
        else:
            dst = self.pick(v)
            self.release(dying)
        self.out.append((OP, v, dst, srcs))
        if v not in dying:
            self.assign(v, dst)

    def tied_operation(self, v: Value, tied: int, dying: tuple[Value, ...]) -> None:
        x = v.args[tied]
        at = self.loc.get(x)
        self.pinned = 0 if at is None else 1 << at
        srcs = [-1 if i == tied else self.operand(v, i, a) for i, a in enumerate(v.args)]
        at = self.loc.get(x)
        if at is not None and x in dying:
            dst = at
        elif at is not None and v.op in _COMMUTATIVE and v.args[1] in dying and v.args[1] is not x:
            dst = srcs[1]
            srcs[1] = at
            v.args.reverse()
            x = v.args[0]
        else:
            if at is not None:
                self.pinned |= 1 << at
            dst = self.pick(v)
            self.place(x, dst)
        srcs[tied] = dst
        if v.op == Op.SELECT_CMP and v.args[0] is x:
            srcs[0] = dst  # the very register that is bounded by the comparison is the result
        self.release(dying)
        self.out.append((OP, v, dst, tuple(srcs)))
        if v not in dying:
            self.assign(v, dst)

    def atomic(self, v: Value, dying: tuple[Value, ...]) -> None:
        name, fetch = v.aux if isinstance(v.aux, tuple) else ("add", False)
        self.pinned = 0
        if not fetch:
            srcs = tuple([self.operand(v, i, a) for i, a in enumerate(v.args)])
            self.release(dying)
            self.out.append((OP, v, -1, srcs))
            return
        tied = 1
        if name == "cmpxchg":
            self.vacate(0)
        for i, a in enumerate(v.args):  # pin all before any is copied
            if i != tied:
                self.operand(v, i, a)
        srcs_list = [-1 if i == tied else self.operand(v, i, a) for i, a in enumerate(v.args)]
        x = v.args[tied]
        if name == "cmpxchg":
            dst = 0
            self.place(x, 0)
        elif self.loc.get(x) is not None and x in dying and not self.pinned >> self.loc[x] & 1:
            dst = self.loc[x]
        else:
            if x in self.loc:
                self.pinned |= 1 << self.loc[x]
            dst = self.pick(v)
            self.place(x, dst)
        srcs_list[tied] = dst
        self.release(dying)
        self.out.append((OP, v, dst, tuple(srcs_list)))
        if v not in dying:
            self.assign(v, dst)

    def vacate(self, reg: int) -> None:
        """Free one register and keep it free for this instruction."""
        self.pinned |= 1 << reg
        held = self.regs[reg]
        if held is None:
            return
        if held.op <= _FLOATING:
            del self.loc[held]
            self.regs[reg] = None
            return
        other = self.pick(held)
        self.out.append((MOVE, held, other, (reg,)))
        self.regs[reg] = None
        self.assign(held, other)

    # --- calls -------------------------------------------------------------------------------------------

    def call(self, v: Value, dying: tuple[Value, ...]) -> None:
        regs, loc = self.regs, self.loc
        sources = [loc.get(a) for a in v.args]
        moves = self.save_across(dying)
        late: list[tuple[int, Value]] = []
        for i, a in enumerate(v.args):
            at = sources[i]
            if at is None or (a.op == 0 and -0x8000_0000 <= a.imm <= 0x7FFF_FFFF):
                late.append((i + 1, a))
            else:
                moves.append((i + 1, at, a))
        if moves:
            busy = 0
            for dst, src, _ in moves:
                busy |= 1 << dst | 1 << src
            for r, held in enumerate(regs):
                if held is not None:
                    busy |= 1 << r
            self.out += parallel_moves(moves, 0x3FF & ~busy, self.edges.scratch_slot)
        for reg, a in late:
            self.out.append((REMAT if a.op <= _FLOATING else LOAD, a, reg, ()))
        self.out.append((OP, v, 0, tuple(range(1, len(v.args) + 1))))
        self.release(dying)
        for r in range(6):
            held = regs[r]
            if held is not None:
                regs[r] = None
                if loc.get(held) == r:
                    del loc[held]
        if v not in dying:
            self.assign(v, 0)

    def save_across(self, dying: tuple[Value, ...]) -> list[tuple[int, int, Value]]:
        """Moves into r6-r9 of what lives on in r0-r5; what finds no room is spilled."""
        regs = self.regs
        saved = [x for x in regs[:6] if x is not None and x.op > _FLOATING and x not in dying]
        if not saved:
            return []
        moves: list[tuple[int, int, Value]] = []
        free = [r for r in (9, 8, 7, 6) if (h := regs[r]) is None or h.op <= _FLOATING or h in dying]
        saved.sort(key=self.next_use)
        taken: set[int] = set()
        for x in saved:
            at = self.loc[x]
            if free:
                target = free.pop()
            else:
                target = self.farthest_saved(x, taken)
                if target < 0:
                    self.spill(x)
                    continue
            held = regs[target]
            if held is not None and held not in dying:
                if held.op <= _FLOATING:
                    del self.loc[held]
                else:
                    self.spill(held)
            elif held is not None:
                self.loc.pop(held, None)
            taken.add(target)
            moves.append((target, at, x))
            self.assign(x, target)
        return moves

    def farthest_saved(self, x: Value, taken: set[int]) -> int:
        """The register of r6-r9 whose value is needed later than `x`, latest first; -1 if there is none."""
        best, best_use = -1, self.next_use(x)
        for r in range(6, 10):
            held = self.regs[r]
            if held is not None and r not in taken:
                use = self.next_use(held)
                if use > best_use:
                    best, best_use = r, use
        return best

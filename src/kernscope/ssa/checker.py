"""An independent check of register allocation: run the steps on symbols instead of numbers.

For every register and spill slot, the set of values it certainly holds is followed along all paths until
nothing changes, then every instruction is asked whether its operands are where the steps say. It shares
nothing with the allocator but the form of a step. The idea is that of regalloc2's checker (Fallin, 2021),
here with whole sets of values per place, so that phis and copies need no special treatment.
"""

from kernscope.ssa.allocate import Allocation
from kernscope.ssa.ir import Block, Function, Op, Value
from kernscope.ssa.location import LOAD, MOVE, OP, REMAT, STORE, Step
from kernscope.ssa.print import print_value

__all__ = ["AllocationError", "check"]

Place = int | Value  # a register, or a spill slot by the value it belongs to (by its offset once laid out)
Held = dict[Place, frozenset[Value]]

_CALLS = (Op.CALL, Op.CALL_FUNC, Op.CALL_KFUNC)
#: Operations that compute into a register that must hold this argument before.
_TIED = {**dict.fromkeys(range(Op.ADD, Op.BSWAP + 1), 0), Op.PTR_ADD: 0, Op.SELECT_CMP: 2}
_NOTHING: frozenset[Value] = frozenset()


class AllocationError(Exception):
    """An allocated program reads something else than its SSA form: a defect of this compiler."""

    def __init__(self, function: str, problems: list[str]) -> None:
        super().__init__(f"{function}: " + "; ".join(problems))
        self.function = function
        self.problems = problems


def check(f: Function, allocation: Allocation, spills: dict[Value, int] | None = None) -> None:
    """Raise AllocationError if a use may see a wrong value; with `spills` slots are known by offset."""
    checker = _Checker(f, allocation, spills)
    checker.solve()
    checker.report()


class _Checker:
    def __init__(self, f: Function, allocation: Allocation, spills: dict[Value, int] | None) -> None:
        self.f = f
        self.allocation = allocation
        self.spills = spills
        self.entry: dict[Block, Held] = {f.entry: {}}
        self.problems: list[str] = []

    def slot(self, v: Value) -> Place:
        return v if self.spills is None else 1000 - self.spills[v]

    def solve(self) -> None:
        todo = [self.f.entry]
        while todo:
            block = todo.pop()
            held = dict(self.entry[block])
            for step in self.steps(block):
                self.run(step, held)
            for succ in block.succs:
                arriving = _across(held, block, succ)
                known = self.entry.get(succ)
                merged = arriving if known is None else _meet(known, arriving)
                if merged != known:
                    self.entry[succ] = merged
                    todo.append(succ)

    def report(self) -> None:
        for block in self.f.blocks:
            held = dict(self.entry[block])
            for step in self.steps(block):
                self.judge(step, held, block)
                self.run(step, held)
        if self.problems:
            raise AllocationError(self.f.name, self.problems)

    def steps(self, block: Block) -> list[Step]:
        term = self.allocation.term[block.order]
        assert term is not None
        return [*self.allocation.body[block.order], term]

    def run(self, step: Step, held: Held) -> None:
        kind, value, dst, srcs = step
        if kind == MOVE:
            held[dst] = held.get(srcs[0], _NOTHING)
        elif kind == LOAD:
            held[dst] = held.get(self.slot(value), _NOTHING)
        elif kind == STORE:
            held[self.slot(value)] = held.get(srcs[0], _NOTHING)
        elif kind == REMAT:
            held[dst] = frozenset((value,))
        else:
            if value.op in _CALLS:
                for reg in range(6):
                    held.pop(reg, None)
            if value.kind != 2:
                for place, values in list(held.items()):  # a loop's earlier value of this name is gone
                    if value in values:
                        held[place] = values - {value}
            if dst >= 0:
                held[dst] = frozenset((value,))

    def judge(self, step: Step, held: Held, block: Block) -> None:
        kind, value, dst, srcs = step
        if kind in (MOVE, STORE):
            if not held.get(srcs[0]):
                self.complain(block, step, f"copies r{srcs[0]}, which holds nothing")
        elif kind == LOAD:
            if not held.get(self.slot(value)):
                self.complain(block, step, "reads a spill slot that holds nothing")
        elif kind == OP:
            self.judge_operation(value, dst, srcs, held, block, step)

    def judge_operation(
        self, v: Value, dst: int, srcs: tuple[int, ...], held: Held, block: Block, step: Step
    ) -> None:
        if v.op == Op.PARAM:
            if dst != v.imm + 1:
                self.complain(block, step, "parameter in the wrong register")
            return
        if len(srcs) != len(v.args):
            self.complain(block, step, "not all operands")
            return
        for arg, reg in zip(v.args, srcs):
            if reg == -1:
                if arg.op != Op.CONST:
                    self.complain(block, step, f"v{arg.id} cannot be an immediate")
            elif reg == 10:
                if arg.op != Op.FRAME_ADDR:
                    self.complain(block, step, f"v{arg.id} is not in the frame")
            elif arg not in held.get(reg, _NOTHING):
                self.complain(block, step, f"v{arg.id} is not in r{reg}")
        self.judge_places(v, dst, srcs, block, step)

    def judge_places(self, v: Value, dst: int, srcs: tuple[int, ...], block: Block, step: Step) -> None:
        if v.op in _CALLS and (dst != 0 or srcs != tuple(range(1, len(srcs) + 1))):
            self.complain(block, step, "call operands in the wrong registers")
        if v.op == Op.RET and srcs != (0,):
            self.complain(block, step, "result not in r0")
        tied = _TIED.get(v.op, -1)
        if v.op in (Op.ZEXT, Op.SEXT) and dst != srcs[0]:
            tied = -1 if v.width == 32 or v.op == Op.SEXT else tied
        if tied >= 0 and dst != srcs[tied]:
            self.complain(block, step, "result not in the register of its first operand")
        if v.op == Op.CMP and dst in srcs:
            self.complain(block, step, "result overwrites an operand")
        if v.op == Op.SELECT_CMP and dst == srcs[3]:
            self.complain(block, step, "result overwrites an operand")

    def complain(self, block: Block, step: Step, what: str) -> None:
        self.problems.append(f"{block!r}: `{print_value(step[1])}`: {what}")


def _across(held: Held, pred: Block, succ: Block) -> Held:
    """What is held after the edge: a place that holds a phi's argument now holds the phi as well."""
    if not succ.phis:
        return held.copy()
    column = succ.preds.index(pred)
    old = frozenset(succ.phis)
    after: Held = {}
    for place, values in held.items():
        renamed = values - old
        after[place] = renamed | {phi for phi in succ.phis if phi.args[column] in values}
    return after


def _meet(a: Held, b: Held) -> Held:
    return {place: common for place, values in a.items() if (common := values & b.get(place, _NOTHING))}

"""Running a function as it stands in SSA form: the oracle for passes, allocation and emission in tests."""

from __future__ import annotations

from kernscope.ssa.fold import compare, fold_binary, fold_bswap, fold_ext
from kernscope.ssa.ir import Block, FrameSlot, Function, Op, Value, s64

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` and `collections.abc` cost as much start-up time as this whole room
    from collections.abc import Callable

    #: Called as (kind, which, arguments): op number, helper id or function or name, signed 64-bit integers.
    CallHook = Callable[[int, object, list[int]], int]

__all__ = ["OutOfSteps", "Run", "interpret"]


class OutOfSteps(Exception):
    """The step limit was reached."""


class Run:
    """Memory and frame addresses of one run. Frames grow down from `stack_top`; memory is a byte per key."""

    __slots__ = ("call", "floating", "memory", "stack_top", "steps")

    def __init__(
        self,
        call: CallHook,
        memory: dict[int, int] | None = None,
        floating: Callable[[Value], int] | None = None,
        steps: int = 100_000,
        stack_top: int = 0x7000_0000,
    ) -> None:
        self.call = call
        self.memory = memory if memory is not None else {}
        self.floating = floating
        self.steps = steps
        self.stack_top = stack_top

    def load(self, address: int, size: int, signed: bool = False) -> int:
        """Read memory; bytes never written are 0."""
        raw = bytes(self.memory.get(address + i, 0) for i in range(size))
        return s64(int.from_bytes(raw, "little", signed=signed))

    def store(self, address: int, size: int, value: int) -> None:
        """Write the low `size` bytes of value."""
        for i in range(size):
            self.memory[address + i] = (value >> (8 * i)) & 0xFF


def interpret(f: Function, args: list[int], run: Run) -> int:
    """Run `f` and give its result as a signed 64-bit integer."""
    machine = _Machine(f, args, run)
    return machine.run()


class _Machine:
    __slots__ = ("args", "env", "frame", "function", "world")

    def __init__(self, f: Function, args: list[int], world: Run) -> None:
        self.function = f
        self.args = args
        self.world = world
        self.env: dict[Value, int] = {}
        self.frame: dict[FrameSlot, int] = {}
        top = world.stack_top
        for slot in f.slots:
            top = (top - slot.size) & ~7
            self.frame[slot] = top

    def run(self) -> int:
        block = self.function.entry
        previous: Block | None = None
        while True:
            if previous is not None and block.phis:
                edge = block.preds.index(previous)
                incoming = [self.get(phi.args[edge]) for phi in block.phis]
                self.env.update(zip(block.phis, incoming))
            for v in block.insns:
                self.env[v] = self.step(v)
            self.world.steps -= 1 + len(block.insns)
            if self.world.steps < 0:
                raise OutOfSteps
            term = block.term
            assert term is not None
            if term.op == Op.RET:
                return self.get(term.args[0])
            previous, block = block, self.next_block(term)

    def next_block(self, term: Value) -> Block:
        match term.op:
            case Op.JUMP:
                return term.targets[0]
            case Op.BRANCH:
                return term.targets[0 if self.get(term.args[0]) else 1]
            case Op.BRANCH_CMP:
                a, b = map(self.get, term.args)
                return term.targets[0 if compare(term.imm, a, b) else 1]
            case Op.MAY_GOTO:
                return term.targets[1]
        raise AssertionError(term)

    def get(self, v: Value) -> int:
        if v.op == Op.CONST:
            return v.imm
        if v.op == Op.FRAME_ADDR:
            assert isinstance(v.aux, FrameSlot)
            return self.frame[v.aux] + v.imm
        if v.op < Op.PARAM:
            return self.world.floating(v) if self.world.floating is not None else 0
        return self.env[v]

    def step(self, v: Value) -> int:
        op = v.op
        if op == Op.PARAM:
            return s64(self.args[v.imm])
        args = [self.get(a) for a in v.args]
        if Op.ADD <= op <= Op.ASHR:
            return fold_binary(op, args[0], args[1], v.width)
        match op:
            case Op.NEG:
                return fold_binary(Op.SUB, 0, args[0], v.width)
            case Op.ZEXT | Op.SEXT:
                return fold_ext(args[0], v.width, op == Op.SEXT)
            case Op.OPAQUE:
                return args[0]
            case Op.BSWAP:
                return fold_bswap(args[0], v.width)
            case Op.CMP:
                return int(compare(v.imm, args[0], args[1]))
            case Op.SELECT:
                return args[1] if args[0] else args[2]
            case Op.SELECT_CMP:
                return args[2] if compare(v.imm, args[0], args[1]) else args[3]
            case Op.PTR_ADD:
                return s64(args[0] + args[1])
            case Op.LOAD:
                signed = isinstance(v.aux, tuple) and bool(v.aux[0])
                return self.world.load(args[0] + v.imm, v.width // 8, signed)
            case Op.STORE:
                self.world.store(args[0] + v.imm, v.width // 8, args[1])
                return 0
            case Op.ATOMIC:
                return self.atomic(v, args)
        which = v.imm if op == Op.CALL else v.aux
        return s64(self.world.call(op, which, args))

    def atomic(self, v: Value, args: list[int]) -> int:
        kind, fetch = v.aux if isinstance(v.aux, tuple) else ("add", False)
        address, size = args[0] + v.imm, v.width // 8
        old = self.world.load(address, size)
        match kind:
            case "add":
                new = old + args[1]
            case "and":
                new = old & args[1]
            case "or":
                new = old | args[1]
            case "xor":
                new = old ^ args[1]
            case "xchg":
                new = args[1]
            case _:
                new = args[2] if (old ^ args[1]) & ((1 << v.width) - 1) == 0 else old
        self.world.store(address, size, new)
        return old if fetch else 0

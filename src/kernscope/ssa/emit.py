"""Allocated functions → BPF instructions, each with the source tag of what it was made for."""

from kernscope.asm.instruction import Insn, Label
from kernscope.ssa.allocate import Allocation
from kernscope.ssa.frame import Frame
from kernscope.ssa.ir import NEGATED, Block, FrameSlot, Function, Op, Value
from kernscope.ssa.location import LOAD, MOVE, OP, REMAT, Step
from kernscope.tables import opcodes

__all__ = ["emit"]

_X = opcodes.X
_MOV64_X, _MOV64_K = 0xBF, 0xB7
_MOV32_X, _MOV32_K = 0xBC, 0xB4
_LDX_DW = opcodes.LDX | opcodes.MEM | opcodes.DW
_STX_DW = opcodes.STX | opcodes.MEM | opcodes.DW
_SIZE = {8: opcodes.B, 16: opcodes.H, 32: opcodes.W, 64: opcodes.DW}
_ALU = {
    Op.ADD: opcodes.ADD,
    Op.SUB: opcodes.SUB,
    Op.MUL: opcodes.MUL,
    Op.UDIV: opcodes.DIV,
    Op.SDIV: opcodes.DIV,
    Op.UMOD: opcodes.MOD,
    Op.SMOD: opcodes.MOD,
    Op.AND: opcodes.AND,
    Op.OR: opcodes.OR,
    Op.XOR: opcodes.XOR,
    Op.SHL: opcodes.LSH,
    Op.LSHR: opcodes.RSH,
    Op.ASHR: opcodes.ARSH,
    Op.PTR_ADD: opcodes.ADD,
}
#: Indexed by condition.
_JUMP = (
    opcodes.JEQ,
    opcodes.JNE,
    opcodes.JLT,
    opcodes.JLE,
    opcodes.JGT,
    opcodes.JGE,
    opcodes.JSLT,
    opcodes.JSLE,
    opcodes.JSGT,
    opcodes.JSGE,
    opcodes.JSET,
)
_ATOMIC = {
    "add": opcodes.ATOMIC_ADD,
    "and": opcodes.ATOMIC_AND,
    "or": opcodes.ATOMIC_OR,
    "xor": opcodes.ATOMIC_XOR,
    "xchg": opcodes.ATOMIC_XCHG,
    "cmpxchg": opcodes.ATOMIC_CMPXCHG,
}


def emit(f: Function, allocation: Allocation, frame: Frame) -> list[Insn | Label]:
    """The instructions of `f`, labels between them."""
    return _Emitter(f, allocation, frame).emit()


def _s32(n: int) -> int:
    """The low half of `n` as the signed number an immediate field holds."""
    return ((n + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000


class _Emitter:
    __slots__ = ("allocation", "f", "labels", "out", "spills", "tag")

    def __init__(self, f: Function, allocation: Allocation, frame: Frame) -> None:
        self.f = f
        self.allocation = allocation
        self.spills = frame.spills
        self.labels: dict[Block, Label] = {}
        self.out: list[Insn | Label] = []
        self.tag: object = None

    # --- blocks ------------------------------------------------------------------------------------------

    def emit(self) -> list[Insn | Label]:
        order = self.layout()
        out = self.out
        starts: list[int] = []
        for i, block in enumerate(order):
            starts.append(len(out))
            self.steps(self.allocation.body[block.order], block)
            self.terminator(block, order[i + 1] if i + 1 < len(order) else None)
        if not self.labels:
            return out
        final: list[Insn | Label] = []
        reached = True
        for i, block in enumerate(order):
            label = self.labels.get(block)
            if label is not None:
                final.append(label)
            elif not reached:
                continue  # its test was made by all who jump here; the kernel refuses code that is not reached
            final += out[starts[i] : starts[i + 1] if i + 1 < len(order) else None]
            last = final[-1] if final else None
            reached = not (isinstance(last, Insn) and last.op in (opcodes.EXIT_OP, opcodes.JA_OP))
        return final

    def layout(self) -> list[Block]:
        """Blocks with content, the unlikely ones at the end."""
        blocks = [b for b in self.f.blocks if self.destination(b) is b or b is self.f.entry]
        likely = [b for b in blocks if b.likely or b is self.f.entry]
        return likely + [b for b in blocks if not b.likely and b is not self.f.entry]

    def destination(self, block: Block) -> Block:
        """Where a jump to `block` ends up: past blocks that only jump on."""
        seen = 0
        while not self.allocation.body[block.order] and block.term is not None and block.term.op == Op.JUMP:
            block = block.term.targets[0]
            seen += 1
            if seen > len(self.f.blocks):
                break  # an empty endless loop
        return block

    def label(self, block: Block) -> Label:
        block = self.destination(block)
        label = self.labels.get(block)
        if label is None:
            label = self.labels[block] = Label(f"{block.name}.{block.id}")
        return label

    def steps(self, steps: list[Step], block: Block) -> None:
        """Moves carry the tag of the instruction they were made for, which follows them."""
        pending = 0
        for i, step in enumerate(steps):
            if step[0] == OP:
                self.tag = step[1].tag
                for before in steps[pending:i]:
                    self.copy(before)
                self.operation(step[1], step[2], step[3])
                pending = i + 1
        if pending < len(steps):
            self.tag = block.term.tag if block.term is not None else None
            for step in steps[pending:]:
                self.copy(step)

    def terminator(self, block: Block, following: Block | None) -> None:
        term = block.term
        assert term is not None
        self.tag = term.tag
        match term.op:
            case Op.RET:
                self.add(opcodes.EXIT_OP)
            case Op.JUMP:
                self.goto(term.targets[0], following)
            case Op.BRANCH_CMP:
                self.branch(block, term, following)
            case Op.MAY_GOTO:
                self.add(opcodes.MAY_GOTO_OP, 0, opcodes.MAY_GOTO, 0, 0, self.label(term.targets[0]))
                self.goto(term.targets[1], following)
            case _:
                raise AssertionError(term)

    def goto(self, target: Block, following: Block | None) -> None:
        target = self.destination(target)
        if target is following:
            return
        term = target.term
        if term is not None and self.is_test_before(target, term, following):
            self.branch(target, term, following)
        else:
            self.add(opcodes.JA_OP, 0, 0, 0, 0, self.label(target))

    def is_test_before(self, target: Block, term: Value, following: Block | None) -> bool:
        """Whether to test right here what `target` only tests: loops then jump once per round."""
        if term.op != Op.BRANCH_CMP or self.allocation.body[target.order]:
            return False
        then, orelse = (self.destination(t) for t in term.targets)
        return orelse is following or (then is following and NEGATED[term.imm] >= 0)

    def branch(self, block: Block, term: Value, following: Block | None) -> None:
        step = self.allocation.term[block.order]
        assert step is not None
        then, orelse = term.targets
        cond = term.imm
        if self.destination(then) is following and NEGATED[cond] >= 0:
            cond = NEGATED[cond]
            then, orelse = orelse, then
        self.compare(cond, step[3], term.args[1], self.label(then))
        self.goto(orelse, following)

    def compare(self, cond: int, srcs: tuple[int, ...], right: Value, target: Label) -> None:
        op = opcodes.JMP | _JUMP[cond]
        if srcs[1] < 0:
            self.add(op, srcs[0], 0, 0, right.imm, target)
        else:
            self.add(op | _X, srcs[0], srcs[1], 0, 0, target)

    def add(
        self, op: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0, target: Label | None = None
    ) -> None:
        self.out.append(Insn(op, dst, src, off, imm, target, None, self.tag))

    # --- copies ------------------------------------------------------------------------------------------

    def copy(self, step: Step) -> None:
        kind, value, dst, srcs = step
        if kind == MOVE:
            self.add(_MOV64_X, dst, srcs[0])
        elif kind == LOAD:
            self.add(_LDX_DW, dst, 10, self.spills[value])
        elif kind == REMAT:
            self.floating(value, dst)
        else:
            self.add(_STX_DW, 10, srcs[0], self.spills[value])

    def floating(self, v: Value, dst: int) -> None:
        match v.op:
            case Op.CONST:
                self.constant(v.imm, dst)
            case Op.FRAME_ADDR:
                assert isinstance(v.aux, FrameSlot)
                self.add(_MOV64_X, dst, 10)
                self.add(opcodes.ALU64 | opcodes.ADD, dst, 0, 0, v.aux.offset + v.imm)
            case Op.MAP_FD:
                self.symbol(dst, opcodes.PSEUDO_MAP_FD, ("map_fd", str(v.aux), 0))
            case Op.MAP_VALUE:
                self.symbol(dst, opcodes.PSEUDO_MAP_VALUE, ("map_value", str(v.aux), v.imm))
            case _:
                assert isinstance(v.aux, Function)
                self.symbol(dst, opcodes.PSEUDO_FUNC, ("func", v.aux.name, 0))

    def symbol(self, dst: int, kind: int, symbol: tuple[str, str, int]) -> None:
        self.out.append(Insn(opcodes.LD_IMM64, dst, kind, 0, 0, None, symbol, self.tag))

    def constant(self, n: int, dst: int) -> None:
        if -0x8000_0000 <= n <= 0x7FFF_FFFF:
            self.add(_MOV64_K, dst, 0, 0, n)
        elif 0 <= n <= 0xFFFF_FFFF:
            self.add(_MOV32_K, dst, 0, 0, _s32(n))
        else:
            self.add(opcodes.LD_IMM64, dst, 0, 0, n)

    # --- operations --------------------------------------------------------------------------------------

    def operation(self, v: Value, dst: int, srcs: tuple[int, ...]) -> None:
        op = v.op
        code = _ALU.get(op)
        if code is not None:
            self.arithmetic(v, code, dst, srcs)
            return
        match op:
            case Op.LOAD:
                signed = isinstance(v.aux, tuple) and v.aux[0]
                self.load(v, dst, srcs[0], bool(signed))
            case Op.STORE:
                self.store(v, srcs)
            case Op.CALL:
                self.add(opcodes.CALL_OP, 0, 0, 0, v.imm)
            case Op.CALL_FUNC:
                assert isinstance(v.aux, Function)
                self.call(opcodes.PSEUDO_CALL, ("func", v.aux.name, 0))
            case Op.CALL_KFUNC:
                self.call(opcodes.PSEUDO_KFUNC_CALL, ("kfunc", str(v.aux), v.imm))
            case Op.PARAM:
                pass
            case Op.NEG:
                self.add((opcodes.ALU if v.width == 32 else opcodes.ALU64) | opcodes.NEG, dst)
            case Op.ZEXT | Op.SEXT:
                self.extend(v, dst, srcs[0])
            case Op.OPAQUE:
                # The byte order that it has already: no machine instruction, and the verifier forgets what it knew.
                self.add(opcodes.ALU | opcodes.END | opcodes.TO_LE, dst, 0, 0, 64)
            case Op.BSWAP:
                self.add(opcodes.ALU | opcodes.END | opcodes.TO_BE, dst, 0, 0, v.width)
            case Op.CMP:
                self.flag(v, dst, srcs)
            case Op.SELECT_CMP:
                self.select(v, dst, srcs)
            case Op.ATOMIC:
                self.atomic(v, srcs)
            case _:
                raise AssertionError(v)

    def arithmetic(self, v: Value, code: int, dst: int, srcs: tuple[int, ...]) -> None:
        code |= opcodes.ALU if v.width == 32 else opcodes.ALU64
        off = 1 if v.op in (Op.SDIV, Op.SMOD) else 0
        if srcs[1] >= 0:
            self.add(code | _X, dst, srcs[1], off)
            return
        imm = v.args[1].imm
        if v.op in (Op.SHL, Op.LSHR, Op.ASHR):
            imm &= v.width - 1
        elif imm == 0 and v.op in (Op.UDIV, Op.SDIV, Op.UMOD, Op.SMOD):
            # The verifier refuses a constant zero divisor; the machine's results are 0 and the dividend.
            if v.op in (Op.UDIV, Op.SDIV):
                self.add(_MOV64_K, dst)
            return
        self.add(code, dst, 0, off, _s32(imm))

    def base(self, v: Value, reg: int) -> tuple[int, int]:
        """The base register and offset of a memory access."""
        if reg != 10:
            return reg, v.imm
        slot = v.args[0].aux
        assert isinstance(slot, FrameSlot)
        return 10, slot.offset + v.args[0].imm + v.imm

    def load(self, v: Value, dst: int, reg: int, signed: bool) -> None:
        src, off = self.base(v, reg)
        width = v.width
        if signed and width < 64 and "v4" in self.f.module.features:
            self.add(opcodes.LDX | opcodes.MEMSX | _SIZE[width], dst, src, off)
            return
        self.add(opcodes.LDX | opcodes.MEM | _SIZE[width], dst, src, off)
        if signed and width < 64:
            self.add(opcodes.ALU64 | opcodes.LSH, dst, 0, 0, 64 - width)
            self.add(opcodes.ALU64 | opcodes.ARSH, dst, 0, 0, 64 - width)

    def store(self, v: Value, srcs: tuple[int, ...]) -> None:
        dst, off = self.base(v, srcs[0])
        size = _SIZE[v.width]
        if srcs[1] >= 0:
            self.add(opcodes.STX | opcodes.MEM | size, dst, srcs[1], off)
        else:
            imm = v.args[1].imm & ((1 << min(v.width, 32)) - 1)
            self.add(opcodes.ST | opcodes.MEM | size, dst, 0, off, _s32(imm))

    def call(self, kind: int, symbol: tuple[str, str, int]) -> None:
        self.out.append(Insn(opcodes.CALL_OP, 0, kind, 0, 0, None, symbol, self.tag))

    def extend(self, v: Value, dst: int, src: int) -> None:
        width = v.width
        if v.op == Op.ZEXT:
            if width == 32:
                self.add(_MOV32_X, dst, src)
            else:
                self.add(opcodes.ALU64 | opcodes.AND, dst, 0, 0, (1 << width) - 1)
        elif "v4" in self.f.module.features:
            self.add(_MOV64_X, dst, src, width)
        else:
            self.add(opcodes.ALU64 | opcodes.LSH, dst, 0, 0, 64 - width)
            self.add(opcodes.ALU64 | opcodes.ARSH, dst, 0, 0, 64 - width)

    def flag(self, v: Value, dst: int, srcs: tuple[int, ...]) -> None:
        done = Label()
        self.add(_MOV64_K, dst, 0, 0, 1)
        self.compare(v.imm, srcs, v.args[1], done)
        self.add(_MOV64_K, dst, 0, 0, 0)
        self.out.append(done)

    def select(self, v: Value, dst: int, srcs: tuple[int, ...]) -> None:
        done = Label()
        self.compare(v.imm, srcs[:2], v.args[1], done)
        if srcs[3] >= 0:
            self.add(_MOV64_X, dst, srcs[3])
        else:
            self.constant(v.args[3].imm, dst)
        self.out.append(done)

    def atomic(self, v: Value, srcs: tuple[int, ...]) -> None:
        dst, off = self.base(v, srcs[0])
        name, fetch = v.aux if isinstance(v.aux, tuple) else ("add", False)
        code = _ATOMIC[name] | (opcodes.FETCH if fetch else 0)
        operand = srcs[2] if name == "cmpxchg" else srcs[1]
        self.add(opcodes.STX | opcodes.ATOMIC | _SIZE[v.width], dst, operand, off, code)

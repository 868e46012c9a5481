"""Operations the target kernel lacks: signed division and remainder before ISA v4, by explicit signs.

With s = x >> 63, |x| = (x ^ s) - s; the result gets its sign back the same way. Division by zero comes out
right by itself: 0, and the dividend with its sign. The v4 instruction is used only for constant divisors
other than 0 and -1: some kernels trap on INT64_MIN / -1.
"""

from kernscope.ssa.fold import simplify_binary
from kernscope.ssa.ir import SCALAR, Block, Function, Op, Value, resolve
from kernscope.ssa.ranges import Range, ranges

__all__ = ["BREAKS", "GIVES", "REQUIRES", "run"]

REQUIRES: tuple[str, ...] = ("sorted",)
GIVES: tuple[str, ...] = ()
BREAKS: tuple[str, ...] = ()


def run(f: Function) -> None:
    """Expand what is not available."""
    todo = [b for b in f.blocks if any(v.op in (Op.SDIV, Op.SMOD) for v in b.insns)]
    if not todo:
        return
    known = ranges(f)
    native = "v4" in f.module.features
    for block in todo:
        old, block.insns = block.insns, []
        for v in old:
            if v.op in (Op.SDIV, Op.SMOD):
                v.fwd = _divide(_Appender(f, block, v.tag), v, known, native)
            if v.fwd is None:
                block.insns.append(v)
    for v in f.values():
        v.args = [a if a.fwd is None else resolve(a) for a in v.args]


class _Appender:
    __slots__ = ("block", "f", "tag")

    def __init__(self, f: Function, block: Block, tag: object) -> None:
        self.f = f
        self.block = block
        self.tag = tag

    def op(self, op: int, x: Value, y: Value) -> Value:
        same = simplify_binary(self.f, op, x, y)
        if same is not None:
            return same
        v = self.f.new_value(op, [x, y], SCALAR, tag=self.tag)
        v.block = self.block
        self.block.insns.append(v)
        return v


def _divide(to: _Appender, v: Value, known: list[Range | None], native: bool) -> Value | None:
    """The value that replaces `v`; None if v stays, perhaps as its unsigned form."""
    x, y = v.args
    range_x = known[x.id] if x.id < len(known) else None
    range_y = known[y.id] if y.id < len(known) else None
    positive_x = range_x is not None and range_x[0] >= 0
    positive_y = range_y is not None and range_y[0] >= 0
    if positive_x and positive_y:
        v.op = Op.UDIV if v.op == Op.SDIV else Op.UMOD
        return None
    if native and y.op == Op.CONST and y.imm not in (0, -1) and -0x8000_0000 <= y.imm < 0x8000_0000:
        return None
    sign_x, size_x = _split(to, x, positive_x)
    sign_y, size_y = _split(to, y, positive_y)
    if v.op == Op.SMOD:
        return _with_sign(to, to.op(Op.UMOD, size_x, size_y), sign_x)
    quotient = to.op(Op.UDIV, size_x, size_y)
    zero = to.f.const(0)
    if sign_x is zero or sign_y is zero:
        return _with_sign(to, quotient, sign_y if sign_x is zero else sign_x)
    return _with_sign(to, quotient, to.op(Op.XOR, sign_x, sign_y))


def _split(to: _Appender, x: Value, positive: bool) -> tuple[Value, Value]:
    """The sign of `x` as 0 or -1, and its absolute value."""
    if positive:
        return to.f.const(0), x
    if x.op == Op.CONST:
        return to.f.const(-1), to.f.const(-x.imm)
    sign = to.op(Op.ASHR, x, to.f.const(63))
    return sign, to.op(Op.SUB, to.op(Op.XOR, x, sign), sign)


def _with_sign(to: _Appender, size: Value, sign: Value) -> Value:
    if sign.op == Op.CONST and sign.imm == 0:
        return size
    if sign.op == Op.CONST:
        return to.op(Op.SUB, to.f.const(0), size)
    return to.op(Op.SUB, to.op(Op.XOR, size, sign), sign)

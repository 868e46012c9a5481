"""What an operation on constants gives, and which operations are no work at all.

The arithmetic is that of the BPF machine: 64-bit wraparound, x / 0 = 0, x % 0 = x, shift counts taken modulo
the width (Linux Documentation/bpf/standardization/instruction-set.rst).
"""

from __future__ import annotations

from kernscope.ssa.ir import Function, Op, Value, s64

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` and `collections.abc` cost as much start-up time as this whole room
    from collections.abc import Callable

__all__ = ["compare", "fold_binary", "fold_bswap", "fold_ext", "is_commutative", "simplify_binary"]

_M64 = 0xFFFF_FFFF_FFFF_FFFF
_M32 = 0xFFFF_FFFF


def _udiv(x: int, y: int) -> int:
    return (x & _M64) // (y & _M64) if y else 0


def _umod(x: int, y: int) -> int:
    return (x & _M64) % (y & _M64) if y else x


def _sdiv(x: int, y: int) -> int:
    if y == 0:
        return 0
    quotient = abs(x) // abs(y)
    return quotient if (x < 0) == (y < 0) else -quotient


def _smod(x: int, y: int) -> int:
    if y == 0:
        return x
    rest = abs(x) % abs(y)
    return -rest if x < 0 else rest


_BINARY: dict[int, Callable[[int, int], int]] = {
    Op.ADD: lambda x, y: x + y,
    Op.SUB: lambda x, y: x - y,
    Op.MUL: lambda x, y: x * y,
    Op.UDIV: _udiv,
    Op.SDIV: _sdiv,
    Op.UMOD: _umod,
    Op.SMOD: _smod,
    Op.AND: lambda x, y: x & y,
    Op.OR: lambda x, y: x | y,
    Op.XOR: lambda x, y: x ^ y,
    Op.SHL: lambda x, y: x << (y & 63),
    Op.LSHR: lambda x, y: (x & _M64) >> (y & 63),
    Op.ASHR: lambda x, y: x >> (y & 63),
}

_COMPARE: tuple[Callable[[int, int], bool], ...] = (
    lambda x, y: x == y,
    lambda x, y: x != y,
    lambda x, y: (x & _M64) < (y & _M64),
    lambda x, y: (x & _M64) <= (y & _M64),
    lambda x, y: (x & _M64) > (y & _M64),
    lambda x, y: (x & _M64) >= (y & _M64),
    lambda x, y: x < y,
    lambda x, y: x <= y,
    lambda x, y: x > y,
    lambda x, y: x >= y,
    lambda x, y: x & y != 0,
)


def fold_binary(op: int, x: int, y: int, width: int = 64) -> int:
    """The result of a two-operand arithmetic operation on signed 64-bit integers."""
    if width == 32:
        if op == Op.SHL:
            y &= 31
        return _BINARY[op](x, y) & _M32
    return s64(_BINARY[op](x, y))


def fold_ext(x: int, bits: int, signed: bool) -> int:
    """The low `bits` of `x`, sign- or zero-extended, as a signed 64-bit integer."""
    x &= (1 << bits) - 1
    if signed and x >> (bits - 1):
        x -= 1 << bits
    return s64(x)


def fold_bswap(x: int, bits: int) -> int:
    """The low `bits` of `x` with the bytes reversed, as a signed 64-bit integer."""
    size = bits // 8
    return s64(int.from_bytes((x & ((1 << bits) - 1)).to_bytes(size, "little"), "big"))


def compare(cond: int, x: int, y: int) -> bool:
    """Whether `x cond y` holds for signed 64-bit integers."""
    return _COMPARE[cond](x, y)


_ZERO_IS_NEUTRAL = frozenset((Op.ADD, Op.SUB, Op.OR, Op.XOR, Op.SHL, Op.LSHR, Op.ASHR))
_ONE_IS_NEUTRAL = frozenset((Op.MUL, Op.UDIV, Op.SDIV))
_SAME_IS_ZERO = frozenset((Op.SUB, Op.XOR))
_SAME_IS_SAME = frozenset((Op.AND, Op.OR))
_COMMUTATIVE = frozenset((Op.ADD, Op.MUL, Op.AND, Op.OR, Op.XOR))


def simplify_binary(f: Function, op: int, x: Value, y: Value) -> Value | None:
    """An existing value equal to the 64-bit `op x, y`, if one is evident; constants are expected in `y`."""
    if y.op == 0:  # CONST
        n = y.imm
        if x.op == 0:
            return f.const(fold_binary(op, x.imm, n))
        if n == 0:
            if op in _ZERO_IS_NEUTRAL:
                return x
            if op in (Op.MUL, Op.AND, Op.UDIV, Op.SDIV):
                return f.const(0)
            if op in (Op.UMOD, Op.SMOD):
                return x
        elif n == 1:
            if op in _ONE_IS_NEUTRAL:
                return x
            if op in (Op.UMOD, Op.SMOD):
                return f.const(0)
        elif n == -1:
            if op == Op.AND:
                return x
            if op == Op.OR:
                return y
        if op in (Op.SHL, Op.LSHR, Op.ASHR) and n & 63 == 0:
            return x
        return None
    if x is y:
        if op in _SAME_IS_ZERO:
            return f.const(0)
        if op in _SAME_IS_SAME:
            return x
    return None


def is_commutative(op: int) -> bool:
    """Whether the operands of `op` may be exchanged."""
    return op in _COMMUTATIVE

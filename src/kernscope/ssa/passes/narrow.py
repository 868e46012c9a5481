"""Extensions that change nothing: the value is in range already, or nobody looks at the bits they set.

Also turns an operation whose result is only wanted zero-extended from 32 bits into its 32-bit form, which
extends for nothing, and with ISA v4 a sign-extended load into one. Masks (`and`) stay: the verifier takes
bounds from them.
"""

from __future__ import annotations

from kernscope.ssa.analysis import use_counts
from kernscope.ssa.ir import Function, Op, Value, resolve
from kernscope.ssa.ranges import Range, ranges

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` and `collections.abc` cost as much start-up time as this whole room
    from collections.abc import Callable

__all__ = ["BREAKS", "GIVES", "REQUIRES", "run"]

REQUIRES: tuple[str, ...] = ("sorted",)
GIVES: tuple[str, ...] = ()
BREAKS: tuple[str, ...] = ()

_LOW_BITS = frozenset((Op.ADD, Op.SUB, Op.MUL, Op.AND, Op.OR, Op.XOR, Op.NEG))


def run(f: Function) -> None:
    """Drop extensions in `f`."""
    if not any(v.op in (Op.ZEXT, Op.SEXT) for block in f.blocks for v in block.insns):
        return
    # One after the other: a range holds for a value all of whose bits are still what they were.
    _drop_by_range(f)
    if any(v.op in (Op.ZEXT, Op.SEXT) for block in f.blocks for v in block.insns):
        _drop_by_need(f)


def _drop_by_range(f: Function) -> None:
    known = ranges(f)
    uses = use_counts(f)
    signed_loads = "v4" in f.module.features

    def redundant(v: Value) -> bool:
        x = v.args[0]
        if _in_range(v, known[x.id]) or _absorbed(v, x, uses, signed_loads):
            uses[x.id] += uses[v.id] - 1
            return True
        return False

    _drop(f, redundant)


def _drop_by_need(f: Function) -> None:
    needed = _needed_bits(f)
    _drop(f, lambda v: needed[v.id] <= v.width)


def _drop(f: Function, redundant: Callable[[Value], bool]) -> None:
    for block in f.blocks:
        kept = []
        for v in block.insns:
            for i, arg in enumerate(v.args):
                if arg.fwd is not None:
                    v.args[i] = resolve(arg)
            if v.op in (Op.ZEXT, Op.SEXT) and redundant(v):
                v.fwd = v.args[0]
            else:
                kept.append(v)
        block.insns = kept
        if block.term is not None:
            block.term.args = [a if a.fwd is None else resolve(a) for a in block.term.args]
    f.forward_phis()


def _in_range(v: Value, known: Range | None) -> bool:
    if known is None:
        return False
    if v.op == Op.ZEXT:
        return known[0] >= 0 and known[1] < 1 << v.width
    half = 1 << (v.width - 1)
    return -half <= known[0] and known[1] < half


def _absorbed(v: Value, x: Value, uses: list[int], signed_loads: bool) -> bool:
    """Let `x`, used by nothing but `v`, do the extension."""
    if uses[x.id] != 1:
        return False
    if v.op == Op.ZEXT:
        if v.width == 32 and x.width == 64 and (x.op in _LOW_BITS or _small_shift(x)):
            x.width = 32
            return True
    elif x.op == Op.LOAD and x.width == v.width and signed_loads and isinstance(x.aux, tuple):
        x.aux = (True, x.aux[1])
        return True
    return False


def _small_shift(x: Value) -> bool:
    return x.op == Op.SHL and x.args[1].op == Op.CONST and 0 <= x.args[1].imm < 32


def _needed_bits(f: Function) -> list[int]:
    """How many low bits of each value its users look at, by id: one backward walk, phis look at all."""
    needed = [0] * f.value_count
    for block in f.blocks:
        for phi in block.phis:
            for arg in phi.args:
                needed[arg.id] = 64
    for block in reversed(f.blocks):
        if block.term is not None:
            for arg in block.term.args:
                needed[arg.id] = 64
        for v in reversed(block.insns):
            for arg, bits in zip(v.args, _looks_at(v, needed[v.id])):
                if bits > needed[arg.id]:
                    needed[arg.id] = bits
    return needed


_ALL = (64, 64, 64, 64, 64)


def _looks_at(v: Value, n: int) -> tuple[int, ...]:
    """The low bits of each argument that decide the low `n` bits of v and its effects."""
    op = v.op
    if v.width == 32:
        n = min(n, 32)
    if op in _LOW_BITS:
        if op == Op.AND and v.args[1].op == Op.CONST and v.args[1].imm >= 0:
            return min(n, v.args[1].imm.bit_length()), 64
        return n, n
    if op in (Op.ZEXT, Op.SEXT):
        return (min(n, v.width),)
    if op == Op.STORE and v.args[1].kind == 0:
        return 64, v.width
    if op in (Op.SHL, Op.LSHR, Op.ASHR) and v.args[1].op == Op.CONST:
        count = v.args[1].imm & 63
        if op == Op.SHL:
            return max(n - count, 0), 64
        return min(n + count, 64), 64
    if op == Op.BSWAP:
        return (v.width,)
    if op == Op.SELECT_CMP:
        return 64, 64, n, n
    return _ALL

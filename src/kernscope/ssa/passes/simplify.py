"""Constant folding, algebraic identities, and fusing: comparisons into branches and selects, constant offsets
into loads and stores, masks into bit tests.

Branches that became constant are left for `cfg`.

A rule gets the value and either returns one that replaces it, or changes it in place. What a check has
bounded must stay the register that is used after the check, so sums are only regrouped, and masks only
merged, where the inner one has no other use.
"""

from __future__ import annotations

from kernscope.ssa.analysis import use_counts
from kernscope.ssa.fold import compare, fold_bswap, fold_ext, is_commutative, simplify_binary
from kernscope.ssa.ir import NEGATED, SWAPPED, Cond, Function, Op, Value, resolve, s64

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` and `collections.abc` cost as much start-up time as this whole room
    from collections.abc import Callable

    Rule = Callable[[Function, Value, list[int]], Value | None]

__all__ = ["BREAKS", "GIVES", "REQUIRES", "run"]

REQUIRES: tuple[str, ...] = ("sorted",)
GIVES: tuple[str, ...] = ()
BREAKS: tuple[str, ...] = ()


_CMP_CONDS = (Cond.EQ, Cond.NE)


def run(f: Function) -> None:
    """Apply the rules to every value once, definitions before uses."""
    uses = use_counts(f)
    rules = RULES
    replaced = False
    for block in f.blocks:
        kept = []
        for v in block.insns:
            for i, arg in enumerate(v.args):
                if arg.fwd is not None:
                    v.args[i] = resolve(arg)
            rule = rules.get(v.op)
            same = rule(f, v, uses) if rule is not None else None
            if same is None or same is v:
                kept.append(v)
            else:
                v.fwd = same
                if same.id < len(uses):
                    uses[same.id] += uses[v.id]
                replaced = True
        if len(kept) != len(block.insns):
            block.insns = kept
        term = block.term
        if term is not None and term.args:
            term.args = [a if a.fwd is None else resolve(a) for a in term.args]
            if term.op in (Op.BRANCH, Op.BRANCH_CMP):
                _branch(f, term, uses)
    if replaced:
        f.forward_phis()


def _single(v: Value, uses: list[int]) -> bool:
    return v.id >= len(uses) or uses[v.id] <= 1


def _binary(f: Function, v: Value, uses: list[int]) -> Value | None:
    x, y = v.args
    if x.op == Op.CONST and y.op != Op.CONST and is_commutative(v.op):
        v.args = [y, x]
        x, y = y, x
    if v.width != 64:
        return None
    same = simplify_binary(f, v.op, x, y)
    if same is not None:
        return same
    special = _BINARY_RULES.get(v.op)
    return special(f, v, uses) if special is not None else None


def _add(f: Function, v: Value, uses: list[int]) -> Value | None:
    x, y = v.args
    if y.op == Op.CONST:
        if x.op == Op.ADD and x.width == 64 and x.args[1].op == Op.CONST and _single(x, uses):
            v.args = [x.args[0], f.const(x.args[1].imm + y.imm)]
            return v.args[0] if v.args[1].imm == 0 else None
    elif y.op == Op.NEG and y.width == 64:
        v.op = Op.SUB
        v.args = [x, y.args[0]]
    elif x.op == Op.NEG and x.width == 64:
        v.op = Op.SUB
        v.args = [y, x.args[0]]
    return None


def _sub(f: Function, v: Value, uses: list[int]) -> Value | None:
    x, y = v.args
    if y.op == Op.CONST:
        v.op = Op.ADD
        v.args = [x, f.const(-y.imm)]
        return _add(f, v, uses)
    if x.op == Op.CONST and x.imm == 0:
        v.op = Op.NEG
        v.args = [y]
    return None


def _power(v: Value) -> int:
    """The exponent if `v` is a constant power of two above 1 (unsigned), else -1."""
    if v.op != Op.CONST:
        return -1
    n = v.imm & 0xFFFF_FFFF_FFFF_FFFF
    return n.bit_length() - 1 if n > 1 and n & (n - 1) == 0 else -1


def _mul(f: Function, v: Value, uses: list[int]) -> Value | None:
    x, y = v.args
    shift = _power(y)
    if shift > 0:
        v.op = Op.SHL
        v.args = [x, f.const(shift)]
    elif y.op == Op.CONST and y.imm == -1:
        v.op = Op.NEG
        v.args = [x]
    return None


def _udiv(f: Function, v: Value, uses: list[int]) -> Value | None:
    shift = _power(v.args[1])
    if shift > 0:
        v.op = Op.LSHR
        v.args = [v.args[0], f.const(shift)]
    return None


def _umod(f: Function, v: Value, uses: list[int]) -> Value | None:
    shift = _power(v.args[1])
    if shift > 0:
        v.op = Op.AND
        v.args = [v.args[0], f.const(s64((1 << shift) - 1))]
    return None


def _and(f: Function, v: Value, uses: list[int]) -> Value | None:
    x, y = v.args
    if y.op != Op.CONST:
        return None
    if x.op == Op.CMP and y.imm & 1:
        return x
    if y.imm == 0xFFFF_FFFF:
        v.op = Op.ZEXT
        v.args = [x]
        v.width = 32
        return _ext(f, v, uses)
    if x.op == Op.AND and x.width == 64 and x.args[1].op == Op.CONST and _single(x, uses):
        v.args = [x.args[0], f.const(x.args[1].imm & y.imm)]
    elif x.op in (Op.ZEXT, Op.SEXT) and 0 <= y.imm < 1 << x.width and _single(x, uses):
        v.args = [x.args[0], y]
    return None


def _xor(f: Function, v: Value, uses: list[int]) -> Value | None:
    x, y = v.args
    if y.op != Op.CONST:
        return None
    if x.op == Op.CMP and y.imm == 1 and NEGATED[x.imm] >= 0:
        v.op, v.imm, v.args = Op.CMP, NEGATED[x.imm], list(x.args)
    elif x.op == Op.XOR and x.width == 64 and x.args[1].op == Op.CONST and _single(x, uses):
        v.args = [x.args[0], f.const(x.args[1].imm ^ y.imm)]
        return x.args[0] if v.args[1].imm == 0 else None
    return None


_BINARY_RULES: dict[int, Rule] = {
    Op.ADD: _add,
    Op.SUB: _sub,
    Op.MUL: _mul,
    Op.UDIV: _udiv,
    Op.UMOD: _umod,
    Op.AND: _and,
    Op.XOR: _xor,
}


def _neg(f: Function, v: Value, uses: list[int]) -> Value | None:
    x = v.args[0]
    if x.op == Op.CONST:
        return f.const(-x.imm if v.width == 64 else -x.imm & 0xFFFF_FFFF)
    if x.op == Op.NEG and x.width == v.width == 64:
        return x.args[0]
    if x.op == Op.SUB and x.width == 64 and _single(x, uses):
        v.op = Op.SUB
        v.args = [x.args[1], x.args[0]]
    return None


def _ext(f: Function, v: Value, uses: list[int]) -> Value | None:
    x = v.args[0]
    signed = v.op == Op.SEXT
    if x.op == Op.CONST:
        return f.const(fold_ext(x.imm, v.width, signed))
    if x.op == Op.CMP:
        return x
    if x.op == v.op and x.width <= v.width:
        return x
    if x.op == Op.ZEXT and x.width < v.width:
        return x
    if x.op in (Op.ZEXT, Op.SEXT) and x.width >= v.width:
        v.args = [x.args[0]]
    return None


def _bswap(f: Function, v: Value, uses: list[int]) -> Value | None:
    x = v.args[0]
    if x.op == Op.CONST:
        return f.const(fold_bswap(x.imm, v.width))
    if x.op == Op.BSWAP and x.width == v.width == 64:
        return x.args[0]
    if x.op in (Op.ZEXT, Op.SEXT) and x.width >= v.width:
        v.args = [x.args[0]]
    return None


def _normal_compare(v: Value) -> None:
    """Constants to the right; a comparison of a comparison with 0 or 1 becomes the inner one."""
    a, b = v.args[0], v.args[1]
    if a.op == Op.CONST and b.op != Op.CONST:
        v.args[0], v.args[1] = b, a
        v.imm = SWAPPED[v.imm]
        a, b = b, a
    while a.op == Op.CMP and b.op == Op.CONST and b.imm in (0, 1) and v.imm in _CMP_CONDS:
        positive = (v.imm == Cond.NE) == (b.imm == 0)
        cond = a.imm if positive else NEGATED[a.imm]
        if cond < 0:
            break
        v.imm = cond
        v.args[0], v.args[1] = a.args
        a, b = v.args[0], v.args[1]
    if b.op == Op.CONST:
        if b.imm == 0 and v.imm == Cond.UGT:
            v.imm = Cond.NE
        elif b.imm == 1 and v.imm == Cond.ULT:
            v.imm = Cond.EQ
            v.args[1] = _zero_of(v)


def _zero_of(v: Value) -> Value:
    assert v.block is not None
    return v.block.function.const(0)


def _known(v: Value) -> bool | None:
    """Whether the comparison of the first two arguments has one outcome."""
    a, b = v.args[0], v.args[1]
    if b.op == Op.CONST:
        if a.op == Op.CONST:
            return compare(v.imm, a.imm, b.imm)
        if b.imm == 0 and v.imm in (Cond.ULT, Cond.SET):
            return False
        if b.imm == 0 and v.imm == Cond.UGE:
            return True
    if a is b and v.imm != Cond.SET:
        return compare(v.imm, 0, 0)
    return None


def _cmp(f: Function, v: Value, uses: list[int]) -> Value | None:
    _normal_compare(v)
    known = _known(v)
    if known is not None:
        return f.const(int(known))
    if v.imm == Cond.NE and v.args[1].op == Op.CONST and v.args[1].imm == 0 and v.args[0].op == Op.CMP:
        return v.args[0]
    return None


def _select(f: Function, v: Value, uses: list[int]) -> Value | None:
    c, x, y = v.args
    if c.op == Op.CONST:
        return x if c.imm else y
    if x is y:
        return x
    v.op = Op.SELECT_CMP
    v.imm = Cond.NE
    v.args = [c, f.const(0), x, y]
    return _select_cmp(f, v, uses)


def _select_cmp(f: Function, v: Value, uses: list[int]) -> Value | None:
    _normal_compare(v)
    known = _known(v)
    _, _, x, y = v.args
    if known is not None:
        return x if known else y
    if x is y:
        return x
    if NEGATED[v.imm] >= 0 and x is not v.args[0] and (y is v.args[0] or (x.op == Op.CONST != y.op)):
        # What is compared, or what needs a register, goes first: the result starts as a copy of it.
        v.imm = NEGATED[v.imm]
        v.args[2:] = x, y = [y, x]
    if x.op == Op.CONST and y.op == Op.CONST and {x.imm, y.imm} == {0, 1}:
        cond = v.imm if x.imm else NEGATED[v.imm]
        if cond >= 0:
            v.op = Op.CMP
            v.imm = cond
            v.args = v.args[:2]
    return None


def _branch(f: Function, term: Value, uses: list[int]) -> None:
    if term.op == Op.BRANCH:
        if term.args[0].op == Op.CONST:
            return
        term.op = Op.BRANCH_CMP
        term.imm = Cond.NE
        term.args.append(f.const(0))
    a, b = term.args
    if (
        term.imm in _CMP_CONDS
        and a.op == Op.CMP
        and a.imm == Cond.SET
        and b.op == Op.CONST
        and b.imm in (0, 1)
    ):
        if (term.imm == Cond.NE) != (b.imm == 0):
            term.targets.reverse()
        term.imm = Cond.SET
        term.args = list(a.args)
    _normal_compare(term)
    known = _known(term)
    if known is not None:
        term.imm = Cond.EQ
        term.args = [f.const(0), f.const(0 if known else 1)]
        return
    a, b = term.args
    zero = b.op == Op.CONST and b.imm == 0
    if zero and term.imm in _CMP_CONDS and a.op == Op.AND and a.width == 64 and _single(a, uses):
        if term.imm == Cond.EQ:
            term.targets.reverse()
        term.imm = Cond.SET
        term.args = list(a.args)


def _ptr_add(f: Function, v: Value, uses: list[int]) -> Value | None:
    pointer, offset = v.args
    if offset.op != Op.CONST:
        return None
    if offset.imm == 0:
        return pointer
    if pointer.op in (Op.FRAME_ADDR, Op.MAP_VALUE):
        return f.float_value(pointer.op, pointer.imm + offset.imm, pointer.aux)
    if pointer.op == Op.PTR_ADD and pointer.args[1].op == Op.CONST:
        v.args = [pointer.args[0], f.const(pointer.args[1].imm + offset.imm)]
    return None


def _address(f: Function, v: Value, uses: list[int]) -> Value | None:
    base = v.args[0]
    while base.op == Op.PTR_ADD and base.args[1].op == Op.CONST:
        offset = v.imm + base.args[1].imm
        if not -0x8000 <= offset <= 0x7FFF:
            break
        v.imm = offset
        v.args[0] = base = base.args[0]
    if base.op == Op.MAP_VALUE and base.imm and 0 <= v.imm + base.imm <= 0x7FFF:
        # One base for all accesses to a map's value: it may still be in a register.
        v.imm += base.imm
        v.args[0] = f.float_value(Op.MAP_VALUE, 0, base.aux)
    return None


def _store(f: Function, v: Value, uses: list[int]) -> Value | None:
    x = v.args[1]
    while x.op in (Op.ZEXT, Op.SEXT) and x.width >= v.width:
        v.args[1] = x = x.args[0]
    return _address(f, v, uses)


RULES: dict[int, Rule] = {
    **dict.fromkeys(range(Op.ADD, Op.ASHR + 1), _binary),
    Op.NEG: _neg,
    Op.ZEXT: _ext,
    Op.SEXT: _ext,
    Op.BSWAP: _bswap,
    Op.CMP: _cmp,
    Op.SELECT: _select,
    Op.SELECT_CMP: _select_cmp,
    Op.PTR_ADD: _ptr_add,
    Op.LOAD: _address,
    Op.ATOMIC: _address,
    Op.STORE: _store,
}

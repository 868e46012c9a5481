"""Bounds of values: signed 64-bit intervals, one forward walk, no fixed point.

Only what the verifier knows as well is used (no bounds of remainders or quotients): an extension that is
dropped because of a range here is one the verifier does not miss. Arguments of phis along back edges count by
their operation alone.
"""

from __future__ import annotations

from kernscope.ssa.ir import Function, Op, Value

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` and `collections.abc` cost as much start-up time as this whole room
    from collections.abc import Callable

__all__ = ["FULL", "Range", "ranges"]

Range = tuple[int, int]

_MIN = -0x8000_0000_0000_0000
_MAX = 0x7FFF_FFFF_FFFF_FFFF
FULL: Range = (_MIN, _MAX)


def ranges(f: Function) -> list[Range | None]:
    """The interval of each value by id; None where nothing is known. Needs sorted blocks."""
    known: list[Range | None] = [None] * f.value_count
    for constant in f.floating.values():
        if constant.op == Op.CONST:
            known[constant.id] = (constant.imm, constant.imm)
    for block in f.blocks:
        for phi in block.phis:
            if phi.kind == 0:
                known[phi.id] = _union([known[a.id] or _shallow(a) for a in phi.args])
        for v in block.insns:
            known[v.id] = _range(v, known)
    return known


def _union(parts: list[Range | None]) -> Range | None:
    low, high = _MAX, _MIN
    for part in parts:
        if part is None:
            return None
        low = min(low, part[0])
        high = max(high, part[1])
    return low, high


def _unsigned(v: Value) -> Range | None:
    return (0, (1 << v.width) - 1) if v.width < 64 else None


def _signed(v: Value) -> Range | None:
    half = 1 << (v.width - 1)
    return -half, half - 1


def _loaded(v: Value) -> Range | None:
    return _signed(v) if isinstance(v.aux, tuple) and v.aux[0] else _unsigned(v)


def _masked(v: Value) -> Range | None:
    mask = v.args[1]
    return (0, mask.imm) if mask.op == Op.CONST and mask.imm >= 0 else _low_half(v)


def _low_half(v: Value) -> Range | None:
    return (0, 0xFFFF_FFFF) if v.width == 32 else None


def _shifted_right(v: Value) -> Range | None:
    count = v.args[1].imm & 63 if v.args[1].op == Op.CONST else 0
    return (0, (1 << (64 - count)) - 1) if count else None


_BY_OPERATION: dict[int, Callable[[Value], Range | None]] = {
    **dict.fromkeys(range(Op.ADD, Op.NEG + 1), _low_half),
    Op.ZEXT: _unsigned,
    Op.BSWAP: _unsigned,
    Op.SEXT: _signed,
    Op.LOAD: _loaded,
    Op.AND: _masked,
    Op.LSHR: _shifted_right,
    Op.CMP: lambda v: (0, 1),
}


def _shallow(v: Value) -> Range | None:
    """What the operation alone says."""
    by_operation = _BY_OPERATION.get(v.op)
    return by_operation(v) if by_operation is not None else None


def _range(v: Value, known: list[Range | None]) -> Range | None:
    op = v.op
    shallow = _shallow(v)
    if op in (Op.SELECT, Op.SELECT_CMP):
        return _union([known[a.id] for a in v.args[-2:]])
    if op in (Op.ZEXT, Op.SEXT):
        inner = known[v.args[0].id]
        assert shallow is not None
        if inner is not None and shallow[0] <= inner[0] and inner[1] <= shallow[1]:
            return inner
        return shallow
    if shallow is not None and op != Op.LSHR:
        return shallow
    if not Op.ADD <= op <= Op.ASHR:
        return None
    a, b = known[v.args[0].id], known[v.args[1].id]
    if a is None or b is None:
        return shallow
    result = _arithmetic(op, a, b)
    if result is None or result[0] < _MIN or result[1] > _MAX:
        return shallow
    return result


def _arithmetic(op: int, a: Range, b: Range) -> Range | None:
    """The exact interval before wrapping, or None."""
    if op == Op.ADD:
        return a[0] + b[0], a[1] + b[1]
    if op == Op.SUB:
        return a[0] - b[1], a[1] - b[0]
    if op in (Op.SHL, Op.LSHR, Op.ASHR):
        if b[0] != b[1] or (a[0] < 0 and op != Op.ASHR):
            return None
        count = b[0] & 63
        return (a[0] << count, a[1] << count) if op == Op.SHL else (a[0] >> count, a[1] >> count)
    if a[0] < 0 or b[0] < 0:
        return None
    if op == Op.MUL:
        return a[0] * b[0], a[1] * b[1]
    if op in (Op.OR, Op.XOR):
        return 0, (1 << max(a[1].bit_length(), b[1].bit_length())) - 1
    if op == Op.AND:
        return 0, min(a[1], b[1])
    return None

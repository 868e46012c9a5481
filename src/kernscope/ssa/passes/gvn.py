"""Global value numbering: a pure operation is not done again where an equal one already dominates it.

Nothing is hoisted: a value that a check has bounded stays computed where it was. Loads that are not volatile
are shared within their block up to the next effect. Known weakness: of several equal values in sibling blocks
only the last seen is remembered.
"""

from kernscope.ssa.analysis import dominates
from kernscope.ssa.ir import OPS, Block, Function, Op, Value, resolve

__all__ = ["BREAKS", "GIVES", "REQUIRES", "run"]

REQUIRES: tuple[str, ...] = ("sorted", "dominators")
GIVES: tuple[str, ...] = ()
BREAKS: tuple[str, ...] = ()

_COMMUTATIVE = frozenset((Op.ADD, Op.MUL, Op.AND, Op.OR, Op.XOR))
_SHARED = frozenset(i for i, row in enumerate(OPS) if row.pure and Op.ADD <= i < Op.LOAD)

_Key = tuple[object, ...]


def run(f: Function) -> None:
    """Replace repeated computations by the first one."""
    seen: dict[_Key, Value] = {}
    replaced = False
    for block in f.blocks:
        loads: dict[_Key, Value] = {}
        kept = []
        for v in block.insns:
            for i, arg in enumerate(v.args):
                if arg.fwd is not None:
                    v.args[i] = resolve(arg)
            same = _find(v, block, seen, loads)
            if same is None:
                kept.append(v)
            else:
                v.fwd = same
                replaced = True
        if len(kept) != len(block.insns):
            block.insns = kept
        if block.term is not None:
            block.term.args = [a if a.fwd is None else resolve(a) for a in block.term.args]
    if replaced:
        f.forward_phis()


def _find(v: Value, block: Block, seen: dict[_Key, Value], loads: dict[_Key, Value]) -> Value | None:
    """An equal value that may stand for `v`; else remember v."""
    op = v.op
    args = v.args
    key: _Key
    if op in _SHARED or v.aux == "pure":
        n = len(args)
        if n == 2:
            a, b = args[0].id, args[1].id
            if a > b and op in _COMMUTATIVE:
                a, b = b, a
            key = (op, a, b, v.imm, v.width)
        else:
            key = (op, v.imm, v.width, *[a.id for a in args])
        other = seen.get(key)
        if other is not None and other.block is not None and dominates(other.block, block):
            return other
        seen[key] = v
    elif op == Op.LOAD:
        if isinstance(v.aux, tuple) and not v.aux[1]:
            key = (args[0].id, v.imm, v.width, v.aux[0])
            if key in loads:
                return loads[key]
            loads[key] = v
    elif loads and OPS[op].effects:
        loads.clear()
    return None

"""The form that register allocation needs: no phi with one argument, no critical edge, loop bodies together.

It comes last, since other passes may split or merge again.
"""

from kernscope.ssa import analysis
from kernscope.ssa.ir import Cond, Function, Op, Value, resolve
from kernscope.ssa.passes import order

__all__ = ["BREAKS", "GIVES", "REQUIRES", "run"]

REQUIRES: tuple[str, ...] = ()
GIVES: tuple[str, ...] = ("sorted", "dominators", "loops", "shape")
BREAKS: tuple[str, ...] = ()


def run(f: Function) -> None:
    """Make `f` ready for allocation."""
    _resolve_single_phis(f)
    _expand_plain_conditions(f)
    order.run(f)
    analysis.find_loops(f)
    _mark_unlikely(f)
    analysis.split_critical_edges(f)
    order.run(f)
    analysis.find_loops(f)


def _resolve_single_phis(f: Function) -> None:
    found = False
    for block in f.blocks:
        if block.phis and len(block.preds) == 1:
            for phi in block.phis:
                phi.fwd = phi.args[0]
            block.phis = []
            found = True
    if found:
        for value in f.values():
            value.args = [a if a.fwd is None else resolve(a) for a in value.args]


def _expand_plain_conditions(f: Function) -> None:
    """Branches and selects on a value compare it with 0; simplify does this too, but may not have run."""
    for block in f.blocks:
        for v in block.insns:
            if v.op == Op.SELECT:
                v.op = Op.SELECT_CMP
                v.imm = Cond.NE
                v.args.insert(1, f.const(0))
        term = block.term
        if term is not None and term.op == Op.BRANCH:
            _compare_with_zero(f, term)


def _compare_with_zero(f: Function, term: Value) -> None:
    term.op = Op.BRANCH_CMP
    term.imm = Cond.NE
    term.args.append(f.const(0))


def _mark_unlikely(f: Function) -> None:
    """A block that only unlikely ones lead to is unlikely."""
    for block in f.blocks:
        if block.preds and block.likely and not any(p.likely for p in block.preds if p.order < block.order):
            block.likely = False

"""Control flow: constant branches, empty blocks, chains, equal returns, branches on a phi of constants.

No block is twice among the predecessors of another, before and after. Blocks come out sorted.
"""

from kernscope.ssa.analysis import sort_blocks, use_counts
from kernscope.ssa.fold import compare
from kernscope.ssa.ir import NO_RESULT, Block, Function, Op, Value, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BREAKS", "GIVES", "REQUIRES", "run"]

REQUIRES: tuple[str, ...] = ()
GIVES: tuple[str, ...] = ("sorted",)
BREAKS: tuple[str, ...] = ("dominators",)

_ROUNDS = 4  # each round is linear; what four do not reach is not worth a fifth


def run(f: Function) -> None:
    """Simplify the graph in place."""
    sort_blocks(f)
    for _ in range(_ROUNDS):
        changed = _fold_branches(f)
        changed = _drop_trivial_phis(f) or changed
        changed = _merge_returns(f) or changed
        changed = _skip_empty(f) or changed
        changed = _thread_phis(f) or changed
        changed = _merge_chains(f) or changed
        if not changed:
            break
        sort_blocks(f)


def _remove_edge(pred: Block, succ: Block) -> None:
    at = succ.preds.index(pred)
    del succ.preds[at]
    for phi in succ.phis:
        del phi.args[at]


def _set_jump(f: Function, block: Block, target: Block) -> None:
    tag = block.term.tag if block.term is not None else None
    term = f.new_value(Op.JUMP, [], NO_RESULT, tag=tag)
    term.block = block
    term.targets = [target]
    block.term = term


def _fold_branches(f: Function) -> bool:
    changed = False
    for block in f.blocks:
        term = block.term
        if term is None or term.op not in (Op.BRANCH, Op.BRANCH_CMP):
            continue
        if any(a.op != Op.CONST for a in term.args):
            continue
        if term.op == Op.BRANCH:
            taken = term.args[0].imm != 0
        else:
            taken = compare(term.imm, term.args[0].imm, term.args[1].imm)
        keep, drop = term.targets if taken else reversed(term.targets)
        _remove_edge(block, drop)
        _set_jump(f, block, keep)
        changed = True
    return changed


def _drop_trivial_phis(f: Function) -> bool:
    """Phis whose arguments are all one value (or themselves); each may make another one trivial."""
    changed = True
    ever = False
    while changed:
        changed = False
        for block in f.blocks:
            if not block.phis:
                continue
            kept = []
            for phi in block.phis:
                only = _only_argument(phi)
                if only is None:
                    kept.append(phi)
                else:
                    phi.fwd = only
                    changed = True
            block.phis = kept
        ever = ever or changed
    if ever:
        for value in f.values():
            value.args = [a if a.fwd is None else resolve(a) for a in value.args]
    return ever


def _only_argument(phi: Value) -> Value | None:
    only: Value | None = None
    for arg in phi.args:
        if arg.fwd is not None:
            arg = resolve(arg)
        if arg is phi or arg is only:
            continue
        if only is not None:
            return None
        only = arg
    return only


def _merge_returns(f: Function) -> bool:
    """One block for each constant that several blocks return."""
    groups: dict[Value, list[Block]] = {}
    for block in f.blocks:
        term = block.term
        if term is not None and term.op == Op.RET and term.args[0].op == Op.CONST:
            groups.setdefault(term.args[0], []).append(block)
    changed = False
    for constant, blocks in groups.items():
        if len(blocks) < 2:
            continue
        target = next((b for b in blocks if not b.insns and not b.phis and b is not f.entry), None)
        if target is None:
            target = f.new_block("return")
            target.term = f.new_value(Op.RET, [constant], NO_RESULT)
            target.term.block = target
        for block in blocks:
            if block is not target:
                _set_jump(f, block, target)
                target.preds.append(block)
                target.likely = target.likely or block.likely
                changed = True
    return changed


def _redirect(f: Function, pred: Block, old: Block, new: Block, args: list[Value]) -> bool:
    """Let the edge pred → old go to `new`, whose phis get `args`; not if that needs two edges to it."""
    assert pred.term is not None
    if pred in new.preds:
        at = new.preds.index(pred)
        if any(phi.args[at] is not arg for phi, arg in zip(new.phis, args)):
            return False
        _remove_edge(pred, old)
        _set_jump(f, pred, new)
        return True
    targets = pred.term.targets
    targets[targets.index(old)] = new
    _remove_edge(pred, old)
    new.preds.append(pred)
    for phi, arg in zip(new.phis, args):
        phi.args.append(arg)
    return True


def _skip_empty(f: Function) -> bool:
    changed = False
    for block in f.blocks:
        term = block.term
        if block.insns or block.phis or term is None or term.op != Op.JUMP or block is f.entry:
            continue
        target = term.targets[0]
        if target is block:
            continue
        at = target.preds.index(block)
        args = [phi.args[at] for phi in target.phis]
        for pred in list(block.preds):
            changed = _redirect(f, pred, block, target, args) or changed
        if not block.preds:
            _remove_edge(block, target)
            _unlink(f, block)
    return changed


def _unlink(f: Function, block: Block) -> None:
    """Make a block that nothing reaches harmless until the next sort drops it."""
    term = f.new_value(Op.RET, [f.const(0)], NO_RESULT)
    term.block = block
    block.term = term
    block.insns = []
    block.phis = []


def _thread_phis(f: Function) -> bool:
    """Send predecessors that bring a constant to a block that only branches on it straight to its target."""
    counts: list[int] | None = None
    changed = False
    for block in f.blocks:
        term = block.term
        if not block.phis or block.insns or term is None or term.op not in (Op.BRANCH, Op.BRANCH_CMP):
            continue
        tested = term.args[0]
        if tested not in block.phis or (term.op == Op.BRANCH_CMP and term.args[1].op != Op.CONST):
            continue
        if any(p.order >= block.order for p in block.preds) or all(a.op != Op.CONST for a in tested.args):
            continue
        if counts is None:
            counts = use_counts(f)  # kept right below: counting again after each change would be quadratic
        if _used_elsewhere(block, counts):
            continue
        for pred in list(block.preds):
            changed = _thread_edge(f, pred, block, tested, counts) or changed
        if not block.preds:
            _count(counts, term.args, -1)
            for target in term.targets:
                at = target.preds.index(block)
                _count(counts, [phi.args[at] for phi in target.phis], -1)
                _remove_edge(block, target)
            _unlink(f, block)
    return changed


def _count(counts: list[int], args: "Iterable[Value]", change: int) -> None:
    """Note uses that came or went. Values made by this pass are no phis, and nobody asks for theirs."""
    for arg in args:
        if arg.id < len(counts):
            counts[arg.id] += change


def _used_elsewhere(block: Block, counts: list[int]) -> bool:
    """Whether phis of `block` are used beyond its terminator and the phis of its successors."""
    assert block.term is not None
    near = [a for a in block.term.args if a in block.phis]
    for target in block.term.targets:
        at = target.preds.index(block)
        near += [phi.args[at] for phi in target.phis if phi.args[at] in block.phis]
    return any(counts[phi.id] != near.count(phi) for phi in block.phis)


def _thread_edge(f: Function, pred: Block, block: Block, tested: Value, counts: list[int]) -> bool:
    term = block.term
    assert term is not None and pred.term is not None
    at = block.preds.index(pred)
    arriving = {phi: phi.args[at] for phi in block.phis}
    value = arriving[tested]

    def edge_args(target: Block) -> list[Value]:
        n = target.preds.index(block)
        return [arriving.get(phi.args[n], phi.args[n]) for phi in target.phis]

    if value.op == Op.CONST:
        other = term.args[1].imm if term.op == Op.BRANCH_CMP else 0
        taken = compare(term.imm, value.imm, other) if term.op == Op.BRANCH_CMP else value.imm != 0
        target = term.targets[0 if taken else 1]
        args, branch, joined = edge_args(target), pred.term.args, pred in target.preds
        if not _redirect(f, pred, block, target, args):
            return False
        _count(counts, arriving.values(), -1)
        if joined:
            _count(counts, branch, -1)
        else:
            _count(counts, args, 1)
        return True
    if pred.term.op != Op.JUMP or any(pred in t.preds for t in term.targets):
        return False
    copy = f.new_value(term.op, [value, *term.args[1:]], NO_RESULT, term.imm, tag=term.tag)
    copy.block = pred
    copy.targets = list(term.targets)
    _count(counts, copy.args, 1)
    _count(counts, arriving.values(), -1)
    for target in term.targets:
        args = edge_args(target)
        for phi, arg in zip(target.phis, args):
            phi.args.append(arg)
        _count(counts, args, 1)
        target.preds.append(pred)
    _remove_edge(pred, block)
    pred.term = copy
    return True


def _merge_chains(f: Function) -> bool:
    """Append to a block its only successor, if that has no other predecessor."""
    changed = False
    gone: set[Block] = set()
    for block in f.blocks:
        if block in gone:
            continue
        while block.term is not None and block.term.op == Op.JUMP:
            nxt = block.term.targets[0]
            if len(nxt.preds) != 1 or nxt is block or nxt is f.entry:
                break
            if nxt.phis:
                break  # trivial by now, or the next round makes it so
            for v in nxt.insns:
                v.block = block
            block.insns += nxt.insns
            block.term = nxt.term
            assert block.term is not None
            block.term.block = block
            for target in block.term.targets:
                target.preds[target.preds.index(nxt)] = block
            nxt.term = None
            nxt.insns = []
            gone.add(nxt)
            changed = True
    if gone:
        f.blocks = [b for b in f.blocks if b not in gone]
    return changed

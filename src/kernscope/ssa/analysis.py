"""Facts about the control flow graph: order, dominators, loops, use counts; kept in Block or returned.

Dominators by Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm" (2001): near-linear on the
graphs that structured programs give, quadratic on contrived ones.
"""

from kernscope.ssa.ir import NO_RESULT, Block, Function, Op, Value

__all__ = ["dominates", "find_dominators", "find_loops", "sort_blocks", "split_critical_edges", "use_counts"]


def sort_blocks(f: Function) -> None:
    """Drop unreachable blocks and put the rest into reverse postorder, loop bodies before loop exits."""
    order = _postorder(f)
    order.reverse()
    for i, block in enumerate(order):
        block.order = i
    if len(order) != len(f.blocks):
        live = set(order)
        for block in order:
            if not all(p in live for p in block.preds):
                _keep_preds(block, [p in live for p in block.preds])
    f.blocks = order


def _keep_preds(block: Block, keep: list[bool]) -> None:
    block.preds = [p for p, k in zip(block.preds, keep) if k]
    for phi in block.phis:
        phi.args = [a for a, k in zip(phi.args, keep) if k]


def _postorder(f: Function) -> list[Block]:
    """Depth-first; what is visited last comes first in the reverse: the deeper, the likelier, the earlier."""
    entry = f.entry
    seen = {entry}
    order: list[Block] = []
    stack = [(entry, iter(_visit_order(entry)))]
    while stack:
        block, successors = stack[-1]
        for nxt in successors:
            if nxt not in seen:
                seen.add(nxt)
                stack.append((nxt, iter(_visit_order(nxt))))
                break
        else:
            order.append(block)
            stack.pop()
    return order


def _visit_order(block: Block) -> list[Block]:
    targets = block.succs
    if len(targets) < 2:
        return targets
    first, second = targets
    if (first.depth, first.likely) < (second.depth, second.likely):
        return targets
    return [second, first]


def find_dominators(f: Function) -> None:
    """Set `idom` of every block; needs sorted blocks."""
    entry = f.entry
    for block in f.blocks:
        block.idom = None
    entry.idom = entry
    changed = True
    while changed:
        changed = False
        for block in f.blocks:
            if block is entry:
                continue
            new: Block | None = None
            for pred in block.preds:
                if pred.idom is None:
                    continue
                new = pred if new is None else _common(pred, new)
            if new is not block.idom:
                block.idom = new
                changed = changed or len(block.preds) > 1
    entry.idom = None
    _number(f)


def _number(f: Function) -> None:
    """Number the tree of dominators depth-first, so that a subtree is a range of numbers."""
    below: dict[Block, list[Block]] = {}
    for block in f.blocks:
        if block.idom is not None:
            below.setdefault(block.idom, []).append(block)
    next_number = 1
    stack = [f.entry]
    while stack:
        block = stack.pop()
        if block.dominated[0] == -1:  # all below have their numbers
            block.dominated = (block.dominated[1], next_number - 1)
            continue
        block.dominated = (-1, next_number)
        next_number += 1
        stack.append(block)
        stack += below.get(block, ())


def _common(a: Block, b: Block) -> Block:
    while a is not b:
        while a.order > b.order:
            assert a.idom is not None
            a = a.idom
        while b.order > a.order:
            assert b.idom is not None
            b = b.idom
    return a


def dominates(a: Block, b: Block) -> bool:
    """Whether every path to `b` passes `a`."""
    first, last = a.dominated
    return a is b or first <= b.dominated[0] <= last


def find_loops(f: Function) -> list[tuple[Block, set[Block]]]:
    """Natural loops as (header, body with header), inner ones last; sets `depth`. Needs dominators."""
    loops: list[tuple[Block, set[Block]]] = []
    for block in f.blocks:
        block.depth = 0
    for header in f.blocks:
        latches = [p for p in header.preds if p.order >= header.order and dominates(header, p)]
        if not latches:
            continue
        body = {header}
        todo = latches
        while todo:
            block = todo.pop()
            if block not in body:
                body.add(block)
                todo.extend(block.preds)
        for block in body:
            block.depth += 1
        loops.append((header, body))
    return loops


def split_critical_edges(f: Function) -> None:
    """Put an empty block on each edge from a fork to a join."""
    for block in list(f.blocks):
        targets = block.succs
        if len(targets) < 2:
            continue
        for i, target in enumerate(targets):
            if len(target.preds) < 2:
                continue
            middle = f.new_block("edge")
            middle.depth = min(block.depth, target.depth)
            middle.likely = target.likely
            jump = f.new_value(Op.JUMP, [], NO_RESULT, tag=block.term.tag if block.term else None)
            jump.block = middle
            jump.targets = [target]
            middle.term = jump
            middle.preds = [block]
            targets[i] = middle
            target.preds[target.preds.index(block)] = middle


def use_counts(f: Function) -> list[int]:
    """How often each value is an argument, by value id."""
    counts = [0] * f.value_count
    value: Value
    for block in f.blocks:
        for value in block.phis:
            for arg in value.args:
                counts[arg.id] += 1
        for value in block.insns:
            for arg in value.args:
                counts[arg.id] += 1
        if block.term is not None:
            for arg in block.term.args:
                counts[arg.id] += 1
    return counts

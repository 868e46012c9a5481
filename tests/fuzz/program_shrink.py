"""Making a failing program smaller: statements and parts of expressions go while the failure stays.

Only changes are tried after which every expression has the type and, where types depend on it, the constant it
had: the smaller program is as well typed as the large one.
"""

import time
from collections.abc import Callable, Iterator

from program_tree import BOOL, I64, NONE, STR, U32, Node, Program, constant, expression_type, is_int, make

__all__ = ["shrink"]

_BLOCKS = frozenset(("block",))


def shrink(program: Program, fails: Callable[[Program], bool], seconds: float = 20) -> Program:
    """The smallest failing program that is found in about `seconds`."""
    limit = time.monotonic() + seconds
    changed = True
    while changed:
        changed = False
        for undo in _changes(program):
            if time.monotonic() > limit:
                undo()
                return program
            if _well_typed(program) and fails(program):
                changed = True
            else:
                undo()
    return program


def _well_typed(program: Program) -> bool:
    return all(
        node.const == constant(node) and node.type == expression_type(node)
        for node in program.nodes()
        if node.type != NONE
    )


def _changes(program: Program) -> Iterator[Callable[[], None]]:
    """Each change is made when it is yielded; what is yielded takes it back."""
    for i in range(len(program.clauses) - 1, 0, -1):
        clause = program.clauses.pop(i)
        yield _inserting(program.clauses, i, clause)
    for clause in program.clauses:
        if clause.predicate is not None:
            kept, clause.predicate = clause.predicate, None

            def restore(clause: object = clause, kept: Node = kept) -> None:
                clause.predicate = kept  # type: ignore[attr-defined]

            yield restore
    for clause in program.clauses:
        yield from _in_node(clause.body)
        if clause.predicate is not None:
            yield from _in_node(clause.predicate)


def _inserting(list: list, i: int, item: object) -> Callable[[], None]:  # type: ignore[type-arg]
    return lambda: list.insert(i, item)


def _in_node(node: Node) -> Iterator[Callable[[], None]]:
    if node.kind == "if" and node.data == "pins":
        # A pin may go only with the map: leaving out all of them but the used ones is the printer's business.
        return
    if node.kind == "block" or node.kind == "blockexpr":
        last = len(node.kids) - (node.kind == "blockexpr")
        step = max(1, last // 2)
        while step:
            i = 0
            while i < last:
                part = node.kids[i : i + step]
                if i == 0 and part[0].data == "pins":
                    i += 1
                    continue
                part = node.kids[i : min(i + step, last)]
                del node.kids[i : i + len(part)]
                size = len(node.kids)

                def put_back(i: int = i, part: list[Node] = part) -> None:
                    node.kids[i:i] = part

                yield put_back
                if len(node.kids) == size:
                    last -= len(part)
                else:
                    i += step
            step //= 2
    for i, kid in enumerate(list(node.kids)):
        if i >= len(node.kids) or node.kids[i] is not kid:
            continue
        size = sum(1 for _ in kid.walk())
        for smaller in _smaller(kid):
            if sum(1 for _ in smaller.walk()) >= size:
                continue
            node.kids[i] = smaller

            def back(i: int = i, kid: Node = kid) -> None:
                node.kids[i] = kid

            yield back
            if node.kids[i] is smaller:
                kid = smaller
                break
        yield from _in_node(node.kids[i])


def _smaller(node: Node) -> Iterator[Node]:
    """Expressions to try in place of one; for a statement with a body, the body alone."""
    if node.kind in ("if", "unroll"):
        for kid in node.kids:
            if kid.kind == "block" and node.data != "pins":
                yield kid
    if node.type == NONE or node.kind in ("lit", "bool", "strlit", "block"):
        return
    if is_int(node.type):
        if node.type == I64:
            yield make("lit", data=1)
        yield make("cast", [make("builtin", data="uid", type=U32)], node.type)
    elif node.type == BOOL:
        yield make("bool", data=True, type=BOOL)
    elif node.type == STR:
        yield make("strlit", data=b"a", type=STR)
    for kid in node.kids:
        if kid.type == node.type:
            yield kid

"""The SSA verifier: what every pass may rely on, and must leave behind.

It runs after every pass in tests and with `verify=True`. It knows nothing about how passes work.
"""

from kernscope.ssa.analysis import dominates, find_dominators, sort_blocks
from kernscope.ssa.ir import NO_RESULT, OPS, POINTER, SCALAR, Block, Cond, FrameSlot, Function, Op, Value
from kernscope.ssa.print import print_value

__all__ = ["IRError", "verify_function"]


class IRError(Exception):
    """The intermediate form is broken: a defect of this compiler, never of a user's program."""

    def __init__(self, function: str, problems: list[str], stage: str = "") -> None:
        super().__init__(f"{function}: " + (f"after {stage}: " if stage else "") + "; ".join(problems))
        self.function = function
        self.problems = problems
        self.stage = stage


#: Number of arguments by operation, where it is fixed.
_ARITY = {
    **dict.fromkeys(range(Op.ADD, Op.ASHR + 1), 2),
    **dict.fromkeys((Op.NEG, Op.ZEXT, Op.SEXT, Op.OPAQUE, Op.BSWAP, Op.LOAD, Op.RET, Op.BRANCH), 1),
    **dict.fromkeys((Op.CMP, Op.PTR_ADD, Op.STORE, Op.BRANCH_CMP), 2),
    **dict.fromkeys((Op.JUMP, Op.MAY_GOTO, Op.PARAM), 0),
    Op.SELECT: 3,
    Op.SELECT_CMP: 4,
}
_TARGETS = {Op.JUMP: 1, Op.BRANCH: 2, Op.BRANCH_CMP: 2, Op.MAY_GOTO: 2, Op.RET: 0}
_SCALAR_ARGS = frozenset((*range(Op.ADD, Op.ASHR + 1), Op.NEG, Op.ZEXT, Op.SEXT, Op.BSWAP))
_WIDTHS = {
    **dict.fromkeys((Op.LOAD, Op.STORE), (8, 16, 32, 64)),
    Op.ATOMIC: (32, 64),
    Op.ZEXT: (8, 16, 32),
    Op.SEXT: (8, 16, 32),
    Op.BSWAP: (16, 32, 64),
}


def verify_function(f: Function, stage: str = "") -> None:
    """Raise IRError listing all that is wrong with `f`. Sorts its blocks."""
    problems = _check_graph(f)
    if not problems:
        sort_blocks(f)
        find_dominators(f)
        problems = _check_values(f)
    if problems:
        raise IRError(f.name, problems, stage)


def _check_graph(f: Function) -> list[str]:
    problems = []
    known = set(f.blocks)
    incoming: dict[Block, list[Block]] = {b: [] for b in f.blocks}
    for block in f.blocks:
        if block.term is None:
            problems.append(f"{block!r} has no terminator")
            continue
        expected = _TARGETS.get(block.term.op)
        if expected != len(block.term.targets):
            problems.append(f"{block!r}: `{print_value(block.term)}` has wrong targets")
        for target in block.term.targets:
            if target in known:
                incoming[target].append(block)
            else:
                problems.append(f"{block!r} goes to {target!r}, which is not in the function")
    for block in f.blocks:
        if sorted(p.id for p in block.preds) != sorted(p.id for p in incoming[block]):
            problems.append(f"{block!r}: predecessors {block.preds} but jumps from {incoming[block]}")
    if f.blocks and f.entry.preds:
        problems.append("the entry block has predecessors")
    return problems


def _check_values(f: Function) -> list[str]:
    problems: list[str] = []
    defined: dict[Value, int] = {}
    for block in f.blocks:
        for i, v in enumerate((*block.phis, *block.insns)):
            if v in defined:
                problems.append(f"v{v.id} is placed twice")
            defined[v] = i
    for block in f.blocks:
        placed = [*block.phis, *block.insns]
        if block.term is not None:
            placed.append(block.term)
        for i, v in enumerate(placed):
            problems += [f"`{print_value(v)}` in {block!r}: {p}" for p in _check_value(v, block, i, defined)]
    return problems


def _check_value(v: Value, block: Block, index: int, defined: dict[Value, int]) -> list[str]:
    problems = []
    if v.block is not block:
        problems.append(f"believes to be in {v.block!r}")
    if v.fwd is not None:
        problems.append("was replaced but is still placed")
    if (v.op == Op.PHI) != (v in block.phis if v.op == Op.PHI else False):
        problems.append("phi among the instructions")
    arity = len(block.preds) if v.op == Op.PHI else _ARITY.get(v.op, len(v.args))
    if len(v.args) != arity:
        problems.append(f"{len(v.args)} arguments, not {arity}")
        return problems
    for n, arg in enumerate(v.args):
        at, where = (block.preds[n], 1 << 60) if v.op == Op.PHI else (block, index)
        problems += _check_arg(arg, at, where, defined)
    return problems + _check_kinds(v)


def _check_arg(arg: Value, block: Block, index: int, defined: dict[Value, int]) -> list[str]:
    if arg.fwd is not None:
        return [f"uses v{arg.id}, which was replaced"]
    if OPS[arg.op].kind == NO_RESULT or arg.kind == NO_RESULT:
        return [f"uses v{arg.id}, which has no result"]
    if arg.op <= Op.FRAME_ADDR:
        return []
    if arg not in defined or arg.block is None:
        return [f"uses v{arg.id}, which is in no block"]
    if arg.block is block:
        return [] if defined[arg] < index else [f"uses v{arg.id} before its definition"]
    return [] if dominates(arg.block, block) else [f"uses v{arg.id}, whose definition does not dominate"]


def _check_kinds(v: Value) -> list[str]:
    problems = []
    args = v.args
    if v.op in _SCALAR_ARGS and any(a.kind != SCALAR for a in args):
        problems.append("arithmetic on a pointer")
    if v.op in (Op.PTR_ADD, Op.LOAD, Op.STORE, Op.ATOMIC) and args[0].kind != POINTER:
        problems.append("the address is not a pointer")
    if v.op == Op.PTR_ADD and args[1].kind != SCALAR:
        problems.append("the offset is not a scalar")
    if v.op == Op.STORE and args[1].kind == POINTER and v.width != 64:
        problems.append("only part of a pointer is stored")
    if v.op == Op.PHI and any(a.kind != v.kind and not _is_null(a) for a in args):
        problems.append("phi of a pointer and a scalar")
    if v.op in (Op.CMP, Op.BRANCH_CMP, Op.SELECT_CMP):
        problems += _check_compare(v)
    if v.op in _WIDTHS and v.width not in _WIDTHS[v.op]:
        problems.append(f"no such width: {v.width}")
    slot = args[0].aux if args and args[0].op == Op.FRAME_ADDR else None
    if isinstance(slot, FrameSlot) and v.op in (Op.LOAD, Op.STORE, Op.ATOMIC):
        start = args[0].imm + v.imm
        if start < 0 or start + v.width // 8 > slot.size:
            problems.append(f"outside its {slot.size}-byte frame slot")
    return problems


def _is_null(v: Value) -> bool:
    return v.op == Op.CONST and v.imm == 0


def _check_compare(v: Value) -> list[str]:
    a, b = v.args[:2]
    if a.kind == b.kind:
        return []
    if v.imm in (Cond.EQ, Cond.NE) and (_is_null(a) or _is_null(b)):
        return []
    return ["a pointer is compared with a scalar"]

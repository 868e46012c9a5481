"""The text form of functions and modules, for dumps, golden tests and reading."""

from kernscope.ssa import location
from kernscope.ssa.allocate import Allocation
from kernscope.ssa.ir import COND_NAMES, OPS, Block, FrameSlot, Function, Op, Value

__all__ = ["print_allocation", "print_function", "print_value"]


_MEMORY = (Op.LOAD, Op.STORE, Op.ATOMIC)


def _ref(value: Value) -> str:
    match value.op:
        case Op.CONST:
            return str(value.imm)
        case Op.MAP_FD:
            return f"map({value.aux})"
        case Op.MAP_VALUE:
            return f"map_value({value.aux}+{value.imm})"
        case Op.FUNC_REF:
            assert isinstance(value.aux, Function)
            return f"func({value.aux.name})"
        case Op.FRAME_ADDR:
            assert isinstance(value.aux, FrameSlot)
            return f"frame{value.aux.id}" + (f"+{value.imm}" if value.imm else "")
    return f"v{value.id}"


def _label(block: Block) -> str:
    return f"{block.name}.{block.id}"


def _offset(n: int) -> str:
    return f" + {n}" if n > 0 else f" - {-n}"


def _operation(v: Value) -> str:
    name = OPS[v.op].name
    match v.op:
        case Op.CMP | Op.SELECT_CMP | Op.BRANCH_CMP:
            return f"{name}.{COND_NAMES[v.imm]}"
        case Op.LOAD:
            signed, _ = v.aux if isinstance(v.aux, tuple) else (False, True)
            return f"{name}.{'s' if signed else 'u'}{v.width}"
        case Op.STORE:
            return f"{name}.{v.width}"
        case Op.ATOMIC:
            kind, fetch = v.aux if isinstance(v.aux, tuple) else ("", False)
            return f"{name}.{kind}{'.fetch' if fetch else ''}.{v.width}"
        case Op.ZEXT | Op.SEXT | Op.BSWAP:
            return f"{name}.{v.width}"
        case Op.CALL:
            return f"{name} #{v.imm}"
        case Op.CALL_FUNC:
            assert isinstance(v.aux, Function)
            return f"{name} {v.aux.name}"
        case Op.CALL_KFUNC:
            return f"{name} {v.aux}"
        case Op.PARAM:
            return f"{name} {v.imm}"
    return name + (".32" if v.width == 32 and Op.ADD <= v.op <= Op.NEG else "")


def print_value(v: Value) -> str:
    """One instruction as text, without its block."""
    if v.op == Op.PHI and v.block is not None:
        pairs = (f"{_label(p)}: {_ref(a)}" for p, a in zip(v.block.preds, v.args))
        operands = [f"[{', '.join(pairs)}]"]
    else:
        operands = [_ref(a) for a in v.args]
        if v.op in _MEMORY and v.imm:
            operands[0] += _offset(v.imm)
    operands += [_label(t) for t in v.targets]
    text = _operation(v) + (" " + ", ".join(operands) if operands else "")
    row = OPS[v.op]
    has_result = v.kind != 2 and v.op < Op.JUMP
    return f"v{v.id} = {text}" if has_result and row.kind != 2 else text


def print_function(f: Function) -> str:
    """A function as text."""
    lines = [f"func {f.name}({len(f.params)}):"]
    lines += [f"  frame{s.id}: {s.size} bytes, align {s.align}" for s in f.slots]
    for block in f.blocks:
        preds = ", ".join(_label(p) for p in block.preds)
        lines.append(f"{_label(block)}:" + (f"  ; from {preds}" if preds else ""))
        lines += ["  " + print_value(v) for v in block.phis]
        lines += ["  " + print_value(v) for v in block.insns]
        if block.term is not None:
            lines.append("  " + print_value(block.term))
    return "\n".join(lines) + "\n"


def print_allocation(f: Function, allocation: Allocation) -> str:
    """A function with registers: r for registers, s for the spill slots of values."""
    lines = [f"func {f.name}:"]
    for block in f.blocks:
        lines.append(f"{_label(block)}:")
        term = allocation.term[block.order]
        steps = [*allocation.body[block.order], *([term] if term is not None else [])]
        lines += ["  " + _step(*step) for step in steps]
    return "\n".join(lines) + "\n"


def _step(kind: int, value: Value, dst: int, srcs: tuple[int, ...]) -> str:
    match kind:
        case location.MOVE:
            return f"r{dst} = r{srcs[0]}  ; {_ref(value)}"
        case location.LOAD:
            return f"r{dst} = s{value.id}"
        case location.STORE:
            return f"s{value.id} = r{srcs[0]}"
        case location.REMAT:
            return f"r{dst} = {_ref(value)}"
    places = [f"r{r}" if 0 <= r < 10 else _ref(a) for a, r in zip(value.args, srcs)]
    if value.op in _MEMORY and value.imm:
        places[0] += _offset(value.imm)
    result = f"r{dst} = " if dst >= 0 else ""
    targets = [_label(t) for t in value.targets]
    return f"{result}{_operation(value)} {', '.join(places + targets)}".rstrip() + (
        f"  ; v{value.id}" if dst >= 0 else ""
    )

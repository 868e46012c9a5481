"""Arithmetic and comparisons: each operation is one expression, made into a step per instruction.

Registers hold unsigned 64-bit integers. An expression sees both operands unsigned in the operation's width:
`a` the destination, `b` the source, M all ones, H the sign bit, S the shift mask. Each row is compiled once
per width and kind of second operand, so a step costs one Python call. Adding `+` to a copied register
refuses None, the content of a register that was never set.

Authority: RFC 9669 section 4, and interpreter and verifier rewrites in kernel/bpf for division.
"""

from collections.abc import Callable
from typing import Any

from kernscope.tables import opcodes

__all__ = ["Step", "alu_step", "jump_step"]

Step = Callable[[list[Any]], int]

_EXPRESSIONS = {
    opcodes.ADD: "({a} + {b}) & {M}",
    opcodes.SUB: "({a} - {b}) & {M}",
    opcodes.MUL: "({a} * {b}) & {M}",
    opcodes.DIV: "{a} // {b} if {b} else {a} & 0",
    opcodes.OR: "{a} | {b}",
    opcodes.AND: "{a} & {b}",
    opcodes.LSH: "({a} << ({b} & {S})) & {M}",
    opcodes.RSH: "{a} >> ({b} & {S})",
    opcodes.MOD: "{a} % {b} if {b} else +{a}",
    opcodes.XOR: "{a} ^ {b}",
    opcodes.MOV: "+{b}",
    opcodes.ARSH: "((({a} ^ {H}) - {H}) >> ({b} & {S})) & {M}",
    opcodes.NEG: "-{a} & {M}",
}
_SIGNED_EXPRESSIONS = {
    opcodes.DIV: "signed_divide({a}, {b}, {H}) & {M}",
    opcodes.MOD: "signed_modulo({a}, {b}, {H}) & {M}",
}
# Flipping the sign bit turns the signed order into the unsigned one.
_CONDITIONS = {
    opcodes.JEQ: "+{a} == +{b}",
    opcodes.JNE: "+{a} != +{b}",
    opcodes.JGT: "{a} > {b}",
    opcodes.JGE: "{a} >= {b}",
    opcodes.JLT: "{a} < {b}",
    opcodes.JLE: "{a} <= {b}",
    opcodes.JSET: "{a} & {b}",
    opcodes.JSGT: "{a} ^ {H} > {b} ^ {H}",
    opcodes.JSGE: "{a} ^ {H} >= {b} ^ {H}",
    opcodes.JSLT: "{a} ^ {H} < {b} ^ {H}",
    opcodes.JSLE: "{a} ^ {H} <= {b} ^ {H}",
}


def signed_divide(a: int, b: int, half: int) -> int:
    """Quotient truncated towards zero; 0 when dividing by 0. The smallest number by -1 wraps to itself."""
    if b == 0:
        return 0
    x, y = (a ^ half) - half, (b ^ half) - half
    quotient = abs(x) // abs(y)
    return -quotient if (x < 0) != (y < 0) else quotient


def signed_modulo(a: int, b: int, half: int) -> int:
    """Remainder with the sign of the dividend; the dividend when dividing by 0."""
    if b == 0:
        return a
    x, y = (a ^ half) - half, (b ^ half) - half
    remainder = abs(x) % abs(y)
    return -remainder if x < 0 else remainder


_ALU_SOURCE = """
def make(dst, src, k, after):
    def step(r):
        r[dst] = {body}
        return after
    return step
"""
_JUMP_SOURCE = """
def make(dst, src, k, after, taken):
    def step(r):
        return taken if {body} else after
    return step
"""

_makers: dict[tuple[str, str, bool, bool], Callable[..., Step]] = {}


def _maker(expression: str, wide: bool, by_register: bool, source: str) -> Callable[..., Step]:
    """Compile an expression for a width and kind of second operand, once."""
    key = (source, expression, wide, by_register)
    found = _makers.get(key)
    if found is None:
        names = {
            "a": "r[dst]" if wide else "(r[dst] & 0xFFFFFFFF)",
            "b": ("r[src]" if wide else "(r[src] & 0xFFFFFFFF)") if by_register else "k",
            "M": "0xFFFFFFFFFFFFFFFF" if wide else "0xFFFFFFFF",
            "H": "0x8000000000000000" if wide else "0x80000000",
            "S": "63" if wide else "31",
        }
        space: dict[str, Any] = {"signed_divide": signed_divide, "signed_modulo": signed_modulo}
        body = expression.format_map({name: f"({text})" for name, text in names.items()})
        exec(source.format(body=body), space)
        found = _makers[key] = space["make"]
    return found


def alu_step(op: int, dst: int, src: int, off: int, imm: int, after: int) -> Step | None:
    """The step of an ALU or ALU64 instruction other than END; None if the instruction set has no such one."""
    wide = op & opcodes.CLASS_MASK == opcodes.ALU64
    operation = op & opcodes.OPERATION_MASK
    by_register = bool(op & opcodes.X)
    if off == 0:
        expression = _EXPRESSIONS.get(operation)
    elif off == 1 and operation in _SIGNED_EXPRESSIONS:
        expression = _SIGNED_EXPRESSIONS[operation]
    elif operation == opcodes.MOV and by_register and off in ((8, 16, 32) if wide else (8, 16)):
        half = 1 << off - 1
        expression = f"((({{b}} & {2 * half - 1}) ^ {half}) - {half}) & {{M}}"
    else:
        return None
    if expression is None:
        return None
    constant = imm & (0xFFFFFFFFFFFFFFFF if wide else 0xFFFFFFFF)
    return _maker(expression, wide, by_register, _ALU_SOURCE)(dst, src, constant, after)


def jump_step(op: int, dst: int, src: int, imm: int, after: int, taken: int) -> Step | None:
    """The step of a conditional jump; None if the instruction set has no such one."""
    wide = op & opcodes.CLASS_MASK == opcodes.JMP
    expression = _CONDITIONS.get(op & opcodes.OPERATION_MASK)
    if expression is None:
        return None
    constant = imm & (0xFFFFFFFFFFFFFFFF if wide else 0xFFFFFFFF)
    return _maker(expression, wide, bool(op & opcodes.X), _JUMP_SOURCE)(dst, src, constant, after, taken)

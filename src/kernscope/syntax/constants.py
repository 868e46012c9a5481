"""Integer constants of the preamble: conditions of `#if`, array sizes, bit field widths."""

from __future__ import annotations

from kernscope.diagnostics.diagnostic import CompileError
from kernscope.diagnostics.source import Source

from .definitions import Define
from .expressions import Binary, Call, Identifier, IntLiteral, Ternary, Unary
from .node import Expr

TYPE_CHECKING = False  # collections.abc costs 2 ms to import; checkers take the name for true
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NotConstant", "evaluate", "is_true"]

# A macro may stand for itself, or two for each other; C stops there, and so does this.
_MAX_EXPANSIONS = 32

_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "<<": lambda a, b: a << b if 0 <= b < 64 else 0,
    ">>": lambda a, b: a >> b if 0 <= b < 64 else 0,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "&&": lambda a, b: int(bool(a and b)),
    "||": lambda a, b: int(bool(a or b)),
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    ">": lambda a, b: int(a > b),
    "<=": lambda a, b: int(a <= b),
    ">=": lambda a, b: int(a >= b),
}


class NotConstant(Exception):
    """The expression is no integer constant; `expr` is the part that is none."""

    def __init__(self, expr: Expr) -> None:
        self.expr = expr
        super().__init__(expr)


def _signed(value: int) -> int:
    """Wrapped to 64 bits, so that no chain of operators makes a huge number."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def evaluate(expr: Expr, defines: dict[str, Define | None], condition: bool = False, level: int = 0) -> int:
    """The value of a constant expression. In a `condition` of `#if`, unknown names are 0.

    Raises NotConstant.
    """
    match expr:
        case IntLiteral(value):
            return value
        case Identifier(name):
            return _evaluate_name(expr, name, defines, condition, level)
        case Call("defined", [Identifier(name)]) if condition:
            return int(name in defines)
        case Unary(op, operand) if op in "-+!~":
            value = evaluate(operand, defines, condition, level)
            return _signed({"-": -value, "+": value, "!": int(not value), "~": ~value}[op])
        case Ternary(cond, then, orelse) if then is not None:
            chosen = then if evaluate(cond, defines, condition, level) else orelse
            return evaluate(chosen, defines, condition, level)
        case Binary(op, left, right):
            a = evaluate(left, defines, condition, level)
            b = evaluate(right, defines, condition, level)
            if op in ("/", "%"):
                return _divide(expr, op, a, b)
            return _signed(_OPERATIONS[op](a, b))
    raise NotConstant(expr)


def _divide(expr: Expr, op: str, a: int, b: int) -> int:
    if b == 0:
        raise NotConstant(expr)
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)  # C rounds to zero
    return quotient if op == "/" else a - b * quotient


def _evaluate_name(
    expr: Expr, name: str, defines: dict[str, Define | None], condition: bool, level: int
) -> int:
    define = defines.get(name)
    if define is None or define.params is not None or level >= _MAX_EXPANSIONS:
        if condition:
            return int(name in defines)
        raise NotConstant(expr)
    from .parser import parse_expression

    try:
        body = parse_expression(Source(name, define.body))
    except CompileError:
        raise NotConstant(expr) from None
    return evaluate(body, defines, condition, level + 1)


def is_true(text: str, defines: dict[str, Define | None]) -> bool:
    """Whether the condition behind `#if` holds. Raises CompileError or NotConstant."""
    from .parser import parse_expression

    words = text.split()
    # `defined NAME` is the one prefix operator that is a word.
    for index, word in enumerate(words[:-1]):
        if word.lstrip("!(") == "defined" and not words[index + 1].startswith("("):
            name = words[index + 1].rstrip(")")
            words[index] += "("
            words[index + 1] = name + ")" + words[index + 1][len(name) :]
    return evaluate(parse_expression(Source("#if", " ".join(words))), defines, True) != 0

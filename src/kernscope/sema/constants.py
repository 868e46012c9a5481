"""Expressions whose value is known when compiling."""

from collections.abc import Sequence

from kernscope.catalog.functions import FUNCTIONS
from kernscope.syntax.ast import (
    Binary,
    BoolLiteral,
    Call,
    Cast,
    Comptime,
    Expr,
    Identifier,
    IntLiteral,
    Offsetof,
    ParamCount,
    PositionalParam,
    Sizeof,
    StringLiteral,
    Unary,
)
from kernscope.types import Bool, Enum, Integer

from .model import Clause
from .typenames import named_type

__all__ = ["ConstantReader"]


class ConstantReader:
    """Evaluates with Python's integers; what does not fit 64 bits is no constant."""

    parameters: Sequence[str]
    clause: Clause
    enumerators: "dict[str, tuple[Enum, int]]"
    """Names of enum values that the program has used."""

    def constant(self, expr: Expr) -> int | None:
        """The value of an integer expression that is known when compiling, or None."""
        value = self._constant(expr)
        return value if value is not None and -(1 << 63) <= value < 1 << 64 else None

    def _constant(self, expr: Expr) -> int | None:
        if isinstance(expr, IntLiteral):
            return expr.value
        if isinstance(expr, BoolLiteral):
            return int(expr.value)
        if isinstance(expr, PositionalParam):
            return self.parameter_number(expr)
        if isinstance(expr, ParamCount):
            return len(self.parameters)
        if isinstance(expr, Identifier):
            found = self.enumerators.get(expr.name)
            return found[1] if found is not None else None
        if isinstance(expr, Comptime):
            return self.constant(expr.operand)
        if isinstance(expr, Unary):
            operand = self.constant(expr.operand)
            if operand is None:
                return None
            if expr.op == "-":
                return -operand
            if expr.op == "~":
                return ~operand & (1 << 64) - 1
            return int(not operand) if expr.op == "!" else None
        if isinstance(expr, Binary):
            left, right = self.constant(expr.left), self.constant(expr.right)
            return None if left is None or right is None else _fold(expr.op, left, right)
        if isinstance(expr, Cast):
            return self._constant_cast(expr)
        if isinstance(expr, Sizeof | Offsetof):
            number = self.clause.kept.get(expr)  # known once the type is
            return number if isinstance(number, int) else None
        if isinstance(expr, Call):
            entry = FUNCTIONS.get(expr.name)
            return entry.constant(self, expr) if entry is not None else None  # type: ignore[arg-type]
        return None

    def _constant_cast(self, expr: Cast) -> int | None:
        operand, t = self.constant(expr.operand), named_type(expr.type)
        if operand is None:
            return None
        if isinstance(t, Bool):
            return int(operand != 0)
        if isinstance(t, Integer):
            low = operand & (1 << t.bits) - 1
            return low - (1 << t.bits) if t.signed and low >> (t.bits - 1) else low
        return None

    def parameter_number(self, node: PositionalParam) -> int | None:
        """The value of `$1` as a number: 0 where it was not given, None where it is none."""
        if node.index > len(self.parameters):
            return 0
        try:
            return int(self.parameters[node.index - 1], 0)
        except ValueError:
            return None

    def constant_string(self, expr: Expr) -> str | None:
        """The value of a string that is known when compiling, or None."""
        if isinstance(expr, StringLiteral):
            return expr.value
        if isinstance(expr, PositionalParam) and expr.index <= len(self.parameters):
            return self.parameters[expr.index - 1]
        if isinstance(expr, Binary) and expr.op == "+" and isinstance(expr.left, PositionalParam):
            return self._parameter_behind(expr.left, expr.right)
        return None

    def _parameter_behind(self, parameter: PositionalParam, skipped: Expr) -> str | None:
        """`$1 + 2`, of a parameter that is no number: its text behind the first bytes."""
        if self.parameter_number(parameter) is not None:
            return None
        content = self.parameters[parameter.index - 1].encode("utf-8", "surrogateescape")
        start = self.constant(skipped)
        if start is None or start < 0:
            return None
        return content[start:].decode("utf-8", "surrogateescape")


def _fold(op: str, x: int, y: int) -> int | None:
    if op in ("/", "%"):
        if y == 0:
            return None
        quotient = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
        return quotient if op == "/" else x - quotient * y
    if op in ("<<", ">>") and not 0 <= y < 64:
        return None
    match op:
        case "+":
            return x + y
        case "-":
            return x - y
        case "*":
            return x * y
        case "&":
            return x & y
        case "|":
            return x | y
        case "^":
            return x ^ y
        case "<<":
            return x << y
        case ">>":
            return x >> y
        case "==":
            return int(x == y)
        case "!=":
            return int(x != y)
        case "<":
            return int(x < y)
        case "<=":
            return int(x <= y)
        case ">":
            return int(x > y)
        case ">=":
            return int(x >= y)
        case _:
            return None

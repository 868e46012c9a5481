"""Nodes of what stands in a block."""

from __future__ import annotations

from kernscope.diagnostics.source import NO_SPAN, Span

from .node import Expr, Node, Statement

TYPE_CHECKING = False  # typing costs 3 ms to import; checkers take the name for true
if TYPE_CHECKING:
    from .expressions import TypeExpr

__all__ = [
    "Assign",
    "Block",
    "Break",
    "Continue",
    "Discard",
    "ExprStatement",
    "ForEach",
    "ForRange",
    "If",
    "Let",
    "Return",
    "Unroll",
    "While",
]


class Block(Node):
    """`{ … }`. `result` is the trailing expression without `;` of a block used as a value (BlockExpr, Macro,
    IfExpr); in blocks of statements it is None, and the expression is an ExprStatement.
    """

    __match_args__ = __slots__ = ("statements", "result")

    def __init__(self, statements: list[Statement], result: Expr | None, span: Span = NO_SPAN) -> None:
        self.statements = statements
        self.result = result
        self.span = span


class ExprStatement(Statement):
    __match_args__ = __slots__ = ("expr",)

    def __init__(self, expr: Expr, span: Span = NO_SPAN) -> None:
        self.expr = expr
        self.span = span


class Assign(Statement):
    """`target = value` (op None) or `target op= value` (op `+`, `<<`, …). The target is a Variable or a
    MapRef.
    """

    __match_args__ = __slots__ = ("target", "op", "value")

    def __init__(self, target: Expr, op: str | None, value: Expr, span: Span = NO_SPAN) -> None:
        self.target = target
        self.op = op
        self.value = value
        self.span = span


class Discard(Statement):
    """`_ = value`"""

    __match_args__ = __slots__ = ("value",)

    def __init__(self, value: Expr, span: Span = NO_SPAN) -> None:
        self.value = value
        self.span = span


class Let(Statement):
    """`let $name : type = value;`, name without `$`."""

    __match_args__ = __slots__ = ("name", "type", "value")

    def __init__(self, name: str, type: TypeExpr | None, value: Expr | None, span: Span = NO_SPAN) -> None:
        self.name = name
        self.type = type
        self.value = value
        self.span = span


class If(Statement):
    """An `else if` is an orelse whose only statement is an If."""

    __match_args__ = __slots__ = ("cond", "then", "orelse")

    def __init__(self, cond: Expr, then: Block, orelse: Block | None, span: Span = NO_SPAN) -> None:
        self.cond = cond
        self.then = then
        self.orelse = orelse
        self.span = span


class While(Statement):
    __match_args__ = __slots__ = ("cond", "body")

    def __init__(self, cond: Expr, body: Block, span: Span = NO_SPAN) -> None:
        self.cond = cond
        self.body = body
        self.span = span


class Unroll(Statement):
    __match_args__ = __slots__ = ("count", "body")

    def __init__(self, count: Expr, body: Block, span: Span = NO_SPAN) -> None:
        self.count = count
        self.body = body
        self.span = span


class ForRange(Statement):
    """`for ($var : start..end)`, end exclusive."""

    __match_args__ = __slots__ = ("var", "start", "end", "body")

    def __init__(self, var: str, start: Expr, end: Expr, body: Block, span: Span = NO_SPAN) -> None:
        self.var = var
        self.start = start
        self.end = end
        self.body = body
        self.span = span


class ForEach(Statement):
    """`for ($var : @map)`"""

    __match_args__ = __slots__ = ("var", "iterable", "body")

    def __init__(self, var: str, iterable: Expr, body: Block, span: Span = NO_SPAN) -> None:
        self.var = var
        self.iterable = iterable
        self.body = body
        self.span = span


class Break(Statement):
    __match_args__ = __slots__ = ()

    def __init__(self, span: Span = NO_SPAN) -> None:
        self.span = span


class Continue(Statement):
    __match_args__ = __slots__ = ()

    def __init__(self, span: Span = NO_SPAN) -> None:
        self.span = span


class Return(Statement):
    __match_args__ = __slots__ = ("value",)

    def __init__(self, value: Expr | None, span: Span = NO_SPAN) -> None:
        self.value = value
        self.span = span

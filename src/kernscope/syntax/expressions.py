"""Nodes with a value, and types."""

from __future__ import annotations

from kernscope.diagnostics.source import NO_SPAN, Span

from .node import Expr, Node

TYPE_CHECKING = False  # typing costs 3 ms to import; checkers take the name for true
if TYPE_CHECKING:
    from .definitions import CEnum, CStruct
    from .statements import Block

__all__ = [
    "Binary",
    "BlockExpr",
    "BoolLiteral",
    "Call",
    "Cast",
    "Comptime",
    "FieldAccess",
    "Identifier",
    "IfExpr",
    "Index",
    "IntLiteral",
    "MapRef",
    "Offsetof",
    "ParamCount",
    "PositionalParam",
    "RecordExpr",
    "RecordField",
    "Sizeof",
    "StringLiteral",
    "Ternary",
    "TupleAccess",
    "TupleExpr",
    "TypeExpr",
    "TypeInfo",
    "Unary",
    "Update",
    "Variable",
]


class IntLiteral(Expr):
    """`value` is the number meant, in nanoseconds where `suffix` is a duration (`ns us ms s m h d`); other
    suffixes (`u ul ull l ll`, lower case) do not change it. `text` as written.
    """

    __match_args__ = __slots__ = ("value", "suffix", "text")

    def __init__(self, value: int, suffix: str = "", text: str = "", span: Span = NO_SPAN) -> None:
        self.value = value
        self.suffix = suffix
        self.text = text or str(value)
        self.span = span


class StringLiteral(Expr):
    """Escapes resolved; characters that are bytes of no valid UTF-8 are lone surrogates
    (`value.encode("utf-8", "surrogateescape")` gives the bytes).
    """

    __match_args__ = __slots__ = ("value",)

    def __init__(self, value: str, span: Span = NO_SPAN) -> None:
        self.value = value
        self.span = span


class BoolLiteral(Expr):
    __match_args__ = __slots__ = ("value",)

    def __init__(self, value: bool, span: Span = NO_SPAN) -> None:
        self.value = value
        self.span = span


class Identifier(Expr):
    """A bare name: built-in, enumerator, macro, `#define`d name."""

    __match_args__ = __slots__ = ("name",)

    def __init__(self, name: str, span: Span = NO_SPAN) -> None:
        self.name = name
        self.span = span


class Variable(Expr):
    """`$name`, name without `$`."""

    __match_args__ = __slots__ = ("name",)

    def __init__(self, name: str, span: Span = NO_SPAN) -> None:
        self.name = name
        self.span = span


class MapRef(Expr):
    """`@name` (keys None) or `@name[keys]`; the name is without `@` and may be empty."""

    __match_args__ = __slots__ = ("name", "keys")

    def __init__(self, name: str, keys: list[Expr] | None, span: Span = NO_SPAN) -> None:
        self.name = name
        self.keys = keys
        self.span = span


class PositionalParam(Expr):
    """`$1`, counted from 1."""

    __match_args__ = __slots__ = ("index",)

    def __init__(self, index: int, span: Span = NO_SPAN) -> None:
        self.index = index
        self.span = span


class ParamCount(Expr):
    """`$#`"""

    __match_args__ = __slots__ = ()

    def __init__(self, span: Span = NO_SPAN) -> None:
        self.span = span


class Unary(Expr):
    """op is one of `- + ! ~ * &`."""

    __match_args__ = __slots__ = ("op", "operand")

    def __init__(self, op: str, operand: Expr, span: Span = NO_SPAN) -> None:
        self.op = op
        self.operand = operand
        self.span = span


class Update(Expr):
    """`target++`, `--target`; op `++` or `--`, the target a Variable or a MapRef."""

    __match_args__ = __slots__ = ("op", "prefix", "target")

    def __init__(self, op: str, prefix: bool, target: Expr, span: Span = NO_SPAN) -> None:
        self.op = op
        self.prefix = prefix
        self.target = target
        self.span = span


class Binary(Expr):
    """op is one of `|| && | ^ & == != < <= > >= << >> + - * / %`."""

    __match_args__ = __slots__ = ("op", "left", "right")

    def __init__(self, op: str, left: Expr, right: Expr, span: Span = NO_SPAN) -> None:
        self.op = op
        self.left = left
        self.right = right
        self.span = span


class Ternary(Expr):
    """`cond ? then : orelse`; then is None for `cond ?: orelse`."""

    __match_args__ = __slots__ = ("cond", "then", "orelse")

    def __init__(self, cond: Expr, then: Expr | None, orelse: Expr, span: Span = NO_SPAN) -> None:
        self.cond = cond
        self.then = then
        self.orelse = orelse
        self.span = span


class Cast(Expr):
    __match_args__ = __slots__ = ("type", "operand")

    def __init__(self, type: TypeExpr, operand: Expr, span: Span = NO_SPAN) -> None:
        self.type = type
        self.operand = operand
        self.span = span


class FieldAccess(Expr):
    """`base.name`, or `base->name` where arrow."""

    __match_args__ = __slots__ = ("base", "name", "arrow")

    def __init__(self, base: Expr, name: str, arrow: bool, span: Span = NO_SPAN) -> None:
        self.base = base
        self.name = name
        self.arrow = arrow
        self.span = span

    @property
    def name_span(self) -> Span:
        return Span(self.span.source, self.span.end - len(self.name), self.span.end)


class TupleAccess(Expr):
    """`base.0`"""

    __match_args__ = __slots__ = ("base", "index")

    def __init__(self, base: Expr, index: int, span: Span = NO_SPAN) -> None:
        self.base = base
        self.index = index
        self.span = span


class Index(Expr):
    """`base[index]` of anything but a map."""

    __match_args__ = __slots__ = ("base", "index")

    def __init__(self, base: Expr, index: Expr, span: Span = NO_SPAN) -> None:
        self.base = base
        self.index = index
        self.span = span


class Call(Expr):
    __match_args__ = __slots__ = ("name", "args")

    def __init__(self, name: str, args: list[Expr], span: Span = NO_SPAN) -> None:
        self.name = name
        self.args = args
        self.span = span

    @property
    def name_span(self) -> Span:
        return Span(self.span.source, self.span.start, self.span.start + len(self.name))


class TupleExpr(Expr):
    """`()`, `(a,)`, `(a, b)`"""

    __match_args__ = __slots__ = ("elements",)

    def __init__(self, elements: list[Expr], span: Span = NO_SPAN) -> None:
        self.elements = elements
        self.span = span


class RecordField(Node):
    __match_args__ = __slots__ = ("name", "value")

    def __init__(self, name: str, value: Expr, span: Span = NO_SPAN) -> None:
        self.name = name
        self.value = value
        self.span = span


class RecordExpr(Expr):
    """`(name = value, …)`"""

    __match_args__ = __slots__ = ("fields",)

    def __init__(self, fields: list[RecordField], span: Span = NO_SPAN) -> None:
        self.fields = fields
        self.span = span


class Sizeof(Expr):
    """`sizeof(type)` or `sizeof(expression)`; a lone name that is no basic type is an Identifier."""

    __match_args__ = __slots__ = ("arg",)

    def __init__(self, arg: Expr | TypeExpr, span: Span = NO_SPAN) -> None:
        self.arg = arg
        self.span = span


class Offsetof(Expr):
    """`offsetof(struct x, a.b)`"""

    __match_args__ = __slots__ = ("arg", "fields")

    def __init__(self, arg: Expr | TypeExpr, fields: list[str], span: Span = NO_SPAN) -> None:
        self.arg = arg
        self.fields = fields
        self.span = span


class TypeInfo(Expr):
    """`typeinfo(…)`"""

    __match_args__ = __slots__ = ("arg",)

    def __init__(self, arg: Expr | TypeExpr, span: Span = NO_SPAN) -> None:
        self.arg = arg
        self.span = span


class Comptime(Expr):
    """`comptime operand`: to be evaluated when compiling."""

    __match_args__ = __slots__ = ("operand",)

    def __init__(self, operand: Expr, span: Span = NO_SPAN) -> None:
        self.operand = operand
        self.span = span


class BlockExpr(Expr):
    __match_args__ = __slots__ = ("block",)

    def __init__(self, block: Block, span: Span = NO_SPAN) -> None:
        self.block = block
        self.span = span


class IfExpr(Expr):
    """`if` with `else` used as a value; an `else if` is an orelse whose result is an IfExpr."""

    __match_args__ = __slots__ = ("cond", "then", "orelse")

    def __init__(self, cond: Expr, then: Block, orelse: Block, span: Span = NO_SPAN) -> None:
        self.cond = cond
        self.then = then
        self.orelse = orelse
        self.span = span


class TypeExpr(Node):
    """`tag` is `struct`, `union`, `enum`, `typeof` or empty. `dims` are the sizes of `[N]` from left to right
    (None for `[]`), those of `string[64]` too. `operand` belongs to `typeof(operand)`. `body` is a
    definition in place (C only).
    """

    __match_args__ = __slots__ = ("name", "tag", "pointers", "dims", "operand", "body")

    def __init__(
        self,
        name: str,
        tag: str = "",
        pointers: int = 0,
        dims: list[int | None] | None = None,
        operand: Expr | TypeExpr | None = None,
        body: CStruct | CEnum | None = None,
        span: Span = NO_SPAN,
    ) -> None:
        self.name = name
        self.tag = tag
        self.pointers = pointers
        self.dims = [] if dims is None else dims
        self.operand = operand
        self.body = body
        self.span = span

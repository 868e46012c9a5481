"""What is decided when compiling: questions about types, assertions."""

from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.catalog.functions.checks import literal_text
from kernscope.diagnostics import error
from kernscope.output.printf import Conversion, parse_format
from kernscope.syntax.ast import Call
from kernscope.types import BOOL, NONE, Array, Integer, Pointer, String, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]


class _IsType(Function):
    """Whether an expression's type is of some sort. The expression is not evaluated."""

    arity = (1, 1)

    def __init__(self, name: str, doc: str, test: "Callable[[Type], bool]") -> None:
        self.name, self.doc, self.test = name, doc, test
        self.usage = (f"{name}(EXPRESSION)",)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        cx.type_of(call.args[0])
        return BOOL

    def constant(self, cx: "CheckContext | LowerContext", call: Call) -> int | None:
        t = cx.type_of(call.args[0])
        return None if t is None else int(self.test(t))

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        return lo.b.const(self.constant(lo, call) or 0)


class _IsLiteral(Function):
    name = "is_literal"
    usage = ("is_literal(EXPRESSION)",)
    doc = "Whether an expression's value is known when compiling."
    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        cx.type_of(call.args[0])
        return BOOL

    def constant(self, cx: "CheckContext | LowerContext", call: Call) -> int | None:
        arg = call.args[0]
        return int(cx.constant(arg) is not None or cx.constant_string(arg) is not None)

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        return lo.b.const(self.constant(lo, call) or 0)


class _StaticAssert(Function):
    name = "static_assert"
    usage = ("static_assert(CONDITION, MESSAGE)",)
    doc = "Refuse to compile, with MESSAGE, where CONDITION is false; it must be known when compiling."
    arity = (2, 2)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        condition, message = call.args
        cx.type_of(condition)
        cx.type_of(message)
        text = literal_text(cx, call, message, "a message")
        value = cx.constant(condition)
        if value is None:
            cx.report(error("constant-needed", "this is not known when compiling", condition.span))
        elif value == 0 and text is not None:
            cx.report(error("assertion-failed", text, call.span))
        return NONE

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        return None


class _Fail(Function):
    name = "fail"
    usage = ("fail(FORMAT, CONSTANT…)",)
    doc = (
        "Refuse to compile with a message, where this is compiled at all: in the branch of an `if comptime`."
    )
    arity = (1, None)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        for arg in call.args[1:]:
            cx.type_of(arg)
        text = literal_text(cx, call, call.args[0], "a message")
        if text is None:
            return NONE
        values = iter(call.args[1:])
        shown = []
        for part in parse_format(text):
            if isinstance(part, Conversion):
                value_of = next(values, None)
                value = None if value_of is None else cx.constant_string(value_of)
                if value is None and value_of is not None:
                    number = cx.constant(value_of)
                    value = None if number is None else str(number)
                if value is None:
                    span = call.span if value_of is None else value_of.span
                    cx.report(
                        error("constant-needed", f"`{part!r}` wants a value known when compiling", span)
                    )
                    return NONE
                shown.append(value)
            else:
                shown.append(part)
        cx.report(error("assertion-failed", "".join(shown), call.span))
        return NONE

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        return None


FUNCTIONS = (
    _IsType("is_str", "Whether an expression is a string.", lambda t: isinstance(t, String)),
    _IsType("is_integer", "Whether an expression is an integer.", lambda t: isinstance(t, Integer)),
    _IsType(
        "is_unsigned_integer",
        "Whether an expression is an integer that cannot be negative by its type.",
        lambda t: isinstance(t, Integer) and not t.signed,
    ),
    _IsType("is_ptr", "Whether an expression is a pointer.", lambda t: isinstance(t, Pointer)),
    _IsType("is_array", "Whether an expression is an array.", lambda t: isinstance(t, Array)),
    _IsLiteral(),
    _StaticAssert(),
    _Fail(),
)

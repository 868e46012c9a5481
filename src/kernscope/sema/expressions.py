"""Types of expressions: one method per kind of node, found by the table at the end."""

from collections.abc import Callable

from kernscope.catalog.aggregations import AGGREGATIONS
from kernscope.catalog.builtins import BUILTINS, find_builtin
from kernscope.catalog.functions import FUNCTIONS
from kernscope.diagnostics import error, suggest, warning
from kernscope.syntax.ast import (
    Binary,
    BlockExpr,
    BoolLiteral,
    Call,
    Cast,
    Comptime,
    Expr,
    FieldAccess,
    Identifier,
    IfExpr,
    Index,
    IntLiteral,
    MapRef,
    Offsetof,
    ParamCount,
    PositionalParam,
    RecordExpr,
    Sizeof,
    StringLiteral,
    Ternary,
    TupleAccess,
    TupleExpr,
    TypeInfo,
    Unary,
    Update,
    Variable,
)
from kernscope.types import (
    BOOL,
    INT64,
    NONE,
    UINT64,
    Aggregate,
    String,
    Tuple,
    Type,
)

from .model import Inlined
from .type_questions import TypeQuestions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


__all__ = ["ExpressionChecker"]


class ExpressionChecker(TypeQuestions):
    """Infers the types of expressions; also what the catalogue's entries see (`CheckContext`)."""

    found: dict[Expr, Type | None]
    """Types found in this round: asking twice is cheap, however deep the expression."""

    def type_of(self, expr: Expr) -> Type | None:
        if expr in self.found:
            return self.found[expr]
        handler = _EXPRESSIONS.get(type(expr))
        if handler is None:
            self.not_yet(expr, "this expression")
            return None
        t = self.found[expr] = handler(self, expr)
        if t is not None:
            self.clause.types[expr] = t
        return t

    # --- leaves --------------------------------------------------------------------------------------------

    def _int(self, node: IntLiteral) -> Type:
        return UINT64 if node.value > (1 << 63) - 1 else INT64

    def _string(self, node: StringLiteral) -> Type | None:
        size = len(node.value.encode("utf-8", "surrogateescape")) + 1
        limit = self.config["max_strlen"]
        if isinstance(limit, int) and size > limit:
            self.report(error("string-too-long", f"this string has more than {limit - 1} bytes", node.span))
        return String(size)

    def _parameter(self, node: PositionalParam) -> Type:
        text = self.parameters[node.index - 1] if node.index <= len(self.parameters) else "0"
        number = self.parameter_number(node)
        if number is None:
            size = len(text.encode("utf-8", "surrogateescape")) + 1
            return String(size)
        return UINT64 if number > (1 << 63) - 1 else INT64

    def _identifier(self, node: Identifier) -> Type | None:
        if node.name == "args":
            return self.all_args(node)
        entry = find_builtin(node.name)
        if entry is not None and node.name not in self.space.enumerators:
            return entry.check(self, node)
        enumerator = self.space.enumerator(node.name)
        if enumerator is not None:
            return enumerator[0]
        candidates = [*BUILTINS, *FUNCTIONS, *AGGREGATIONS, *self.space.enumerators]
        near = suggest(node.name, candidates)
        if node.name in FUNCTIONS or node.name in AGGREGATIONS:
            help: str | None = f"`{node.name}` is a function: write `{node.name}(…)`"
        elif near is not None:
            help = f"did you mean `{near}`?"
        else:
            help = f"scratch variables begin with `$`, maps with `@`: `${node.name}`, `@{node.name}`"
        self.report(error("unknown-name", f"there is no built-in `{node.name}`", node.span, help=help))
        return None

    def _variable(self, node: Variable) -> Type | None:
        variable = self.find_variable(node.name)
        if variable is None:
            names = {name for scope in self.scopes for name in scope}
            near = suggest(node.name, names)
            self.report(
                error(
                    "undefined-variable",
                    f"`${node.name}` has no value here",
                    node.span,
                    notes="a scratch variable lives in the block that it is first assigned in",
                    help=f"`${near}` outside is another one: pass it as an argument"
                    if near == str(node.name)
                    else f"did you mean `${near}`?"
                    if near
                    else f"assign it first, or declare it: `let ${node.name};`",
                )
            )
            return None
        self.clause.variables[node] = variable
        if variable.type is None:
            # where the assignment stands later in the text, the next round does not report this
            variable.awaited = True
        if variable.type is None and not variable.assigned:
            self.report(
                error(
                    "undefined-variable",
                    f"nothing is ever assigned to `${node.name}`",
                    node.span,
                    labels=[(variable.span, "declared here")],
                    help=f"give it a value or a type: `let ${node.name}: uint64;`",
                )
            )
        return variable.type

    def _map(self, node: MapRef) -> Type | None:
        info = self.use_map(node, "read")
        if info.value is None:
            info.uses.add("early")
            if self.undefined_are_zero:
                near = suggest(node.name, [m for m in self.maps if m != node.name])
                self.report(
                    warning(
                        "undefined-map",
                        f"nothing is ever assigned to `@{node.name}`: it reads as 0",
                        node.span,
                        help=f"did you mean `@{near}`?" if near else None,
                    )
                )
                return INT64
        return info.value

    # --- parts -------------------------------------------------------------------------------------------

    def _tuple(self, node: TupleExpr) -> Type | None:
        types = [self.type_of(element) for element in node.elements]
        readable = [
            self.aggregate_number(t, e) if isinstance(t, Aggregate) else t
            for t, e in zip(types, node.elements)
        ]
        if any(t is None for t in readable):
            return None
        known = [t for t in readable if t is not None]
        if NONE in known:
            self.report(error("type-mismatch", "one of these has no value", node.span))
            return None
        return Tuple(tuple(known))

    def _comptime(self, node: Comptime) -> Type | None:
        t = self.type_of(node.operand)
        if self.constant(node.operand) is None and self.constant_string(node.operand) is None:
            self.report(error("constant-needed", "this is not known when compiling", node.operand.span))
        return t

    # --- calls ---------------------------------------------------------------------------------------------

    def _call(self, node: Call) -> Type | None:
        entry = FUNCTIONS.get(node.name)
        if entry is not None and not (entry.arity[0] > 0 and not node.args and node.name in BUILTINS):
            least, most = entry.arity
            if not least <= len(node.args) <= (len(node.args) if most is None else most):
                self._wrong_count(node, entry.usage, least, most)
                return None
            return entry.check(self, node)
        builtin = find_builtin(node.name)
        if builtin is not None and not node.args:
            return builtin.check(self, node)
        if node.name in AGGREGATIONS:
            for arg in node.args:
                self.type_of(arg)
            self.report(
                error(
                    "aggregation-needs-map",
                    f"`{node.name}()` can only be assigned to a map",
                    node.span,
                    help=f"write `@name = {node.span.text}`",
                )
            )
            return None
        for arg in node.args:
            self.type_of(arg)
        near = suggest(node.name, [*FUNCTIONS, *AGGREGATIONS, "sizeof", "offsetof"])
        self.report(
            error(
                "unknown-function",
                f"there is no function `{node.name}`",
                node.name_span,
                help=f"did you mean `{near}()`?" if near else None,
            )
        )
        return None

    def _wrong_count(self, node: Call, usage: tuple[str, ...], least: int, most: int | None) -> None:
        for arg in node.args:
            self.type_of(arg)
        wanted = (
            f"at least {least}" if most is None else f"{least}" if least == most else f"{least} to {most}"
        )
        plural = "" if wanted == "1" else "s"
        self.report(
            error(
                "wrong-arguments",
                f"`{node.name}()` takes {wanted} argument{plural}, {len(node.args)} given",
                node.span,
                help=f"write {' or '.join(f'`{u}`' for u in usage)}",
            )
        )


_EXPRESSIONS: "dict[type, Callable[[Any, Any], Type | None]]" = {
    IntLiteral: ExpressionChecker._int,
    StringLiteral: ExpressionChecker._string,
    BoolLiteral: lambda self, node: BOOL,
    PositionalParam: ExpressionChecker._parameter,
    ParamCount: lambda self, node: INT64,
    Identifier: ExpressionChecker._identifier,
    Variable: ExpressionChecker._variable,
    MapRef: ExpressionChecker._map,
    Unary: ExpressionChecker._unary,
    Binary: ExpressionChecker._binary,
    Update: ExpressionChecker._update,
    Ternary: ExpressionChecker._ternary,
    IfExpr: ExpressionChecker._if_expr,
    BlockExpr: ExpressionChecker._block_expr,
    Inlined: ExpressionChecker._inlined,
    Cast: ExpressionChecker._cast,
    FieldAccess: ExpressionChecker._field,
    TupleAccess: ExpressionChecker._tuple_access,
    Index: ExpressionChecker._index,
    TupleExpr: ExpressionChecker._tuple,
    Sizeof: ExpressionChecker._sizeof,
    Offsetof: ExpressionChecker._offsetof,
    TypeInfo: ExpressionChecker._typeinfo,
    RecordExpr: ExpressionChecker._record,
    Comptime: ExpressionChecker._comptime,
    Call: ExpressionChecker._call,
}

"""Types of operators, and of the statements that are operators: `++`, `op=`."""

from kernscope.catalog.aggregations import AGGREGATIONS
from kernscope.diagnostics import error, warning
from kernscope.syntax.ast import (
    Assign,
    Binary,
    Block,
    BlockExpr,
    Comptime,
    Expr,
    If,
    IfExpr,
    MapRef,
    Node,
    Ternary,
    Unary,
    Update,
    Variable,
)
from kernscope.types import (
    BOOL,
    INT64,
    UINT64,
    Aggregate,
    Array,
    Bool,
    Integer,
    Pointer,
    String,
    Struct,
    Symbolic,
    Tuple,
    Type,
)

from .documented import DocumentedTypes
from .model import Inlined, MapInfo
from .model import Variable as VariableInfo
from .rules import arithmetic, is_number, join, stored

__all__ = ["Operators"]

_COMPARISON = frozenset(["==", "!=", "<", "<=", ">", ">="])


class Operators(DocumentedTypes):
    """Infers the types of operators' results."""

    # --- operators -----------------------------------------------------------------------------------------

    def _unary(self, node: Unary) -> Type | None:
        if node.op in "*&":
            return self._dereference(node) if node.op == "*" else self._address(node)
        if node.op == "!":
            self.condition(node.operand)
            return BOOL
        t = self.number(node.operand)
        if t is None:
            return None
        constant = self.constant(node)
        if constant is not None:
            return UINT64 if constant > (1 << 63) - 1 else INT64
        return UINT64 if not t.signed and (node.op == "~" or t == UINT64) else INT64

    def _dereference(self, node: Unary) -> Type | None:
        raise NotImplementedError

    def _address(self, node: Unary) -> Type | None:
        raise NotImplementedError

    def _binary(self, node: Binary) -> Type | None:
        if node.op in ("&&", "||"):
            self.condition(node.left)
            self.condition(node.right)
            return BOOL
        if node.op in _COMPARISON:
            self._compare(node)
            return BOOL
        text = self.constant_string(node)
        if text is not None:
            return String(len(text.encode("utf-8", "surrogateescape")) + 1)
        return self.operation(node.op, node.left, node.right, node)

    def operation(self, op: str, left: Expr, right: Expr, node: Node) -> Type | None:
        """The type of `left op right` for an arithmetic operator."""
        a = self.type_of(left)
        if isinstance(a, Pointer) and op in ("+", "-"):
            self.number(right)
            return a
        if op == "+" and a is not None:
            b: Type | None = self.type_of(right)
            if isinstance(b, Pointer):
                self.number(left)
                return b
        a = self.number(left)
        b = self.number(right)
        if a is None or b is None:
            return None
        x, y = self.constant(left), self.constant(right)
        if op in ("/", "%") and y == 0:
            self.report(error("division-by-zero", "this divides by zero", right.span))
            return None
        if isinstance(node, Binary):
            folded = self.constant(node)
            if folded is not None:
                return UINT64 if folded > (1 << 63) - 1 else INT64
        if op in ("<<", ">>"):
            return INT64 if a.signed and (x is None or x < 0) else UINT64 if x is None else INT64
        meet = arithmetic(a, b, x, y)
        return INT64 if op == "-" else meet

    def _compare(self, node: Binary) -> None:
        a, b = self.type_of(node.left), self.type_of(node.right)
        if a is None or b is None:
            return
        a = self.aggregate_number(a, node.left) if isinstance(a, Aggregate) else a
        b = self.aggregate_number(b, node.right) if isinstance(b, Aggregate) else b
        if a is None or b is None:
            return
        if isinstance(a, Integer | Bool | Pointer) and isinstance(b, Integer | Bool | Pointer):
            self._compare_signs(node, a, b)
            return
        equality = node.op in ("==", "!=")
        if equality and (
            (isinstance(a, String) and isinstance(b, String))
            or (isinstance(a, Tuple) and join(a, b) is not None)
            or (isinstance(a, Symbolic | Array | Struct) and a == b)
        ):
            return
        if equality and self._probe_with_text(node, a, b):
            return
        self.report(
            error(
                "type-mismatch",
                f"`{a}` and `{b}` cannot be compared with `{node.op}`",
                node.span,
                labels=[(node.left.span, f"`{a}`"), (node.right.span, f"`{b}`")],
            )
        )

    def _compare_signs(self, node: Binary, a: Type, b: Type) -> None:
        """Warn where a number that may be too large for a signed one meets one that may be negative."""
        for t, other, side in ((a, b, node.left), (b, a, node.right)):
            against = node.right if side is node.left else node.left
            if t == UINT64 and isinstance(other, Integer) and other.signed and self.constant(side) is None:
                constant = self.constant(against)
                # maps and variables take 64 signed bits for any number, so their type says little
                if isinstance(against, MapRef | Variable) or (constant is not None and constant >= 0):
                    continue
                self.report(
                    warning(
                        "sign-mismatch",
                        f"an unsigned number is compared with one that can be negative (`{other}`)",
                        node.span,
                        help=f"cast one side: `(int64){side.span.text}`",
                    )
                )
        if isinstance(a, Pointer) and isinstance(b, Pointer) and join(a, b) is None:
            self.report(
                warning(
                    "pointer-mismatch",
                    f"pointers to different types are compared: `{a}` and `{b}`",
                    node.span,
                )
            )

    def _probe_with_text(self, node: Binary, a: Type, b: Type) -> bool:
        """`probe == "tracepoint:…"`: names are compared by number."""
        for t, other in ((a, node.right), (b, node.left)):
            if isinstance(t, Symbolic) and t.kind == "probe":
                text = self.constant_string(other)
                if text is not None:
                    self.keep(node, text)
                    return True
        return False

    def compound(self, node: Assign, target: Variable | MapRef) -> None:
        """`target op= value`, of a target that must have a value already (maps start at 0)."""
        assert node.op is not None
        if isinstance(target, MapRef):
            value_type = self.number(node.value)
            info = self.use_map(target, "write")
            if info.value is None and value_type is not None:
                self.widen_map(info, stored(value_type), node.value)
            self.document_map(info, INT64)
            self._must_be_plain(info, target)
            if info.value is not None:
                self.clause.types[target] = info.value
            return
        t = self.operation(node.op, target, node.value, node)
        variable = self.find_variable(target.name)
        if t is not None and variable is not None and variable.declared is None:
            self._widen_number(variable, t)

    def _widen_number(self, variable: VariableInfo, t: Type) -> None:
        """Make room in a variable without a declared type for what arithmetic gives it."""
        joined = join(variable.type, t) if variable.type is not None else t
        if joined is not None and joined != variable.type:
            variable.type = joined
            self.changed = True
        self.document(variable, joined)

    def _must_be_plain(self, info: MapInfo, node: Expr) -> None:
        if isinstance(info.value, Aggregate):
            self.report(
                error(
                    "type-mismatch",
                    f"`@{info.name}` is made by `{info.value.kind}()`, which alone may change it",
                    node.span,
                )
            )
        elif info.value is not None and not is_number(info.value):
            self.report(
                error(
                    "type-mismatch", f"a number is needed here, `@{info.name}` is `{info.value}`", node.span
                )
            )

    def _update(self, node: Update) -> Type | None:
        target = node.target
        if isinstance(target, MapRef):
            info = self.use_map(target, "write")
            self.document_map(info, INT64)
            if info.value is None:
                self.widen_map(info, INT64, target)
            self._must_be_plain(info, target)
            if info.value is not None:
                self.clause.types[target] = info.value
            return info.value if not isinstance(info.value, Aggregate) else None
        if isinstance(target, Variable):
            pointer = self.type_of(target)
            if isinstance(pointer, Pointer):
                return pointer
            t = self.number(target)
            variable = self.clause.variables.get(target)
            if t is not None and variable is not None and variable.declared is None:
                self._widen_number(variable, stored(t))
            return t
        self.type_of(target)
        self.report(error("wrong-arguments", f"`{node.op}` wants a variable or a map", node.span))
        return None

    def _ternary(self, node: Ternary) -> Type | None:
        self.condition(node.cond)
        then = self.type_of(node.then if node.then is not None else node.cond)
        orelse = self.type_of(node.orelse)
        return self._meet(node, then, orelse)

    def _meet(self, node: Expr, then: Type | None, orelse: Type | None) -> Type | None:
        if then is None or orelse is None:
            return None
        a, b = (
            t.number if isinstance(t, Aggregate) and AGGREGATIONS[t.kind].scalar else t
            for t in (then, orelse)
        )
        joined = join(a, b)
        if joined is None:
            self.report(error("type-mismatch", f"one side is `{then}`, the other `{orelse}`", node.span))
        return joined

    def _if_expr(self, node: IfExpr) -> Type | None:
        self.condition(node.cond)
        chosen = self.chosen(node)
        if chosen is not None:
            return self.block(node.then if chosen else node.orelse)
        return self._meet(node, self.block(node.then), self.block(node.orelse))

    def chosen(self, node: If | IfExpr) -> bool | None:
        """Which side of an `if comptime` is taken: the other one is not compiled, and may be wrong. None: both."""
        value = self.constant(node.cond) if isinstance(node.cond, Comptime) else None
        if value is None:
            return None
        self.clause.kept[node] = bool(value)
        return bool(value)

    def block(self, block: Block) -> Type | None:
        raise NotImplementedError

    def _block_expr(self, node: BlockExpr) -> Type | None:
        return self.block(node.block)

    def _inlined(self, node: Inlined) -> Type | None:
        """A function's body: `break` and `continue` in it belong to its own loops."""
        outer, self.loops = self.loops, 0
        t = self.block(node.block)
        self.loops = outer
        return t

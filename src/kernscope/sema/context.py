"""What the checks of one clause share: scopes, findings, and what the catalogue's entries ask for."""

from collections.abc import Sequence

from kernscope.catalog.aggregations import AGGREGATIONS
from kernscope.catalog.builtins import find_builtin
from kernscope.diagnostics import Diagnostic, ExpandedSpan, error
from kernscope.probes import Target
from kernscope.syntax.ast import Assign, Expr, FieldAccess, Identifier, Node, RecordExpr, TypeExpr
from kernscope.types import (
    UINT64,
    Aggregate,
    Bool,
    Integer,
    Pointer,
    String,
    Struct,
    Type,
)

from .constants import ConstantReader
from .model import Clause, MapInfo
from .model import Variable as VariableInfo
from .type_space import TypeSpace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts

__all__ = ["ClauseContext"]


class ClauseContext(ConstantReader):
    """The state of checking, and small questions about expressions; the base of all checks."""

    clause: Clause

    def __init__(
        self, kernel: "KernelFacts", parameters: Sequence[str], config: dict[str, int | str | bool]
    ) -> None:
        self.kernel, self.parameters, self.config = kernel, parameters, config
        self.maps: dict[str, MapInfo] = {}
        self.diagnostics: list[Diagnostic] = []
        self.reported: set[tuple[str, int, int]] = set()
        self.scopes: list[dict[str, VariableInfo]] = []
        self.changed = False
        self.undefined_are_zero = False
        """Set for the last rounds: what still has no value then never gets one."""
        self.loops = 0
        self.map_loops = 0
        self.space = TypeSpace(kernel, self.report)
        self.enumerators = self.space.enumerators

    # --- what entries of the catalogue ask -----------------------------------------------------------------

    @property
    def targets(self) -> Sequence[Target]:
        return self.clause.targets

    @property
    def args(self) -> Struct | None:
        if self.clause.args is None and self.clause.targets:
            first = self.clause.targets[0]
            return first.kind.args(self.kernel, first)
        return self.clause.args

    def report(self, diagnostic: Diagnostic) -> None:
        """Add a finding; the same one about another target or another round is left out."""
        span = diagnostic.span
        key = (diagnostic.code, span.start if span else -1, span.end if span else -1)
        if key not in self.reported:
            self.reported.add(key)
            while isinstance(span, ExpandedSpan):
                span = span.origin
                diagnostic.labels.append((span, "expanded here"))
            self.diagnostics.append(diagnostic)

    def named_type(self, name: str) -> Type | None:
        return self.space.named(name)

    def offset_of(self, struct: Struct, path: Sequence[str]) -> int | None:
        offset = 0
        holder: Type | None = struct
        for name in path:
            complete = self.space.completed(holder) if isinstance(holder, Struct) else None
            field = complete.member(name) if complete is not None else None
            if field is None:
                return None
            offset, holder = offset + field.offset, field.type
        return offset

    def not_yet(self, node: Node, what: str) -> None:
        """Report a part of the language that parses but has no meaning here yet."""
        self.report(error("not-yet", f"{what} cannot be compiled yet", node.span))

    def assign(self, node: Assign) -> None:
        """Check an assignment."""
        raise NotImplementedError

    def map_value(self, name: str) -> Type | None:
        """What a map holds, as far as that is known now."""
        info = self.maps.get(name)
        return info.value if info is not None else None

    def begins_known(self, expr: Expr) -> bool:
        if not isinstance(expr, FieldAccess):
            return False
        root: Expr = expr
        while isinstance(root, FieldAccess):
            root = root.base
        if not isinstance(root, Identifier):
            return False
        builtin = find_builtin(root.name)
        return builtin.is_context if builtin is not None else root.name == "args"

    def keep(self, node: Expr, what: object) -> None:
        self.clause.kept[node] = what

    def type_of(self, expr: Expr) -> Type | None:
        """Infer an expression's type; None where it is wrong (reported) or not known yet."""
        raise NotImplementedError

    # --- helpers -------------------------------------------------------------------------------------------

    def find_variable(self, name: str) -> VariableInfo | None:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return None

    def number(self, expr: Expr) -> Integer | None:
        """The type of an expression that must be a number."""
        t = self.type_of(expr)
        if isinstance(t, Aggregate):
            return self.aggregate_number(t, expr)
        if isinstance(t, Integer):
            return t
        if isinstance(t, Bool):
            return UINT64
        if t is not None:
            self.report(error("type-mismatch", f"a number is needed here, this is `{t}`", expr.span))
        return None

    def condition(self, expr: Expr) -> None:
        """An expression that is asked whether it is true: anything that can be compared with 0."""
        if isinstance(expr, RecordExpr) and len(expr.fields) == 1:
            field = expr.fields[0]
            self.report(
                error(
                    "assignment-as-condition",
                    f"`{expr.span.text}` assigns nothing and compares nothing",
                    expr.span,
                    help=f"to compare, write `{field.name} == {field.value.span.text}`",
                )
            )
            return
        t = self.type_of(expr)
        if isinstance(t, Aggregate):
            self.aggregate_number(t, expr)
        elif t is not None and not isinstance(t, Integer | Bool | Pointer):
            self.report(
                error(
                    "type-mismatch",
                    f"a condition is needed here, this is `{t}`",
                    expr.span,
                    help='compare it, for instance `… != ""`' if isinstance(t, String) else None,
                )
            )

    def aggregate_number(self, t: Aggregate, expr: Expr) -> Integer | None:
        """The type of an aggregation's number, where it has one."""
        if AGGREGATIONS[t.kind].scalar:
            return t.number
        self.report(error("type-mismatch", f"a `{t.kind}()` map has no single number to use here", expr.span))
        return None

    def resolve_type(self, node: TypeExpr) -> Type | None:
        """The type that a declaration, a cast or `sizeof` names."""
        return self.space.resolve(node, self.type_of)

"""Types of expressions: one method per kind of node, found by the table at the end."""

from collections.abc import Callable, Sequence

from kernscope.catalog.aggregations import AGGREGATIONS
from kernscope.catalog.builtins import BUILTINS, find_builtin
from kernscope.catalog.functions import FUNCTIONS, PLANNED
from kernscope.diagnostics import Diagnostic, error, suggest, warning
from kernscope.probes import Target
from kernscope.syntax.ast import (
    Assign,
    Binary,
    Block,
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
    Node,
    ParamCount,
    PositionalParam,
    Sizeof,
    StringLiteral,
    Ternary,
    TupleAccess,
    TupleExpr,
    TypeExpr,
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

from .constants import ConstantReader
from .model import Clause, MapInfo
from .model import Variable as VariableInfo
from .rules import arithmetic, is_number, join, stored
from .typenames import named_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kernscope.kernel.interface import KernelFacts

__all__ = ["ExpressionChecker"]

_ARITHMETIC = frozenset(["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"])
_COMPARISON = frozenset(["==", "!=", "<", "<=", ">", ">="])


class ExpressionChecker(ConstantReader):
    """Infers the types of expressions; also what the catalogue's entries see (`CheckContext`)."""

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
            self.diagnostics.append(diagnostic)

    def not_yet(self, node: Node, what: str) -> None:
        """Report a part of the language that parses but has no meaning here yet."""
        self.report(error("not-yet", f"{what} cannot be compiled yet", node.span))

    def keep(self, node: Expr, what: object) -> None:
        self.clause.kept[node] = what

    def type_of(self, expr: Expr) -> Type | None:
        handler = _EXPRESSIONS.get(type(expr))
        if handler is None:
            self.not_yet(expr, _WORDS.get(type(expr).__name__, "this expression"))
            return None
        t = handler(self, expr)
        if t is not None:
            self.clause.types[expr] = t
        return t

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
            return INT64 if t.signed else UINT64
        self.report(error("type-mismatch", f"a `{t.kind}()` map has no single number to use here", expr.span))
        return None

    def resolve_type(self, node: TypeExpr) -> Type | None:
        """The type that a declaration, a cast or `sizeof` names."""
        t = named_type(node)
        if t is None:
            self.not_yet(node, f"the type `{node.span.text}`")
        return t

    # --- maps ----------------------------------------------------------------------------------------------

    def use_map(self, ref: MapRef, how: str) -> MapInfo:
        info = self.maps.setdefault(ref.name, MapInfo(ref.name, ref.span))
        info.uses.add(how)
        if how in ("write", "delete"):
            info.clauses.add(id(self.clause))
        if ref.keys is None:
            if how in ("read", "write") or (how == "delete"):
                self._set_keyed(info, False, ref)
        else:
            types = [self.type_of(key) for key in ref.keys]
            if self._set_keyed(info, True, ref) and all(t is not None for t in types):
                known = [t for t in types if t is not None]
                self._widen_key(info, stored(known[0] if len(known) == 1 else Tuple(tuple(known))), ref)
        return info

    def _set_keyed(self, info: MapInfo, keyed: bool, ref: MapRef) -> bool:
        if info.keyed is None:
            info.keyed = keyed
        elif info.keyed != keyed:
            has, uses = ("keys", "without a key") if info.keyed else ("no keys", "with a key")
            self.report(
                error(
                    "map-key-mismatch",
                    f"`@{info.name}` has {has}, but is used {uses} here",
                    ref.span,
                    labels=[(info.key_span, "first used here")] if info.key_span != ref.span else [],
                )
            )
            return False
        return True

    def _widen_key(self, info: MapInfo, t: Type, ref: MapRef) -> None:
        unusable = isinstance(t, Aggregate) or t == NONE
        joined = None if unusable else t if info.key is None else join(info.key, t)
        if joined is None:
            self.report(
                error(
                    "map-key-mismatch",
                    f"the key of `@{info.name}` is `{info.key}`, this is `{t}`"
                    if info.key is not None
                    else f"`{t}` cannot be a key",
                    ref.span,
                    labels=[(info.key_span, f"`{info.key}` since here")] if info.key is not None else [],
                )
            )
        elif joined != info.key:
            if info.key is not None:
                self.changed = True
            else:
                info.key_span = ref.span
            info.key = stored(joined)

    def widen_map(self, info: MapInfo, t: Type, value: Expr) -> None:
        """Record that a map gets values of type `t`."""
        if info.value is None:
            info.value = t
            info.value_span = value.span
            if "early" in info.uses:
                self.changed = True
            return
        joined = info.value if info.value == t else join(info.value, t)
        if isinstance(t, Aggregate) and isinstance(info.value, Aggregate) and joined is None:
            joined = self._join_aggregates(info.value, t)
        if joined is None or isinstance(t, Aggregate) != isinstance(info.value, Aggregate):
            self.report(
                error(
                    "type-mismatch",
                    f"`@{info.name}` holds `{_describe(info.value)}`, this is `{_describe(t)}`",
                    value.span,
                    labels=[(info.value_span, f"`{_describe(info.value)}` since here")],
                    help="use another map",
                )
            )
        elif joined != info.value:
            info.value = stored(joined)
            self.changed = True

    @staticmethod
    def _join_aggregates(a: Aggregate, b: Aggregate) -> Type | None:
        if a.kind == b.kind and a.params == b.params:
            return AGGREGATIONS[a.kind].type(a.params, True)
        return None

    def aggregate(self, call: Call) -> Aggregate | None:
        """The type that `@x = count()` and the like give the map."""
        entry = AGGREGATIONS[call.name]
        signed = True
        for arg in call.args[: entry.value_args]:
            t = self.number(arg)
            constant = self.constant(arg)
            signed = t is None or t.signed or (constant is not None and constant < 1 << 63)
        wrong = entry.arguments_error(len(call.args))
        if wrong is not None:
            self.report(error("wrong-arguments", wrong, call.span, help=f"write `{entry.signature}`"))
            return None
        given = []
        for arg in call.args[entry.value_args :]:
            self.type_of(arg)
            constant = self.constant(arg)
            if constant is None:
                self.report(
                    error("constant-needed", f"`{call.name}()` wants a number known when compiling", arg.span)
                )
                return None
            given.append(constant)
        params = entry.complete(tuple(given))
        wrong = entry.check(params)
        if wrong is not None:
            self.report(error("wrong-arguments", wrong, call.span))
            return None
        return entry.type(params, signed)

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
            self.report(
                error(
                    "args-alone",
                    "`args` is not a value by itself",
                    node.span,
                    help="name one of its members: "
                    + ", ".join(f"`args.{name}`" for name in (self.args.fields if self.args else {})),
                )
            )
            return None
        entry = find_builtin(node.name)
        if entry is not None:
            return entry.check(self, node)
        if node.name in PLANNED:
            self.not_yet(node, f"`{node.name}`")
            return None
        candidates = [*BUILTINS, *FUNCTIONS, *AGGREGATIONS]
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
                    help=f"did you mean `${near}`?"
                    if near
                    else f"assign it first, or declare it: `let ${node.name};`",
                )
            )
            return None
        self.clause.variables[node] = variable
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

    # --- operators -----------------------------------------------------------------------------------------

    def _unary(self, node: Unary) -> Type | None:
        if node.op in "*&":
            self.type_of(node.operand)
            self.not_yet(node, "following a pointer" if node.op == "*" else "taking an address")
            return None
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

    def _binary(self, node: Binary) -> Type | None:
        if node.op in ("&&", "||"):
            self.condition(node.left)
            self.condition(node.right)
            return BOOL
        if node.op in _COMPARISON:
            self._compare(node)
            return BOOL
        return self.operation(node.op, node.left, node.right, node)

    def operation(self, op: str, left: Expr, right: Expr, node: Node) -> Type | None:
        """The type of `left op right` for an arithmetic operator."""
        a = self.type_of(left)
        if isinstance(a, Pointer) and op in ("+", "-"):
            self.number(right)
            return a
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
            return
        equality = node.op in ("==", "!=")
        if equality and (
            (isinstance(a, String) and isinstance(b, String))
            or (isinstance(a, Tuple) and join(a, b) is not None)
            or (isinstance(a, Symbolic) and a == b)
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
            if info.value is None:
                self.widen_map(info, INT64, target)
            self._must_be_plain(info, target)
            if info.value is not None:
                self.clause.types[target] = info.value
            return info.value if not isinstance(info.value, Aggregate) else None
        if isinstance(target, Variable):
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
            INT64 if isinstance(t, Aggregate) and AGGREGATIONS[t.kind].scalar else t for t in (then, orelse)
        )
        joined = join(a, b)
        if joined is None:
            self.report(error("type-mismatch", f"one side is `{then}`, the other `{orelse}`", node.span))
        return joined

    def _if_expr(self, node: IfExpr) -> Type | None:
        self.condition(node.cond)
        return self._meet(node, self.block(node.then), self.block(node.orelse))

    def block(self, block: Block) -> Type | None:
        raise NotImplementedError

    def _block_expr(self, node: BlockExpr) -> Type | None:
        return self.block(node.block)

    def _cast(self, node: Cast) -> Type | None:
        wanted = self.resolve_type(node.type)
        t = self.type_of(node.operand)
        if wanted is None or t is None:
            return wanted
        if isinstance(t, Aggregate):
            t = self.aggregate_number(t, node.operand)
        if isinstance(wanted, Integer | Bool) and isinstance(t, Integer | Bool | Pointer):
            return wanted
        if t is not None:
            self.report(error("type-mismatch", f"`{t}` cannot be cast to `{wanted}`", node.span))
        return wanted

    # --- parts ---------------------------------------------------------------------------------------------

    def _field(self, node: FieldAccess) -> Type | None:
        base = node.base
        if not (isinstance(base, Identifier) and base.name == "args"):
            t = self.type_of(base)
            if t is not None:
                self.not_yet(node, "reading the members of kernel structures")
            return None
        args = self.args
        if args is None:
            self.report(
                error("not-available-here", f"`{self.clause.targets[0].name}` has no `args`", base.span)
            )
            return None
        field = args.fields.get(node.name)
        if field is not None:
            return field.type
        self._unknown_field(node, args)
        return None

    def _unknown_field(self, node: FieldAccess, args: Struct) -> None:
        name = self.clause.targets[0].name
        near = suggest(node.name, args.fields)
        fields = ", ".join(f"`{f.name}` ({f.type_text})" for f in args.fields.values())
        if "sys_exit" in name and "ret" in args.fields:
            enter = name.replace("sys_exit", "sys_enter")
            help: str | None = (
                f"the result of the system call is `args.ret`; its arguments are seen by `{enter}`"
            )
        else:
            help = f"did you mean `args.{near}`?" if near else None
        self.report(
            error(
                "unknown-field",
                f"`{name}` has no field `{node.name}`",
                node.name_span,
                label="not one of its fields",
                notes=f"its fields are: {fields}" if fields else "it has no fields",
                help=help,
            )
        )

    def _tuple_access(self, node: TupleAccess) -> Type | None:
        t = self.type_of(node.base)
        if t is None:
            return None
        if not isinstance(t, Tuple):
            self.report(error("type-mismatch", f"`.{node.index}` wants a tuple, this is `{t}`", node.span))
            return None
        if node.index >= len(t.elements):
            self.report(
                error(
                    "no-such-element",
                    f"this tuple has {len(t.elements)} elements, the first is `.0`",
                    node.span,
                )
            )
            return None
        return t.elements[node.index]

    def _index(self, node: Index) -> Type | None:
        t = self.type_of(node.base)
        self.number(node.index)
        if t is None:
            return None
        if isinstance(t, Array):
            constant = self.constant(node.index)
            if constant is not None and not 0 <= constant < t.count:
                self.report(
                    error(
                        "no-such-element", f"the array has {t.count} elements, the first is `[0]`", node.span
                    )
                )
                return None
            return t.element
        self.not_yet(node, f"`[…]` on `{t}`")
        return None

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

    def _sizeof(self, node: Sizeof) -> Type | None:
        t = self.resolve_type(node.arg) if isinstance(node.arg, TypeExpr) else self.type_of(node.arg)
        if t is not None:
            self.keep(node, t.size)
        return UINT64

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
        if node.name in PLANNED:
            self.not_yet(node, f"`{node.name}()`")
            return None
        near = suggest(node.name, [*FUNCTIONS, *AGGREGATIONS, *PLANNED])
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


def _describe(t: Type | None) -> str:
    return f"{t.kind}()" if isinstance(t, Aggregate) else str(t)


_WORDS = {"RecordExpr": "a record", "Offsetof": "`offsetof`", "TypeInfo": "`typeinfo`"}

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
    Cast: ExpressionChecker._cast,
    FieldAccess: ExpressionChecker._field,
    TupleAccess: ExpressionChecker._tuple_access,
    Index: ExpressionChecker._index,
    TupleExpr: ExpressionChecker._tuple,
    Sizeof: ExpressionChecker._sizeof,
    Comptime: ExpressionChecker._comptime,
    Call: ExpressionChecker._call,
}

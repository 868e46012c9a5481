"""The walk over a program: scopes, statements, targets; expressions are in `kernscope.sema.expressions`.

Types of maps and variables depend on uses that may stand later in the text, so the whole program is checked
again until no type changes; only what the last round reports counts.
"""

from collections.abc import Callable, Sequence

from kernscope import probes
from kernscope.catalog.aggregations import AGGREGATIONS
from kernscope.catalog.base import Builtin
from kernscope.catalog.builtins import find_builtin
from kernscope.catalog.functions import FUNCTIONS
from kernscope.diagnostics import Diagnostic, error
from kernscope.probes import Target
from kernscope.syntax.ast import (
    Assign,
    AttachPoint,
    Block,
    Break,
    Call,
    Continue,
    Discard,
    Expr,
    ExprStatement,
    FieldAccess,
    ForEach,
    ForRange,
    Identifier,
    If,
    Import,
    IntLiteral,
    Let,
    MapRef,
    Node,
    Probe,
    Program,
    Return,
    Statement,
    Unroll,
    Variable,
    While,
    walk,
)
from kernscope.types import NONE, Aggregate, Struct, Tuple, Type

from .expressions import ExpressionChecker
from .model import Clause, MapInfo
from .model import Variable as VariableInfo
from .rules import join, stored
from .typenames import is_sized_by_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kernscope.kernel.interface import KernelFacts

__all__ = ["Checker"]

_OF_PROBES = ("not-available-here", "no-verdict")
"""What a kind of probe lacks matters in a function only where it is called."""

_MOST_ROUNDS = 30
"""Types only ever widen, and each can widen only a few times; more rounds mean a defect here."""

UNROLL_LIMIT = 100
"""Largest count of `unroll`, as in bpftrace."""

UNROLLED_LIMIT = 10_000
"""Copies of a statement that `unroll`s within each other may make."""

MAP_KINDS = ("hash", "lruhash", "percpuhash", "percpulruhash")
"""What a map may be declared as; the `lru` ones drop what was used least recently where they are full."""

ENTRIES_LIMIT = (1 << 32) - 1
"""`max_entries` of `union bpf_attr` has 32 bits."""

MAP_LOOPS_LIMIT = 7
"""Loops over maps within each other: each is a function, and the kernel takes 8 at once (MAX_CALL_FRAMES)."""


class Checker(ExpressionChecker):
    """Checks one program. `clauses` and `maps` are the result, `diagnostics` what was found."""

    def __init__(
        self,
        program: Program,
        kernel: "KernelFacts",
        parameters: Sequence[str],
        config: dict[str, int | str | bool],
    ) -> None:
        super().__init__(kernel, parameters, config)
        self.program = program
        self.clauses: list[Clause] = []
        self.target_count = 0
        self._target_errors: list[Diagnostic] = []
        self._unused: list[Clause] = []  # bodies of functions that nothing calls, checked like actions

    # --- targets -----------------------------------------------------------------------------------------

    def expand_targets(self) -> None:
        """Make the clauses: each action, once for each way its targets' `args` look."""
        for index, probe in enumerate(self.program.probes):
            targets: list[Target] = []
            unmatched: list[Diagnostic] = []
            for written in probe.attach_points:
                known = len(self._target_errors)
                targets += self._expand(self._with_parameters(written))
                found = self._target_errors[known:]
                if "*" in written.text and all(finding.code == "unknown-probe" for finding in found):
                    unmatched += found  # a pattern may match nothing, as long as another target is there
                    del self._target_errors[known:]
            if not targets:
                self._target_errors += unmatched
            self.target_count += len(targets)
            self._split(probe, index, targets)
        wrong = any(finding.severity == "error" for finding in self._target_errors)
        if not self.target_count and self.program.probes and not wrong:
            place = self.program.probes[0].attach_points[0].span
            self._target_errors.append(error("no-probes", "none of the program's probes exists here", place))
        limit = self.config["max_probes"]
        if isinstance(limit, int) and self.target_count > limit:
            self._target_errors.append(
                error(
                    "too-many-probes",
                    f"the program has {self.target_count} probes, more than {limit}",
                    self.program.probes[0].attach_points[0].span,
                    help="name fewer events, or raise `max_probes` in a config block",
                )
            )

    def _expand(self, point: AttachPoint) -> list[Target]:
        """The targets of one attach point; whether missing ones matter is a setting."""
        findings: list[Diagnostic] = []
        targets = probes.expand(point, self.kernel, findings.append)
        if self.config.get("unsafe"):
            findings = [f for f in findings if f.code != "inside-instruction"]
        choice = self.config["missing_probes"]
        if choice != "error" and probes.kind_named(point.provider) is not None:
            missing = [f for f in findings if f.code == "unknown-probe"]
            findings = [f for f in findings if f.code != "unknown-probe"]
            if choice == "warn":
                for finding in missing:
                    finding.severity = "warning"
                findings += missing
        self._target_errors += findings
        return targets

    def _with_parameters(self, point: AttachPoint) -> AttachPoint:
        """The attach point with `$1` and the like replaced by the program's parameters."""
        if "$" not in point.text:
            return point

        def value(part: str) -> str:
            index = part[1:]
            if not (part.startswith("$") and index.isdecimal()):
                return part
            return self.parameters[int(index) - 1] if 0 < int(index) <= len(self.parameters) else "0"

        args = [value(part) for part in point.args]
        text = ":".join([point.provider, *args])
        copy = AttachPoint(point.provider, args, text, point.label, point.span)
        copy.process, copy.files_of, copy.copies_of = point.process, point.files_of, point.copies_of
        return copy

    def _split(self, probe: Probe, index: int, targets: list[Target]) -> None:
        used, whole = _used_args(probe)
        by_target: set[Builtin] = set()
        needs_probe = needs_registers = False
        for node in walk(probe):
            if isinstance(node, Identifier | Call):
                builtin = find_builtin(node.name)
                entry = builtin or (FUNCTIONS.get(node.name) if isinstance(node, Call) else None)
                needs_probe |= entry is not None and entry.needs_probe(targets)
                needs_registers |= entry is not None and entry.needs_registers
                if builtin is not None and builtin.by_target:
                    by_target.add(builtin)
        targets = [
            t.kind.refine(t, self.kernel, needs_args=bool(used) or whole, needs_registers=needs_registers)
            for t in targets
        ]
        if not used and not whole and not by_target:
            if targets:
                clause = Clause(probe, index, targets, None)
                clause.needs_probe = needs_probe
                self.clauses.append(clause)
            return
        groups: dict[object, tuple[Struct | None, list[Target]]] = {}
        for target in targets:
            args = target.kind.args(self.kernel, target) if used or whole else None
            fields = args.fields if args is not None else {}
            signature = (
                *(
                    (name, f.offset, f.type, f.data_loc) if (f := fields.get(name)) else (name,)
                    for name in (fields if whole else sorted(used))
                ),
                *(builtin.type_for(self.kernel, target) for builtin in by_target),
            )
            groups.setdefault((target.kind, signature), (args, []))[1].append(target)
        for args, members in groups.values():
            clause = Clause(probe, index, members, args)
            clause.needs_args, clause.needs_probe = bool(used) or whole, needs_probe
            self.clauses.append(clause)

    # --- rounds ------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Check all clauses until their types stand still."""
        self.expand_targets()
        self.space.define(self.program.c_definitions)
        self._target_errors += self.diagnostics
        self._declare_maps()
        if self.clauses:
            targets = self.clauses[0].targets
            for f in self.program.subprogs:
                self._unused.append(Clause(Probe([], None, f.body, f.span), -1, targets, None))
        self._check_until_stable()
        if any("early" in info.uses and info.value is None for info in self.maps.values()):
            self.undefined_are_zero = True
            self._check_until_stable()
        if any(finding.severity == "error" for finding in self._target_errors):
            # A clause whose probe is not there may be the one that assigns the map.
            self.diagnostics = [finding for finding in self.diagnostics if finding.code != "undefined-map"]
        self.diagnostics[:0] = self._target_errors

    def _check_until_stable(self) -> None:
        for _ in range(_MOST_ROUNDS):
            self.changed = False
            self.diagnostics = []
            self.reported.clear()
            for clause in self.clauses:
                self._check_clause(clause)
            known = len(self.diagnostics)
            for clause in self._unused:
                self._check_clause(clause)
            self.diagnostics[known:] = [d for d in self.diagnostics[known:] if d.code not in _OF_PROBES]
            if not self.changed:
                break
        self.diagnostics += self.without_type(self.clauses)

    def _declare_maps(self) -> None:
        for decl in self.program.map_decls:
            info = self.maps.setdefault(decl.name, MapInfo(decl.name, decl.span))
            info.decl = decl
            count = decl.args[0] if len(decl.args) == 1 else None
            if decl.map_type not in MAP_KINDS:
                wrong = f"there is no kind of map `{decl.map_type}`"
            elif not isinstance(count, IntLiteral) or not 1 <= count.value <= ENTRIES_LIMIT:
                wrong = f"`@{decl.name}` needs a number of entries from 1 to {ENTRIES_LIMIT}"
            else:
                continue
            self._target_errors.append(
                error(
                    "bad-map-declaration",
                    wrong,
                    decl.span,
                    notes=f"the kinds are {', '.join(f'`{kind}`' for kind in MAP_KINDS)}",
                    help=f"for instance `let @{decl.name} = hash(1000);`",
                )
            )

    def _check_clause(self, clause: Clause) -> None:
        self.clause = clause
        self.space.targets = clause.targets
        self.found = {}
        self.unrolled = 1
        self.scopes = [{}]
        self.loops = 0
        self.map_loops = 0
        if clause.predicate is not None:
            self.condition(clause.predicate)
        self.block(clause.block)

    # --- blocks and statements ---------------------------------------------------------------------------

    def block(self, block: Block) -> Type | None:
        """Check a block in a scope of its own; the type of its result, if it has one."""
        self.scopes.append({})
        for statement in block.statements:
            self.statement(statement)
        result = self.type_of(block.result) if block.result is not None else NONE
        self.scopes.pop()
        return result

    def statement(self, node: Statement) -> None:
        handler = _STATEMENTS.get(type(node))
        if handler is None:
            self.not_yet(node, f"`{type(node).__name__.lower()}`")
        else:
            handler(self, node)

    def _expression_statement(self, node: ExprStatement) -> None:
        expr = node.expr
        if isinstance(expr, Call) and expr.name in AGGREGATIONS:
            self.report(
                error(
                    "aggregation-needs-map",
                    f"`{expr.name}()` must be assigned to a map",
                    expr.span,
                    help=f"write `@name = {expr.span.text}`",
                )
            )
            return
        self.type_of(expr)

    def _discard(self, node: Discard) -> None:
        self.type_of(node.value)

    def _let(self, node: Let) -> None:
        scope = self.scopes[-1]
        self._must_be_new(node, node.name)
        sized = node.type is not None and not is_sized_by_value(node.type)
        declared = self.resolve_type(node.type) if node.type is not None and sized else None
        if node.type is not None and declared is not None and declared.size == 0:
            self.report(error("type-mismatch", f"a variable cannot be `{declared}`", node.type.span))
        variable = self._variable_of(node, node.name, declared)
        if node.value is not None:
            self.gets_value(variable)
            value_type = self._assigned_type(node.value)
            if value_type is not None:
                self._widen_variable(variable, value_type, node.value)
                self.document(variable, value_type, node.value)
        scope[node.name] = variable

    def _must_be_new(self, node: Node, name: str) -> None:
        """A declaration must not hide a variable of this block or one around it."""
        known = self.find_variable(name)
        if known is not None and self.clause.variables.get(node) is not known:
            self.report(
                error(
                    "variable-declared-twice",
                    f"there is a `${name}` here already",
                    node.span,
                    labels=[(known.span, "first here")],
                    help="give one of them another name",
                )
            )

    def _variable_of(self, node: Node, name: str, declared: Type | None = None) -> VariableInfo:
        variable = self.clause.variables.get(node)
        if variable is None:
            variable = VariableInfo(name, node.span, self.map_loops)
            variable.declared = variable.type = declared
            self.clause.variables[node] = variable
        return variable

    def _assigned_type(self, value: Expr) -> Type | None:
        """The type of a value that a scratch variable takes."""
        if isinstance(value, Call) and value.name in AGGREGATIONS:
            self.report(
                error(
                    "aggregation-needs-map",
                    f"`{value.name}()` must be assigned to a map, not to a scratch variable",
                    value.span,
                    help=f"write `@name = {value.span.text}`",
                )
            )
            return None
        t = self.type_of(value)
        if t == NONE:
            self.report(error("type-mismatch", "there is no value to assign", value.span))
            return None
        if isinstance(t, Aggregate):
            return self.aggregate_number(t, value)
        return t

    def _widen_variable(self, variable: VariableInfo, t: Type, value: Expr) -> None:
        if variable.declared is not None:
            self.fit_declared(variable, variable.declared, t, value)
            return
        if variable.type is None:
            variable.type = t
            return
        joined = join(variable.type, t)
        if joined is None:
            self.report(
                error(
                    "type-mismatch",
                    f"`${variable.name}` is a `{variable.type}`, this is a `{t}`",
                    value.span,
                    labels=[(variable.span, f"`{variable.type}` since here")],
                    help="use another variable",
                )
            )
        elif joined != variable.type:
            variable.type = joined
            self.changed = True

    def assign(self, node: Assign) -> None:
        if isinstance(node.target, MapRef):
            self._assign_map(node, node.target)
        elif isinstance(node.target, Variable):
            self._assign_variable(node, node.target)
        else:
            self.type_of(node.value)
            self.not_yet(node.target, "assigning to anything but variables and maps")

    def _assign_variable(self, node: Assign, target: Variable) -> None:
        if node.op is not None:
            self.compound(node, target)
            return
        t = self._assigned_type(node.value)
        variable = self.find_variable(target.name)
        if variable is None:
            variable = self._variable_of(node, target.name)
            self.scopes[-1][target.name] = variable
        self.clause.variables[target] = variable
        self.gets_value(variable)
        if t is not None:
            self._widen_variable(variable, t, node.value)
            self.document(variable, t, node.value)
            if variable.type is not None:
                self.clause.types[target] = variable.type

    def _assign_map(self, node: Assign, target: MapRef) -> None:
        info = self.use_map(target, "write")
        value = node.value
        if node.op is not None:
            self.compound(node, target)
            return
        t: Type | None
        if isinstance(value, Call) and value.name in AGGREGATIONS:
            t = self.aggregate(value)
        else:
            t = self.type_of(value)
            if isinstance(t, Aggregate):
                number = self.aggregate_number(t, value)
                if number is not None and isinstance(value, MapRef):
                    self.report(
                        error(
                            "type-mismatch",
                            f"`@{value.name}` is made by `{t.kind}()`, which cannot be copied",
                            value.span,
                            help=f"cast it to copy its number: `(int64){value.span.text}`",
                        )
                    )
                return
            if t == NONE:
                self.report(error("type-mismatch", "there is no value to assign", value.span))
                return
        if t is not None:
            self.widen_map(info, stored(t), value)
            self.document_map(info, t, value)
            self.clause.types[target] = info.value or t

    def _if(self, node: If) -> None:
        self.condition(node.cond)
        chosen = self.chosen(node)
        if chosen is not False:
            self.block(node.then)
        if node.orelse is not None and chosen is not True:
            self.block(node.orelse)

    def _while(self, node: While) -> None:
        self.condition(node.cond)
        self._loop_body(node.body)

    def _loop_body(self, body: Block) -> None:
        self.loops += 1
        self.block(body)
        self.loops -= 1

    def _unroll(self, node: Unroll) -> None:
        self.type_of(node.count)
        count = self.constant(node.count)
        if count is None or not 1 <= count <= UNROLL_LIMIT:
            self.report(
                error(
                    "constant-needed",
                    f"`unroll` wants a number from 1 to {UNROLL_LIMIT} that is known when compiling",
                    node.count.span,
                    help="use `for ($i : 0..$n)` for a number that is not known",
                )
            )
        self.unrolled *= count or 1
        if self.unrolled > UNROLLED_LIMIT:
            self.report(
                error(
                    "program-too-large",
                    f"this is unrolled {self.unrolled:,} times in all, more than {UNROLLED_LIMIT:,}",
                    node.span,
                    help="make the outer ones loops: `for ($i : 0..100) { … }`",
                )
            )
        self._loop_body(node.body)
        self.unrolled //= count or 1

    def _for_range(self, node: ForRange) -> None:
        types = [self.number(node.start), self.number(node.end)]
        self._must_be_new(node, node.var)
        variable = self._variable_of(node, node.var)
        known = [t for t in types if t is not None]
        if len(known) == 2:
            variable.type = join(known[0], known[1])
            self.document(variable, variable.type, node.start, node.end)
        self._loop_with(node.var, variable, node.body)

    def _loop_with(self, name: str, variable: VariableInfo, body: Block) -> None:
        variable.assigned = True
        self.scopes.append({name: variable})
        self._loop_body(body)
        self.scopes.pop()

    def _for_each(self, node: ForEach) -> None:
        source = node.iterable
        if not isinstance(source, MapRef) or source.keys is not None:
            self.type_of(source)
            self.report(
                error(
                    "wrong-arguments",
                    "`for` goes over a map (`@name`) or a range (`0..10`)",
                    source.span,
                )
            )
            return
        info = self.use_map(source, "iterate")
        if info.keyed is False and info.value is not None:
            self.report(error("wrong-arguments", f"`@{info.name}` has no keys to go over", source.span))
            return
        self.map_loops += 1
        if self.map_loops == MAP_LOOPS_LIMIT + 1:
            self.report(
                error(
                    "nesting-too-deep",
                    f"loops over maps are nested deeper than {MAP_LOOPS_LIMIT} levels",
                    node.span,
                    notes="each is a function of its own, and the kernel takes 8 at once",
                    help="go over one map after the other, and keep what is needed in variables",
                )
            )
        self._must_be_new(node, node.var)
        variable = self._variable_of(node, node.var)
        if info.key is not None and info.value is not None:
            value = (
                self.aggregate_number(info.value, source) if isinstance(info.value, Aggregate) else info.value
            )
            pair = Tuple((info.key, value)) if value is not None else None
            if variable.type is not None and pair != variable.type:
                self.changed = True
            variable.type = pair
        self._loop_with(node.var, variable, node.body)
        self.map_loops -= 1

    def _jump(self, node: Break | Continue) -> None:
        if not self.loops:
            word = "break" if isinstance(node, Break) else "continue"
            self.report(error("outside-loop", f"`{word}` is only possible in a loop", node.span))

    def _return(self, node: Return) -> None:
        if node.value is not None:
            self.type_of(node.value)

    def _import(self, node: Import) -> None:
        self.report(
            error(
                "bad-import",
                "`import` is not possible in an action",
                node.span,
                help="write it before the first probe",
            )
        )


def _used_args(probe: Probe) -> tuple[set[str], bool]:
    """The members of `args` that are named, and whether it stands for all of them somewhere."""
    bases: set[int] = set()
    named: set[str] = set()
    alone: list[int] = []
    for node in walk(probe):
        if isinstance(node, FieldAccess) and isinstance(node.base, Identifier) and node.base.name == "args":
            named.add(node.name)
            bases.add(id(node.base))
        elif isinstance(node, Identifier) and node.name == "args":
            alone.append(id(node))
    return named, any(node not in bases for node in alone)


_STATEMENTS: "dict[type, Callable[[Any, Any], None]]" = {
    ExprStatement: Checker._expression_statement,
    Discard: Checker._discard,
    Let: Checker._let,
    Assign: Checker.assign,
    If: Checker._if,
    While: Checker._while,
    Unroll: Checker._unroll,
    ForRange: Checker._for_range,
    ForEach: Checker._for_each,
    Break: Checker._jump,
    Continue: Checker._jump,
    Return: Checker._return,
    Import: Checker._import,
}

"""Expansion of macros, functions and `#define`s: the tree of the program as if their bodies stood where they are used.

Works on trees, before anything is checked. A use becomes a copy of the body: a block for a macro or a function, an
expression for a `#define`. Copies are hygienic: variables that a macro's body assigns, and all of a function's, get
names of their own; maps must be passed to macros. A function's parameters become declared variables, and so does what
it returns. Every copied node has an `ExpandedSpan`: its place in the definition, and the use it stands for.
"""

from collections.abc import Callable

from kernscope.catalog.builtins import find_builtin
from kernscope.diagnostics import CompileError, Diagnostic, ExpandedSpan, Span, error
from kernscope.syntax.ast import (
    Assign,
    Block,
    BlockExpr,
    Call,
    Define,
    Expr,
    ExprStatement,
    ForEach,
    ForRange,
    Identifier,
    Let,
    Macro,
    MapRef,
    Node,
    Probe,
    Program,
    Return,
    Statement,
    Subprog,
    Variable,
    walk,
)

from .defines import Defines
from .macros import Macros
from .model import Inlined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["expand"]

_MOST_NODES = 200_000
"""Of all copies together: macros that use macros twice grow exponentially."""

_DEEPEST = 50
"""Macros within macros."""


class _OwnName(str):
    """The name of a variable that belongs to one expansion: it differs from all others that read the same."""

    expansion = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _OwnName) and self.expansion == other.expansion and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((str.__hash__(self), self.expansion))


class _Scope:
    """What names mean in one copy. `origin` is the use; at the root, where nothing is replaced, None."""

    __slots__ = ("chain", "expressions", "macro", "maps", "origin", "outer", "result", "variables")

    def __init__(self, outer: "_Scope | None", macro: Macro | None, origin: Span | None) -> None:
        self.outer, self.macro, self.origin = outer, macro, origin
        self.chain: tuple[str, ...] = outer.chain if outer is not None else ()
        self.expressions: dict[str, Expr] = {}
        """Parameters that stand for expressions; these are evaluated in `outer`."""
        self.variables: dict[str, str] = {}
        self.maps: dict[str, str] | None = None
        """Parameters that stand for maps; None where every map may be named."""
        self.result: str | None = outer.result if outer is not None else None
        """In a function: the variable that takes what it returns, "" where it returns nothing."""


def expand(program: Program, found: list[Diagnostic]) -> Program:
    """The program without uses of macros and `#define`s; what is wrong with them is added to `found`."""
    defines = [d for d in program.c_definitions if isinstance(d, Define)]
    if not program.macros and not program.subprogs and not defines:
        return program
    expander = _Expander(Macros(program.macros, found), Defines(defines, found), found)
    expander.define_functions(program.subprogs)
    root = _Scope(None, None, None)
    try:
        probes = [expander.probe(probe, root) for probe in program.probes]
        map_decls = [expander.copy(decl, root) for decl in program.map_decls]
        unused = [f for f in program.subprogs if f.name not in expander.used_functions]
        unused = [expander.unused_function(function, root) for function in unused]
    except CompileError as too_large:
        found += too_large.diagnostics
        return program
    return Program(
        program.config,
        program.imports,
        program.c_definitions,
        program.macros,
        map_decls,
        unused,
        probes,
        program.span,
    )


class _Expander:
    def __init__(self, macros: Macros, defines: Defines, found: list[Diagnostic]) -> None:
        self.macros, self.defines, self.found = macros, defines, found
        self.functions: dict[str, Subprog] = {}
        self.used_functions: set[str] = set()
        self.nodes = 0
        self.expansions = 0

    def define_functions(self, functions: list[Subprog]) -> None:
        """Note the program's functions."""
        for function in functions:
            other = self.functions.setdefault(function.name, function)
            if other is not function:
                self.report(
                    error(
                        "macro-definition",
                        f"there are two functions `{function.name}`",
                        function.span,
                        labels=[(other.span, "first here")],
                        help="give one of them another name",
                    )
                )

    def report(self, finding: Diagnostic) -> None:
        """Add a finding once, however often the macro that it is in is used."""
        if all(f.code != finding.code or f.span != finding.span for f in self.found):
            self.found.append(finding)

    def probe(self, probe: Probe, scope: _Scope) -> Probe:
        predicate = self.copy(probe.predicate, scope) if probe.predicate is not None else None
        return Probe(probe.attach_points, predicate, self.copy(probe.body, scope), probe.span)

    # --- copies --------------------------------------------------------------------------------------------

    def copy(self, node: "Any", scope: _Scope) -> "Any":
        """A copy of a node as it is meant in `scope`, its uses of macros expanded."""
        handler = _HANDLERS.get(type(node))
        if handler is not None:
            replaced = handler(self, node, scope)
            if replaced is not None:
                return replaced
        return self.plain(node, scope)

    def plain(self, node: "Any", scope: _Scope) -> "Any":
        """A copy field by field."""
        self.nodes += 1
        if self.nodes > _MOST_NODES:
            place = scope.origin or node.span
            message = "the macros of this program expand to more than the compiler can take"
            raise CompileError([error("macro-recursion", message, place)])
        kind = type(node)
        copy = object.__new__(kind)
        copy.span = self.span(node.span, scope)
        for name in kind.__match_args__:
            value = getattr(node, name)
            if isinstance(value, Node):
                value = self.copy(value, scope)
            elif isinstance(value, list):
                value = [self.copy(v, scope) if isinstance(v, Node) else v for v in value]
            setattr(copy, name, value)
        return copy

    def span(self, span: Span, scope: _Scope) -> Span:
        if scope.origin is None:
            return span
        return ExpandedSpan(span.source, span.start, span.end, scope.origin)

    # --- names ---------------------------------------------------------------------------------------------

    def identifier(self, node: Identifier, scope: _Scope) -> Expr | None:
        argument = scope.expressions.get(node.name)
        if argument is not None:
            assert scope.outer is not None
            return self.copy(argument, scope.outer)  # type: ignore[no-any-return]
        if find_builtin(node.name) is not None:
            return None
        if node.name in self.macros.table:
            return self.macro_use(node, node.name, [], scope)
        return self.define_use(node, node.name, None, scope)

    def call(self, node: Call, scope: _Scope) -> Expr | None:
        if node.name in self.macros.table:
            return self.macro_use(node, node.name, node.args, scope)
        if node.name in self.functions:
            return self.function_use(node, self.functions[node.name], scope)
        return self.define_use(node, node.name, node.args, scope)

    def variable(self, node: Variable, scope: _Scope) -> Variable | None:
        name = scope.variables.get(node.name)
        return Variable(name, self.span(node.span, scope)) if name is not None else None

    def declaration(self, node: "Let | ForRange | ForEach", scope: _Scope) -> Node | None:
        field = "name" if isinstance(node, Let) else "var"
        name = scope.variables.get(getattr(node, field))
        if name is None:
            return None
        copy: Node = self.plain(node, scope)
        setattr(copy, field, name)
        return copy

    def map(self, node: MapRef, scope: _Scope) -> MapRef | None:
        if scope.maps is None:
            return None
        name = scope.maps.get(node.name)
        if name is None:
            assert scope.macro is not None
            signature = ", ".join([*(f"{p.sigil}{p.name}" for p in scope.macro.params), f"@{node.name}"])
            self.report(
                error(
                    "macro-hygiene",
                    f"the macro `{scope.macro.name}` uses `@{node.name}`, which is not passed to it",
                    self.span(node.span, scope),
                    labels=_used_at(scope.origin),
                    help=f"make it a parameter: `macro {scope.macro.name}({signature})`",
                )
            )
            return None
        keys = [self.copy(key, scope) for key in node.keys] if node.keys is not None else None
        return MapRef(name, keys, self.span(node.span, scope))

    def returned(self, node: Return, scope: _Scope) -> Statement | None:
        if scope.result is not None and scope.macro is None:
            return self.function_return(node, scope)
        return None

    # --- uses ----------------------------------------------------------------------------------------------

    def macro_use(self, use: Expr, name: str, args: list[Expr], scope: _Scope) -> Expr | None:
        """The block that a use of a macro becomes."""
        place = self.span(use.span, scope)
        if name in scope.chain or len(scope.chain) >= _DEEPEST:
            chain = " → ".join(f"`{n}`" for n in (*scope.chain, name))
            self.report(
                error(
                    "macro-recursion",
                    f"the macro `{name}` uses itself: {chain}",
                    place,
                    labels=_used_at(scope.origin),
                    help="use a loop, `for ($i : 0..10) { … }`",
                )
            )
            return None
        given = [self._argument(arg, scope) for arg in args]
        macro = self.macros.choose(name, args, given, place, self.report)
        if macro is None:
            return None
        inner = _Scope(scope, macro, place)
        inner.chain, inner.result = (*scope.chain, name), None
        inner.maps = {}
        for parameter, arg, meant in zip(macro.params, args, given):
            if parameter.sigil == "$":
                assert isinstance(meant, Variable)
                inner.variables[parameter.name] = meant.name
            elif parameter.sigil == "@":
                assert isinstance(meant, MapRef)
                inner.maps[parameter.name] = meant.name
            else:
                inner.expressions[parameter.name] = arg
        self._own_names(macro, inner)
        return BlockExpr(self.copy(macro.body, inner), place)

    def function_use(self, use: Call, function: Subprog, scope: _Scope) -> Expr | None:
        """The block that a call of a function becomes."""
        place = self.span(use.span, scope)
        if function.name in scope.chain or len(scope.chain) >= _DEEPEST:
            chain = " → ".join(f"`{n}`" for n in (*scope.chain, function.name))
            message = f"the function `{function.name}` calls itself: {chain}"
            help = "use a loop, `for ($i : 0..10) { … }`"
            self.report(error("macro-recursion", message, place, labels=_used_at(scope.origin), help=help))
            return None
        count, given = len(function.params), len(use.args)
        if count != given:
            message = f"the function `{function.name}` takes {count} argument{'' if count == 1 else 's'}, {given} given"
            self.report(error("macro-arguments", message, place, labels=[(function.span, "defined here")]))
            return None
        inner = _Scope(scope, None, place)
        inner.chain, inner.result = (*scope.chain, function.name), ""
        self.used_functions.add(function.name)
        self.expansions += 1
        names = [n.name for n in walk(function.body) if isinstance(n, Variable | Let)]
        names += [n.var for n in walk(function.body) if isinstance(n, ForRange | ForEach)]
        for name in (*names, *(p.name for p in function.params)):
            inner.variables[name] = self._own_name(name)
        statements: list[Statement] = [
            Let(inner.variables[p.name], p.type, self.copy(arg, scope), self.span(p.span, inner))
            for p, arg in zip(function.params, use.args)
        ]
        result: Expr | None = None
        returned = function.return_type
        if returned is not None and (returned.name != "void" or returned.pointers):
            inner.result = self._own_name("return")
            statements.append(Let(inner.result, returned, None, self.span(returned.span, inner)))
            result = Variable(inner.result, self.span(returned.span, inner))
        body = self.copy(function.body, inner)
        return Inlined(Block([*statements, *body.statements], result, body.span), place)

    def unused_function(self, function: Subprog, scope: _Scope) -> Subprog:
        """A function that nothing calls, with the body that a call would give: it is checked, too."""
        inner = _Scope(scope, None, function.span)
        inner.chain, inner.result = (function.name,), ""
        self.expansions += 1
        for node in walk(function.body):
            if isinstance(node, Variable | Let):
                inner.variables[node.name] = self._own_name(node.name)
            elif isinstance(node, ForRange | ForEach):
                inner.variables[node.var] = self._own_name(node.var)
        statements: list[Statement] = []
        for parameter in function.params:
            inner.variables[parameter.name] = self._own_name(parameter.name)
            statements.append(Let(inner.variables[parameter.name], parameter.type, None, parameter.span))
        returned = function.return_type
        if returned is not None and (returned.name != "void" or returned.pointers):
            inner.result = self._own_name("return")
            statements.append(Let(inner.result, returned, None, returned.span))
        body = self.copy(function.body, inner)
        whole = Block([*statements, *body.statements], None, body.span)
        return Subprog(function.name, function.params, function.return_type, whole, function.span)

    def function_return(self, node: Return, scope: _Scope) -> Statement:
        """`return value` in a function: the assignment of its result, then its end."""
        span = self.span(node.span, scope)
        statements: list[Statement] = []
        if node.value is not None and scope.result:
            target = Variable(scope.result, span)
            statements.append(Assign(target, None, self.copy(node.value, scope), span))
        elif node.value is not None or scope.result:
            wrong = "returns nothing" if node.value is not None else "must return a value"
            self.report(error("macro-definition", f"this function {wrong}", span))
        statements.append(Return(None, span))
        return ExprStatement(BlockExpr(Block(statements, None, span), span), span)

    def _own_name(self, name: str) -> str:
        own = _OwnName(name)
        own.expansion = self.expansions
        return own

    def _argument(self, arg: Expr, scope: _Scope) -> Expr:
        """What an argument is, where that is a variable or a map: parameters of the macro around stand for theirs."""
        if isinstance(arg, Identifier) and arg.name in scope.expressions and scope.outer is not None:
            return self._argument(scope.expressions[arg.name], scope.outer)
        if isinstance(arg, Variable):
            return Variable(scope.variables.get(arg.name, arg.name), arg.span)
        if isinstance(arg, MapRef) and arg.keys is None and scope.maps is not None:
            return MapRef(scope.maps.get(arg.name, arg.name), None, arg.span)
        return arg

    def _own_names(self, macro: Macro, scope: _Scope) -> None:
        self.expansions += 1
        for name in self.macros.assigned(macro):
            if name not in scope.variables:
                scope.variables[name] = self._own_name(name)

    def define_use(self, use: Expr, name: str, args: list[Expr] | None, scope: _Scope) -> Expr | None:
        """The expression that a use of a `#define`d name becomes."""
        place = self.span(use.span, scope)
        body = self.defines.body(name, args, place, self.report)
        if body is None or name in scope.chain or len(scope.chain) >= _DEEPEST:
            return None  # as in C, a name in its own definition is left alone
        inner = _Scope(scope, None, place)
        inner.chain = (*scope.chain, name)
        inner.variables, inner.maps, inner.macro = scope.variables, scope.maps, scope.macro
        inner.expressions = dict(zip(self.defines.parameters(name), args or ()))
        return self.copy(body, inner)  # type: ignore[no-any-return]


def _used_at(origin: Span | None) -> list[tuple[Span, str]]:
    labels: list[tuple[Span, str]] = []
    while origin is not None:
        labels.append((origin, "expanded here"))
        origin = origin.origin if isinstance(origin, ExpandedSpan) else None
    return labels


_HANDLERS: "dict[type, Callable[[_Expander, Any, _Scope], Any]]" = {
    Identifier: _Expander.identifier,
    Call: _Expander.call,
    Variable: _Expander.variable,
    Let: _Expander.declaration,
    ForRange: _Expander.declaration,
    ForEach: _Expander.declaration,
    MapRef: _Expander.map,
    Return: _Expander.returned,
}

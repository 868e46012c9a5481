"""The macros of a program: which one a use means, and what is wrong with their definitions."""

from collections.abc import Callable

from kernscope.diagnostics import Diagnostic, Span, error
from kernscope.syntax.ast import (
    Assign,
    Break,
    Continue,
    Expr,
    ForEach,
    ForRange,
    Let,
    Macro,
    MapRef,
    Node,
    Return,
    Unroll,
    Update,
    Variable,
    While,
    children,
    walk,
)

__all__ = ["Macros"]

_WANTED = {"$": "a scratch variable", "@": "a map without keys", "": "an expression"}


class Macros:
    """Macros by name. Several may share one where their parameters differ in number or kind."""

    def __init__(self, macros: list[Macro], found: list[Diagnostic]) -> None:
        self.table: dict[str, list[Macro]] = {}
        self._assigned: dict[Macro, list[str]] = {}
        for macro in macros:
            self._add(macro, found)

    def _add(self, macro: Macro, found: list[Diagnostic]) -> None:
        names: set[str] = set()
        for parameter in macro.params:
            text = parameter.sigil + parameter.name
            if text in names:
                found.append(
                    error(
                        "macro-definition",
                        f"the macro `{macro.name}` has two parameters `{text}`",
                        parameter.span,
                        help="give each a name of its own",
                    )
                )
            names.add(text)
        for jump in _jumps_out(macro.body):
            word = type(jump).__name__.lower()
            found.append(
                error(
                    "macro-definition",
                    f"`{word}` cannot leave the macro `{macro.name}`",
                    jump.span,
                    notes="its body stands where the macro is used; its last expression is its value",
                    help="write the value last, without `;`" if isinstance(jump, Return) else None,
                )
            )
        signature = [p.sigil for p in macro.params]
        for other in self.table.setdefault(macro.name, []):
            if [p.sigil for p in other.params] == signature:
                found.append(
                    error(
                        "macro-definition",
                        f"the macro `{macro.name}` is defined twice with the same kinds of parameters",
                        _head(macro),
                        labels=[(_head(other), "first here")],
                        help="give one of them another name",
                    )
                )
        self.table[macro.name].append(macro)

    def assigned(self, macro: Macro) -> list[str]:
        """The scratch variables that the body assigns or declares, parameters aside: they are its own."""
        known = self._assigned.get(macro)
        if known is None:
            passed = {p.name for p in macro.params if p.sigil == "$"}
            names: dict[str, None] = {}
            for node in walk(macro.body):
                if isinstance(node, Let):
                    names[node.name] = None
                elif isinstance(node, ForRange | ForEach):
                    names[node.var] = None
                elif isinstance(node, Assign | Update) and isinstance(node.target, Variable):
                    names[node.target.name] = None
            known = self._assigned[macro] = [name for name in names if name not in passed]
        return known

    def choose(
        self,
        name: str,
        args: list[Expr],
        given: list[Expr],
        place: Span,
        report: Callable[[Diagnostic], None],
    ) -> Macro | None:
        """The macro that a use means: the one whose parameters fit, those that ask for a variable or a map first."""
        candidates = self.table[name]
        fitting = [m for m in candidates if _fits(m, given)]
        if fitting:
            return max(fitting, key=lambda m: sum(p.sigil != "" for p in m.params))
        closest = [m for m in candidates if len(m.params) == len(args)]
        if not closest:
            macro = candidates[0]
            count = len(macro.params)
            report(
                error(
                    "macro-arguments",
                    f"the macro `{name}` takes {count} argument{'' if count == 1 else 's'}, {len(args)} given",
                    place,
                    labels=[(_head(macro), "defined here")],
                    help=f"write `{_usage(macro)}`",
                )
            )
            return None
        macro = closest[0]
        for parameter, arg, meant in zip(macro.params, args, given):
            if not _is(parameter.sigil, meant):
                report(
                    error(
                        "macro-arguments",
                        f"the macro `{name}` wants {_WANTED[parameter.sigil]} for "
                        f"`{parameter.sigil}{parameter.name}`, this is {_kind(meant)}",
                        arg.span,
                        labels=[(parameter.span, "this parameter")],
                        help="a parameter without `$` or `@` takes any expression",
                    )
                )
        return None


def _fits(macro: Macro, given: list[Expr]) -> bool:
    return len(macro.params) == len(given) and all(_is(p.sigil, arg) for p, arg in zip(macro.params, given))


def _is(sigil: str, arg: Expr) -> bool:
    if sigil == "$":
        return isinstance(arg, Variable)
    return sigil == "" or (isinstance(arg, MapRef) and arg.keys is None)


def _kind(arg: Expr) -> str:
    if isinstance(arg, Variable):
        return "a scratch variable"
    return "a map" if isinstance(arg, MapRef) and arg.keys is None else "an expression"


def _jumps_out(body: Node) -> list[Node]:
    """The statements of a macro's body that would leave it."""
    found: list[Node] = []
    todo: list[tuple[Node, bool]] = [(body, False)]
    while todo:
        node, in_loop = todo.pop()
        if isinstance(node, Return) or (isinstance(node, Break | Continue) and not in_loop):
            found.append(node)
        in_loop = in_loop or isinstance(node, While | ForRange | ForEach | Unroll)
        todo += [(child, in_loop) for child in reversed(list(children(node)))]
    return found


def _head(macro: Macro) -> Span:
    """The definition up to its name."""
    start = macro.span.start
    at = macro.span.source.text.find(macro.name, start + len("macro "))
    return Span(macro.span.source, start, at + len(macro.name) if at >= 0 else macro.span.end)


def _usage(macro: Macro) -> str:
    return f"{macro.name}({', '.join(p.sigil + p.name for p in macro.params)})"

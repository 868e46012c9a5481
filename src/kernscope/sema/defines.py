"""`#define`s used in the program: names that stand for an expression, and those with parameters."""

from collections.abc import Callable

from kernscope.diagnostics import CompileError, Diagnostic, Source, Span, error
from kernscope.syntax import parse_expression
from kernscope.syntax.ast import Define, Expr, walk

__all__ = ["Defines"]


class Defines:
    """The last definition of each name. A body is read when it is first used: most are never."""

    def __init__(self, defines: list[Define], found: list[Diagnostic]) -> None:
        self.table = {define.name: define for define in defines if define.body}
        self._bodies: dict[str, Expr | None] = {}

    def parameters(self, name: str) -> list[str]:
        return self.table[name].params or []

    def body(
        self, name: str, args: list[Expr] | None, place: Span, report: Callable[[Diagnostic], None]
    ) -> Expr | None:
        """The expression that `name`, or with arguments `name(…)`, stands for; None where it stands for itself."""
        define = self.table.get(name)
        if define is None or (define.params is None) != (args is None):
            return None
        if args is not None and len(args) != len(define.params or ()):
            count = len(define.params or ())
            report(
                error(
                    "macro-arguments",
                    f"the macro `{name}` takes {count} argument{'' if count == 1 else 's'}, {len(args)} given",
                    place,
                    labels=[(define.span, "defined here")],
                )
            )
            return None
        if name not in self._bodies:
            self._bodies[name] = _parse(define)
        body = self._bodies[name]
        if body is None:
            report(
                error(
                    "macro-body",
                    f"`{name}` stands for `{define.body}`, which is no expression",
                    place,
                    labels=[(define.span, "defined here")],
                )
            )
        return body


def _parse(define: Define) -> Expr | None:
    try:
        body = parse_expression(Source(define.name, define.body))
    except CompileError:
        return None
    text, start = define.span.text, define.span.start
    at = text.find(define.body)
    for node in walk(body):
        if at < 0:
            node.span = define.span
        else:
            node.span = Span(define.span.source, start + at + node.span.start, start + at + node.span.end)
    return body

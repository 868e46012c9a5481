"""Checks that several functions share."""

from kernscope.catalog.aggregations import AGGREGATIONS
from kernscope.catalog.base import CheckContext
from kernscope.diagnostics import error
from kernscope.syntax.ast import Call, Expr, MapRef
from kernscope.types import Aggregate, Bool, Integer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.catalog.base import LowerContext, MapFacts

__all__ = ["literal_text", "string_limit", "wants_integer", "wants_map", "wants_unsafe"]


def literal_text(cx: CheckContext, call: Call, arg: Expr, what: str) -> str | None:
    """The text of an argument that must be a string literal; None after reporting that it is not."""
    text = cx.constant_string(arg)
    if text is None:
        cx.report(
            error(
                "constant-needed",
                f"`{call.name}()` wants {what} that is known when compiling: a string in quotes",
                arg.span,
            )
        )
    return text


def wants_integer(cx: CheckContext, call: Call, arg: Expr) -> None:
    """Report an argument that is no number."""
    t = cx.type_of(arg)
    if (
        t is None
        or isinstance(t, Integer | Bool)
        or (isinstance(t, Aggregate) and AGGREGATIONS[t.kind].scalar)
    ):
        return
    cx.report(error("type-mismatch", f"`{call.name}()` wants a number, this is `{t}`", arg.span))


def wants_map(cx: CheckContext, call: Call, arg: Expr, how: str, *, keyed: bool) -> "MapFacts | None":
    """The map that an argument names, with keys (`keyed`) or whole; None after reporting that it does not."""
    if isinstance(arg, MapRef) and (arg.keys is not None) == keyed:
        return cx.use_map(arg, how)
    wanted = "an entry of a map: `@name[key]`" if keyed else "a map: `@name`"
    cx.report(error("wrong-arguments", f"`{call.name}()` wants {wanted}", arg.span))
    return None


def wants_unsafe(cx: CheckContext, call: Call) -> None:
    """Report a function that changes the system, unless the user has allowed that."""
    if not cx.config.get("unsafe"):
        cx.report(
            error(
                "unsafe-function",
                f"`{call.name}()` changes the system that is traced",
                call.span,
                help="allow it with `--unsafe`",
            )
        )


def string_limit(context: "CheckContext | LowerContext") -> int:
    """The setting `max_strlen`: the size of strings that are read, in bytes."""
    limit = context.config["max_strlen"]
    assert isinstance(limit, int)
    return limit

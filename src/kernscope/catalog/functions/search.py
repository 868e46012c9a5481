"""What functions on strings and memory share: strings copied to where they can be searched, and the search loop.

A loop is accepted by every verifier: with may_goto the kernel bounds it, and its counter begins as a number
that the verifier cannot foresee, so that the second round looks like the first; without, the verifier walks
through all rounds, of which there are at most `limit`.
"""

from kernscope.catalog.base import CheckContext, LowerContext
from kernscope.catalog.functions.checks import string_limit
from kernscope.diagnostics import error
from kernscope.ssa import Cond
from kernscope.syntax.ast import Call, Expr
from kernscope.types import Array, Pointer, String, Type, align_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.ssa import Value

__all__ = ["Text", "capacity", "copy_text", "scan", "wants_text"]

SLACK_BYTES = 8
"""Room behind a copied string, so that a whole word can be read at its last byte."""


class Text:
    """A string in the scratch area: `length` bytes without the NUL at `address`, in a buffer of `size` bytes."""

    __slots__ = ("address", "length", "size")

    def __init__(self, address: "Value", length: "Value", size: int) -> None:
        self.address, self.length, self.size = address, length, size


def _is_text(t: Type) -> bool:
    if isinstance(t, Array):
        return t.element.size == 1
    return isinstance(t, String) or (isinstance(t, Pointer) and t.target.size == 1)


def wants_text(cx: CheckContext, call: Call, arg: Expr) -> None:
    """Report an argument that is neither a string nor an array of bytes or a pointer to bytes."""
    t = cx.type_of(arg)
    if t is not None and not _is_text(t):
        cx.report(
            error(
                "type-mismatch",
                f"`{call.name}()` wants a string, this is `{t}`",
                arg.span,
                help="read the string that an address leads to with `str()`"
                if isinstance(t, Pointer)
                else None,
            )
        )


def capacity(t: Type, limit: int) -> int:
    """Bytes that a string-like value can have, its NUL included; `limit` where its type does not tell."""
    if isinstance(t, Array):
        return t.count
    return t.size if isinstance(t, String) else limit


def copy_text(lo: LowerContext, expr: Expr, room: int = SLACK_BYTES) -> Text:
    """Copy a string-like value into the scratch area, with `room` more bytes behind it."""
    b = lo.b
    t = lo.type_of(expr)
    limit = string_limit(lo)
    source = lo.string_source(expr)
    size = capacity(t, limit) + isinstance(t, Array)
    if source is not None:
        address, space, bound = source.address, source.space, source.size
    else:
        address, bound = lo.value(expr), size
        space = t.space if isinstance(t, Pointer) else "kernel"
    place = lo.scratch(align_up(size, 8) + room)
    got = lo.read_string(address, space, place, bound)
    return Text(place, b.sub(got, b.cmp(Cond.NE, got, 0)), size)


def scan(
    lo: LowerContext,
    count: "Value | int",
    limit: int,
    test: "Callable[[Value], Value]",
    *,
    step: int = 1,
) -> "Value":
    """The first of 0, `step`, 2·`step`, … below `count` for which `test` gives not 0; `limit` where there is none.

    `count` is at most `limit`; `test` gets a number that the verifier knows to be below `limit`.
    """
    b = lo.b
    index, result = object(), object()
    head, inside, body = b.block("scan"), b.block("inside"), b.block("try")
    following, found, none = b.block("next"), b.block("found"), b.block("none")
    done = b.block("scanned")
    b.write_var(index, lo.unforeseen(b.const(0)))
    b.jump(head)
    b.position(head)
    if lo.kernel.has_feature("may_goto"):
        bounded = b.block("bounded")
        b.may_goto(none, bounded)
        b.seal(bounded)
        b.position(bounded)
    i = b.read_var(index)
    b.branch_cmp(Cond.ULT, i, limit, inside, none)
    b.seal(inside)
    b.position(inside)
    b.branch_cmp(Cond.ULT, i, count, body, none)
    b.seal(body)
    b.position(body)
    b.branch(test(i), found, following)
    b.seal(following)
    b.position(following)
    b.write_var(index, b.add(i, step))
    b.jump(head)
    b.seal(head)
    b.seal(found)
    b.position(found)
    b.write_var(result, i)
    b.jump(done)
    b.seal(none)
    b.position(none)
    b.write_var(result, limit)
    b.jump(done)
    b.seal(done)
    b.position(done)
    return b.read_var(result)

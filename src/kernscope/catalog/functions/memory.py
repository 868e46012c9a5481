"""Functions on bytes in memory: `memcmp`, `bswap`, the address spaces of pointers, the struct around a member."""

from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.catalog.functions.checks import wants_integer
from kernscope.catalog.functions.search import SLACK_BYTES, scan
from kernscope.diagnostics import error, suggest
from kernscope.ssa import Cond
from kernscope.syntax.ast import Call, Expr, FieldAccess, Identifier
from kernscope.types import (
    INT64,
    UINT64,
    Aggregate,
    Buffer,
    Integer,
    NoneType,
    Pointer,
    Struct,
    Symbolic,
    Type,
    align_up,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]


class _Memcmp(Function):
    name = "memcmp"
    usage = ("memcmp(LEFT, RIGHT, COUNT)",)
    doc = (
        "0 if the first COUNT bytes of two values are the same, else the difference of the first that differ."
    )
    arity = (3, 3)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        for arg in call.args[:2]:
            t = cx.type_of(arg)
            if isinstance(t, Aggregate | NoneType | Symbolic | Buffer):
                cx.report(
                    error("type-mismatch", f"`memcmp()` wants values with bytes, this is `{t}`", arg.span)
                )
        wants_integer(cx, call, call.args[2])
        return INT64

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        limit = min(lo.type_of(arg).size for arg in call.args[:2])
        left, right = (self._copy(lo, arg) for arg in call.args[:2])
        if limit == 0:
            return b.const(0)
        wanted = lo.value(call.args[2])
        count = b.select(b.cmp(Cond.ULT, wanted, limit), wanted, limit)

        def differs(i: "Value") -> "Value":
            return b.cmp(Cond.NE, b.load(1, b.ptr_add(left, i)), b.load(1, b.ptr_add(right, i)))

        # where nothing differs the answer is `limit`: there both have a zero
        first = scan(lo, lo.unforeseen(count), limit, differs)
        inside = b.select(b.cmp(Cond.ULE, first, limit), first, limit)
        return b.sub(b.load(1, b.ptr_add(left, inside)), b.load(1, b.ptr_add(right, inside)))

    @staticmethod
    def _copy(lo: LowerContext, arg: Expr) -> "Value":
        """The value in the scratch area, with a zero behind it."""
        t = lo.type_of(arg)
        place = lo.scratch(align_up(t.size, 8) + SLACK_BYTES)
        lo.into(arg, place, t)
        lo.b.store(1, place, 0, t.size)
        return place


class _Bswap(Function):
    name = "bswap"
    usage = ("bswap(NUMBER)",)
    doc = "A number with its bytes in reverse order, unsigned and as wide as it was (8, 16, 32 or 64 bits)."
    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        wants_integer(cx, call, call.args[0])
        t = cx.type_of(call.args[0])
        if t is None:
            return None
        constant = cx.constant(call.args[0])
        if constant is not None and t in (INT64, UINT64) and call.args[0].span.text[:1] != "(":
            return Integer(_width(constant), False)
        return Integer(t.bits if isinstance(t, Integer) else 64, False)

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        t = lo.type_of(call)
        assert isinstance(t, Integer)
        value = lo.value(call.args[0])
        return b.ext(value, 8, False) if t.bits == 8 else b.byteswap(value, t.bits)


def _width(constant: int) -> int:
    """Bits of the smallest signed integer that holds a literal, which is its type in the language."""
    return next((bits for bits in (8, 16, 32) if -(1 << bits - 1) <= constant < 1 << bits - 1), 64)


class _Space(Function):
    """A pointer, or a number as one, with the address space that `str()` and the like follow it in."""

    arity = (1, 1)

    def __init__(self, name: str, space: str, doc: str) -> None:
        self.name, self.space, self.doc = name, space, doc
        self.usage = (f"{name}(POINTER)",)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        t = cx.type_of(call.args[0])
        if isinstance(t, Pointer):
            return Pointer(t.target, self.space)
        if isinstance(t, Integer):
            return t
        if t is not None:
            cx.report(
                error("type-mismatch", f"`{self.name}()` wants a pointer, this is `{t}`", call.args[0].span)
            )
        return None

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        return lo.value(call.args[0])


class _ContainerOf(Function):
    """The struct that has something as its member."""

    name = "container_of"
    usage = ("container_of(POINTER, STRUCT, MEMBER)",)
    doc = (
        "The struct of the type STRUCT whose MEMBER a pointer leads to: "
        "`container_of($list, task_struct, tasks)`. The name of the type is written without `struct`."
    )
    arity = (3, 3)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        pointer, type_name, member = call.args
        t = cx.type_of(pointer)
        if t is not None and not isinstance(t, Pointer | Integer):
            cx.report(
                error("type-mismatch", f"`container_of()` wants a pointer, this is `{t}`", pointer.span)
            )
        struct = cx.named_type(type_name.name) if isinstance(type_name, Identifier) else None
        if not isinstance(struct, Struct):
            cx.report(
                error(
                    "unknown-type",
                    f"there is no struct `{type_name.span.text}`",
                    type_name.span,
                    help="the name stands without `struct`: `container_of($list, task_struct, tasks)`",
                )
            )
            return None
        offset = cx.offset_of(struct, _path(member))
        if offset is None:
            near = suggest(member.span.text, struct.fields)
            cx.report(
                error(
                    "unknown-field",
                    f"`{struct}` has no member `{member.span.text}`",
                    member.span,
                    help=f"did you mean `{near}`?" if near else None,
                )
            )
            return None
        cx.keep(call, offset)
        return Pointer(struct, t.space if isinstance(t, Pointer) else "kernel")

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        offset = lo.kept(call)
        assert isinstance(offset, int)
        return lo.b.sub(lo.value(call.args[0]), offset)


def _path(member: Expr) -> list[str]:
    """`a.b` as its names; empty for what is no path."""
    if isinstance(member, Identifier):
        return [member.name]
    return [*_path(member.base), member.name] if isinstance(member, FieldAccess) else [""]


FUNCTIONS = (
    _Memcmp(),
    _Bswap(),
    _ContainerOf(),
    _Space("kptr", "kernel", "The same pointer, followed in the kernel's memory."),
    _Space("uptr", "user", "The same pointer, followed in the memory of the current process."),
)

"""Functions that read memory: `str`, `buf`."""

from kernscope.catalog.base import CheckContext, Function, LowerContext, StringSource
from kernscope.catalog.functions.checks import string_limit, wants_integer
from kernscope.diagnostics import error
from kernscope.ssa import Cond
from kernscope.syntax.ast import Call, PositionalParam, StringLiteral
from kernscope.types import Array, Buffer, Integer, Pointer, String, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]


class _Str(Function):
    name = "str"
    usage = ("str(POINTER)", "str(POINTER, LENGTH)")
    doc = (
        "The NUL-ended string that a pointer leads to, at most LENGTH bytes with its NUL. Of a string of `max_strlen` "
        "or more bytes as many are read, and `str_trunc_trailer` is shown behind them."
    )
    arity = (1, 2)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        source = call.args[0]
        limit = string_limit(cx)
        trailer = str(cx.config["str_trunc_trailer"])
        whole = String(limit + 1, trailer)
        length = None
        if len(call.args) == 2:
            wants_integer(cx, call, call.args[1])
            length = cx.constant(call.args[1])
            if length is not None and length < 0:
                cx.report(error("wrong-arguments", "a length cannot be negative", call.args[1].span))
                return None
            if length is not None:
                # bpftrace counts the NUL into LENGTH, but not of a text that is known
                size = max(1, length + isinstance(source, PositionalParam | StringLiteral))
                whole = String(size) if size <= limit else whole
        if isinstance(source, PositionalParam) and (len(call.args) == 1 or length is not None):
            text = cx.parameters[source.index - 1] if source.index <= len(cx.parameters) else ""
            content = text.encode("utf-8", "surrogateescape")[:length]
            if len(content) >= limit:
                cx.report(
                    error("string-too-long", f"this parameter has more than {limit - 1} bytes", source.span)
                )
            cx.keep(call, content)
            return String(len(content) + 1)
        t = cx.type_of(source)
        if t is None:
            return None
        if isinstance(t, String):
            return t if t.size <= whole.size else whole
        if isinstance(t, Array) and t.element.size == 1:
            return String(t.count + 1) if t.count < whole.size else whole
        if isinstance(t, Pointer | Integer):
            return whole
        cx.report(error("type-mismatch", f"`str()` wants a pointer to a string, this is `{t}`", source.span))
        return None

    def string_source(self, lo: LowerContext, call: Call) -> StringSource | None:
        if lo.kept(call) is not None:
            return None
        source = call.args[0]
        t = lo.type_of(source)
        size = lo.type_of(call).size
        address = lo.value(source)
        space = t.space if isinstance(t, Pointer) else "kernel" if isinstance(t, String | Array) else "user"
        bound: Value | int = size
        if len(call.args) == 2 and lo.constant(call.args[1]) is None:
            b = lo.b
            wanted = lo.value(call.args[1])
            bound = b.select(b.cmp(Cond.ULT, wanted, size), wanted, size)
        return StringSource(address, "kernel" if space == "ctx" else space, bound)

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        kept = lo.kept(call)
        if isinstance(kept, bytes):
            return lo.constant_bytes(kept)
        source = self.string_source(lo, call)
        assert source is not None
        t = lo.type_of(call)
        destination = lo.place(t)
        lo.clear(destination, t.size)
        lo.read_string(source.address, source.space, destination, source.size)
        return destination


class _Buf(Function):
    name = "buf"
    usage = ("buf(POINTER, LENGTH)", "buf(ARRAY)")
    doc = (
        "LENGTH bytes of memory, at most `max_strlen`; shown as text with `\\x..` for what is not printable."
    )
    arity = (1, 2)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        limit = string_limit(cx)
        t = cx.type_of(call.args[0])
        if t is not None and not isinstance(t, Pointer | Integer | String | Array):
            cx.report(error("type-mismatch", f"`buf()` wants a pointer, this is `{t}`", call.args[0].span))
            return None
        if len(call.args) == 2:
            wants_integer(cx, call, call.args[1])
            length = cx.constant(call.args[1])
            return Buffer(limit if length is None else max(0, min(length, limit)))
        if isinstance(t, Array):
            return Buffer(min(t.size, limit))
        if t is not None:
            cx.report(
                error("wrong-arguments", "`buf()` wants a length where it is not given an array", call.span)
            )
        return None

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        buffer = lo.type_of(call)
        assert isinstance(buffer, Buffer)
        t = lo.type_of(call.args[0])
        address = lo.value(call.args[0])
        space = t.space if isinstance(t, Pointer) else "user" if isinstance(t, Integer) else "kernel"
        length: Value | int = buffer.capacity
        if len(call.args) == 2 and lo.constant(call.args[1]) is None:
            wanted = lo.value(call.args[1])
            length = b.select(b.cmp(Cond.ULT, wanted, buffer.capacity), wanted, buffer.capacity)
        destination = lo.place(buffer)
        lo.clear(destination, buffer.size)
        if buffer.capacity:
            failed = lo.read_bytes(address, space, b.ptr_add(destination, b.const(4)), length)
            length = b.select(b.cmp(Cond.EQ, failed, 0), length, 0)
        b.store(4, destination, length)
        return destination


FUNCTIONS = (_Str(), _Buf())

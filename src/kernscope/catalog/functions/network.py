"""Network addresses: `ntop` and `macaddr` show bytes as text, `pton` reads text when compiling."""

from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.catalog.functions.checks import literal_text, wants_integer
from kernscope.diagnostics import error
from kernscope.syntax.ast import Call, FieldAccess
from kernscope.types import UINT8, Array, Integer, Pointer, String, Symbolic, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]

AF_INET, AF_INET6 = 2, 10
"""Address families of include/linux/socket.h."""

INET = Symbolic("inet", 3)
"""A word with the address family and the address's bytes, zero behind them."""

MACADDR = Symbolic("macaddr")

_MAC_BYTES = 6


class _Ntop(Function):
    name = "ntop"
    usage = ("ntop(ADDRESS)", "ntop(FAMILY, ADDRESS)")
    doc = (
        "An internet address as text: ADDRESS is a number (IPv4, in network byte order) or an array of 4 or 16 "
        "bytes; FAMILY is `AF_INET` (2) or `AF_INET6` (10)."
    )
    arity = (1, 2)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        if len(call.args) == 2:
            wants_integer(cx, call, call.args[0])
        address = call.args[-1]
        t = cx.type_of(address)
        if isinstance(t, Array) and t.size not in (4, 16):
            cx.report(
                error("type-mismatch", f"an address has 4 or 16 bytes, this has {t.size}", address.span)
            )
        elif t is not None and not isinstance(t, Array | Integer):
            cx.report(
                error(
                    "type-mismatch",
                    f"`ntop()` wants a number or an array of 4 or 16 bytes, this is `{t}`",
                    address.span,
                )
            )
        return INET

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        address = call.args[-1]
        t = lo.type_of(address)
        family: Value | int
        if len(call.args) == 2:
            family = b.ext(lo.value(call.args[0]), 32, False)
        else:
            family = AF_INET6 if t.size == 16 and isinstance(t, Array) else AF_INET
        if isinstance(t, Integer):
            first: Value | int = b.ext(lo.value(address), 32, False)
        place = lo.place(INET)
        lo.clear(place, INET.size)
        if isinstance(t, Integer):
            b.store(8, place, first, 8)
        else:
            lo.into(address, b.ptr_add(place, b.const(8)), t)
        b.store(8, place, family)
        return place


class _Pton(Function):
    name = "pton"
    usage = ("pton(TEXT)",)
    doc = "The bytes of an internet address that is written as text: an array of 4 or of 16."
    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        cx.type_of(call.args[0])
        text = literal_text(cx, call, call.args[0], "an address")
        if text is None:
            return None
        import socket

        family = socket.AF_INET6 if ":" in text else socket.AF_INET
        try:
            content = socket.inet_pton(family, text)
        except (OSError, ValueError):
            cx.report(
                error(
                    "wrong-arguments",
                    f"`{text}` is not an internet address",
                    call.args[0].span,
                    help='write it as `"192.0.2.1"` or `"2001:db8::1"`',
                )
            )
            return None
        cx.keep(call, content)
        return Array(UINT8, len(content))

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        content = lo.kept(call)
        assert isinstance(content, bytes)
        return lo.global_address(lo.constant_table(content))


class _Macaddr(Function):
    name = "macaddr"
    usage = ("macaddr(BYTES)", "macaddr(POINTER)")
    doc = "Six bytes as a hardware address, `18:C0:4D:08:2E:BB`."
    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        t = cx.type_of(call.args[0])
        member = isinstance(t, Array) or (isinstance(t, String) and isinstance(call.args[0], FieldAccess))
        array = t is not None and member and t.size >= _MAC_BYTES
        if t is not None and not array and not isinstance(t, Pointer | Integer):
            cx.report(
                error(
                    "type-mismatch",
                    f"`macaddr()` wants an array of 6 bytes or a pointer to them, this is `{t}`",
                    call.args[0].span,
                )
            )
        return MACADDR

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        t = lo.type_of(call.args[0])
        if isinstance(t, String):
            place = lo.place(MACADDR)
            b.store(8, place, 0)
            lo.raw_bytes(call.args[0], place, _MAC_BYTES)
            return b.load(8, place)
        address = lo.value(call.args[0])
        if isinstance(t, Array):
            low, high = b.load(4, address), b.load(2, address, 4)
            return b.or_(low, b.shl(high, 32))
        place = lo.place(MACADDR)
        b.store(8, place, 0)
        space = t.space if isinstance(t, Pointer) else "user"
        lo.read_bytes(address, "user" if space == "user" else "kernel", place, _MAC_BYTES)
        return b.load(8, place)


FUNCTIONS = (_Ntop(), _Pton(), _Macaddr())

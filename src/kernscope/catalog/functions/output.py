"""Functions that show something: `printf`, `print`, `join`, `time`, `strftime`."""

from kernscope.catalog.aggregations import AGGREGATIONS
from kernscope.catalog.base import CheckContext, Function, LowerContext, StringSource
from kernscope.catalog.functions.checks import literal_text, string_limit, wants_integer
from kernscope.diagnostics import error
from kernscope.output.printf import Conversion, accepts, is_supported, parse_format
from kernscope.ssa import Cond
from kernscope.syntax.ast import Call, Expr, Identifier, MapRef
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import (
    NONE,
    UINT32,
    Aggregate,
    Buffer,
    Integer,
    Pointer,
    String,
    Symbolic,
    Type,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["FUNCTIONS", "Formatted", "format_of"]


def _readable(t: Type) -> Type:
    """The type in which a value travels: an aggregation's integer instead of its cells."""
    return t.number if isinstance(t, Aggregate) else t


class Formatted(Function):
    """A function with the arguments of printf()."""

    arity = (1, None)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        types = [cx.type_of(arg) for arg in call.args[1:]]
        text = literal_text(cx, call, call.args[0], "a format")
        if text is None:
            return NONE
        conversions = [part for part in parse_format(text) if isinstance(part, Conversion)]
        if len(conversions) != len(types):
            cx.report(
                error(
                    "format-arguments",
                    f"the format wants {_count(len(conversions), 'value')}, {len(types)} given",
                    call.span,
                )
            )
            return NONE
        for conversion, t, arg in zip(conversions, types, call.args[1:]):
            if t is not None:
                self._check_value(cx, conversion, t, arg)
        cx.keep(call, (text, [t and _readable(t) for t in types]))
        return NONE

    @staticmethod
    def _check_value(cx: CheckContext, conversion: Conversion, t: Type, arg: Expr) -> None:
        if not is_supported(conversion):
            cx.report(
                error(
                    "format-arguments",
                    f"`{conversion!r}` is for floating-point numbers, which do not exist in the kernel",
                    arg.span,
                    help="use `%d`",
                )
            )
            return
        if isinstance(t, Aggregate) and not AGGREGATIONS[t.kind].scalar:
            cx.report(
                error(
                    "format-arguments",
                    f"a `{t.kind}()` map has no single value to print",
                    arg.span,
                    help="print the map with `print(@name)`",
                )
            )
        elif t == NONE or not accepts(conversion, _readable(t)):
            wanted = "a buffer" if conversion.letter.startswith("r") else "a number"
            cx.report(
                error(
                    "format-arguments",
                    f"`{conversion!r}` wants {wanted}, this is `{t}`",
                    arg.span,
                    help="use `%s`" if isinstance(t, String | Symbolic | Buffer) else None,
                )
            )


class _Printf(Formatted):
    name = "printf"
    usage = ("printf(FORMAT, VALUE…)",)
    doc = "Print a formatted line: `%d %u %x %o %c %p %s %r` with flags, width and length as in C."

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        text, types = format_of(lo, call)
        lo.send(lo.record("printf", types, text=text, span=call.span), call.args[1:])
        return None


def format_of(lo: LowerContext, call: Call) -> "tuple[str, list[Type]]":
    """The format of a call that `Formatted` has checked, and the types of its values."""
    kept = lo.kept(call)
    assert isinstance(kept, tuple)
    text, types = kept
    return text, types


class _Print(Function):
    name = "print"
    usage = ("print(VALUE)", "print(@map)", "print(@map, TOP)", "print(@map, TOP, DIVISOR)")
    doc = "Print a value, or a whole map: its largest TOP entries, values divided by DIVISOR."
    arity = (1, 3)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        first = call.args[0]
        if isinstance(first, MapRef) and first.keys is None:
            facts = cx.use_map(first, "whole")
            numbers = []
            for arg in call.args[1:]:
                cx.type_of(arg)
                number = cx.constant(arg)
                if number is None:
                    cx.report(
                        error("constant-needed", "`print()` wants a number that is known here", arg.span)
                    )
                numbers.append(number or 0)
            cx.keep(call, (f"@{facts.name}", *numbers))
            return NONE
        if len(call.args) > 1:
            cx.report(
                error(
                    "wrong-arguments",
                    "only a whole map can be printed with a top and a divisor",
                    call.args[1].span,
                )
            )
        t = cx.type_of(first)
        if t == NONE:
            cx.report(error("type-mismatch", "there is no value to print", first.span))
        elif isinstance(t, Aggregate) and isinstance(first, MapRef) and not AGGREGATIONS[t.kind].scalar:
            if not AGGREGATIONS[t.kind].block:
                cx.keep(call, first)
                return NONE
            cx.report(
                error(
                    "type-mismatch",
                    f"one entry of a `{t.kind}()` map cannot be printed",
                    first.span,
                    help="print the whole map: `print(@name)`",
                )
            )
        return NONE

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        kept = lo.kept(call)
        if isinstance(kept, tuple):
            name, *numbers = kept
            top, div = ([*numbers, 0, 0])[:2]
            record = lo.record("print_map", (), text=name, values=(top, div), span=call.span)
            lo.send_control(record, ())
            return None
        if isinstance(kept, MapRef):
            # user space reads the entry: its cells lie on all CPUs
            record = lo.record("print_keyed", (lo.map_key(kept),), text=f"@{kept.name}", span=call.span)
            lo.send_map_key(record, kept)
            return None
        first = call.args[0]
        lo.send(lo.record("print_value", (_readable(lo.type_of(first)),), span=call.span), (first,))
        return None


class _Join(Function):
    name = "join"
    usage = ("join(POINTERS)", "join(POINTERS, SEPARATOR)")
    doc = "Print the strings of a NULL-ended array such as `args.argv`, joined by a blank."
    arity = (1, 2)

    LIMIT = 16

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        t = cx.type_of(call.args[0])
        if t is not None and not isinstance(t, Pointer | Integer):
            cx.report(
                error(
                    "type-mismatch", f"`join()` wants a pointer to strings, this is `{t}`", call.args[0].span
                )
            )
        separator: str | None = " "
        if len(call.args) == 2:
            cx.type_of(call.args[1])
            separator = literal_text(cx, call, call.args[1], "a separator")
        cx.keep(call, separator)
        return NONE

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        t = lo.type_of(call.args[0])
        space = t.space if isinstance(t, Pointer) else "user"
        array = lo.value(call.args[0])
        size = string_limit(lo)
        types = (UINT32, *([String(size)] * self.LIMIT))
        record = lo.record("join", types, text=str(lo.kept(call)), span=call.span)
        slot = b.frame_addr(b.frame(8))
        reader = HELPER_IDS[f"probe_read_{'user' if space == 'user' else 'kernel'}"]
        pointers: list[Value] = []
        count: Value = b.const(0)
        going: Value = b.const(1)
        for i in range(self.LIMIT):
            b.store(8, slot, 0)
            b.call(reader, slot, 8, b.add(array, 8 * i))
            pointer = b.load(8, slot)
            going = b.and_(going, b.cmp(Cond.NE, pointer, 0))
            pointers.append(b.mul(pointer, going))
            count = b.add(count, going)
        lo.send(record, (count, *(StringSource(p, space, size) for p in pointers)))
        return None


class _Time(Function):
    name = "time"
    usage = ("time()", "time(FORMAT)")
    doc = "Print the time of day, by default as `%H:%M:%S` on a line."
    arity = (0, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        text: str | None = "%H:%M:%S\n"
        if call.args:
            cx.type_of(call.args[0])
            text = literal_text(cx, call, call.args[0], "a format")
        cx.keep(call, text)
        return NONE

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        lo.send(lo.record("time", (), text=str(lo.kept(call)), span=call.span), ())
        return None


class _Strftime(Function):
    name = "strftime"
    usage = ("strftime(FORMAT, NSECS)",)
    doc = "A time as text: `nsecs`, or `nsecs(CLOCK)` itself of another clock; `%f` gives microseconds."
    arity = (2, 2)

    CLOCKS = {"tai": "strftime_tai", "sw_tai": "strftime_tai", "monotonic": "strftime_monotonic"}

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        wants_integer(cx, call, call.args[1])
        cx.type_of(call.args[0])
        cx.keep(call, literal_text(cx, call, call.args[0], "a format"))
        return Symbolic(self.CLOCKS.get(_clock_of(call.args[1]), "strftime"), 2)

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        time = lo.value(call.args[1])
        destination = lo.place(lo.type_of(call))
        b.store(8, destination, time, 0)
        b.store(8, destination, lo.constant_text(str(lo.kept(call))), 8)
        return destination


def _clock_of(expr: Expr) -> str:
    """The clock that a time is read from right there: `nsecs(tai)`."""
    if isinstance(expr, Call) and len(expr.args) == 1 and isinstance(expr.args[0], Identifier):
        return expr.args[0].name
    return ""


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


FUNCTIONS = (_Printf(), _Print(), _Join(), _Time(), _Strftime())

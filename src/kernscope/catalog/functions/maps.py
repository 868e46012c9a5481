"""Functions on maps: `clear`, `zero`, `delete`, `has_key`, `len`."""

from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.catalog.functions.checks import wants_map
from kernscope.diagnostics import error
from kernscope.syntax.ast import Call, MapRef
from kernscope.types import BOOL, NONE, UINT64, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]


class _Command(Function):
    """User space does it, after what was sent before."""

    arity = (1, 1)

    def __init__(self, name: str, doc: str) -> None:
        self.name, self.doc = name, doc
        self.usage = (f"{name}(@map)",)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        facts = wants_map(cx, call, call.args[0], "reset", keyed=False)
        if facts is not None:
            cx.keep(call, f"@{facts.name}")
        return NONE

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        lo.send_control(lo.record(self.name, (), text=str(lo.kept(call)), span=call.span), ())
        return None


class _WithKey(Function):
    """`f(@map, key)`, and for `delete` also the older `f(@map[key])`."""

    how = ""
    arity = (1, 2)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        first = call.args[0]
        if len(call.args) == 2:
            if not isinstance(first, MapRef) or first.keys is not None:
                cx.report(error("wrong-arguments", f"`{self.name}()` wants a map first: `@name`", first.span))
                return BOOL
            ref = MapRef(first.name, [call.args[1]], first.span)
        elif isinstance(first, MapRef):
            ref = first
        else:
            wants_map(cx, call, first, self.how, keyed=True)
            return BOOL
        cx.use_map(ref, self.how)
        cx.keep(call, ref)
        return BOOL


class _Delete(_WithKey):
    name = how = "delete"
    usage = ("delete(@map, KEY)", "delete(@scalar)")
    doc = "Remove an entry; true if it was there."

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        ref = lo.kept(call)
        assert isinstance(ref, MapRef)
        return lo.map_delete(ref)


class _HasKey(_WithKey):
    name = how = "has_key"
    usage = ("has_key(@map, KEY)",)
    doc = "Whether a map has an entry for a key."
    arity = (2, 2)

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        ref = lo.kept(call)
        assert isinstance(ref, MapRef)
        return lo.map_key_exists(ref)


class _Len(Function):
    name = "len"
    usage = ("len(@map)",)
    doc = "How many entries a map has."
    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        facts = wants_map(cx, call, call.args[0], "len", keyed=False)
        if facts is not None and facts.key is None and facts.value is not None:
            cx.report(error("wrong-arguments", f"`@{facts.name}` has no keys to count", call.args[0].span))
        return UINT64

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        ref = call.args[0]
        assert isinstance(ref, MapRef)
        return lo.map_length(ref)


FUNCTIONS = (
    _Command("clear", "Remove all entries of a map."),
    _Command("zero", "Set all values of a map to zero and keep the keys."),
    _Delete(),
    _HasKey(),
    _Len(),
)

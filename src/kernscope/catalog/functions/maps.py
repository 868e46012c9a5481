"""Functions on maps: `clear`, `zero`, `delete`, `has_key`, `len`."""

from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.catalog.functions.checks import wants_map
from kernscope.diagnostics import error
from kernscope.output.stacks import KERNEL_STACK_WORDS, STACK_KINDS
from kernscope.ssa import Cond
from kernscope.syntax.ast import Call, MapRef
from kernscope.types import BOOL, NONE, UINT64, Symbolic, Type

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
    usage = ("len(@map)", "len(STACK)")
    doc = "How many entries a map has, or how many frames a stack."
    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        arg = call.args[0]
        if not isinstance(arg, MapRef) or arg.keys is not None or self._holds_stack(cx, arg):
            t = cx.type_of(arg)
            if t is not None and not _is_stack(t):
                cx.report(error("type-mismatch", f"`len()` wants a map or a stack, this is `{t}`", arg.span))
            cx.keep(call, "stack")
            return UINT64
        facts = cx.use_map(arg, "len")
        if facts.key is None and facts.value is not None:
            cx.report(error("wrong-arguments", f"`@{facts.name}` has no keys to count", arg.span))
        return UINT64

    @staticmethod
    def _of_kernel(lo: LowerContext, call: Call) -> bool:
        t = lo.type_of(call.args[0])
        return isinstance(t, Symbolic) and t.words == KERNEL_STACK_WORDS

    @staticmethod
    def _holds_stack(cx: CheckContext, ref: MapRef) -> bool:
        t = cx.map_value(ref.name)
        return t is not None and _is_stack(t)

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        if lo.kept(call) is not None:
            # the low half of a stack's second word is the number of frames, some of them hidden ones; the
            # next sixteen bits are the most that are shown
            stack = lo.value(call.args[0])
            depth, limit = b.load(4, stack, 8), b.load(2, stack, 12)
            if self._of_kernel(lo, call):
                hidden = max(t.kind.hidden_frames for t in lo.targets)
                depth = b.select(b.cmp(Cond.UGT, depth, hidden), b.sub(depth, hidden), 0)
            return b.select(b.cmp(Cond.ULT, depth, limit), depth, limit)
        ref = call.args[0]
        assert isinstance(ref, MapRef)
        return lo.map_length(ref)


def _is_stack(t: Type) -> bool:
    return isinstance(t, Symbolic) and t.kind in STACK_KINDS


FUNCTIONS = (
    _Command("clear", "Remove all entries of a map."),
    _Command("zero", "Set all values of a map to zero and keep the keys."),
    _Delete(),
    _HasKey(),
    _Len(),
)

"""`find`: a map's entry, if there is one, in one call."""

from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.diagnostics import error
from kernscope.syntax.ast import Assign, Call, MapRef, Variable
from kernscope.types import BOOL, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]


class _Find(Function):
    name = "find"
    usage = ("find(@map, KEY, $variable)",)
    doc = "Whether a map has an entry for KEY; if so, its value is assigned to the variable."
    arity = (3, 3)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        place, key, variable = call.args
        if not isinstance(place, MapRef) or place.keys is not None:
            cx.report(error("wrong-arguments", "`find()` wants a map first: `@name`", place.span))
            return BOOL
        if not isinstance(variable, Variable):
            cx.report(
                error("wrong-arguments", "`find()` wants a variable at the end: `$name`", variable.span)
            )
            return BOOL
        ref = MapRef(place.name, [key], place.span)
        cx.use_map(ref, "has_key")
        cx.type_of(variable)
        # without a span of its own, so that a type that does not fit is reported at the variable
        assignment = Assign(variable, None, ref, variable.span)
        cx.assign(assignment)
        cx.keep(call, assignment)
        return BOOL

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        assignment = lo.kept(call)
        assert isinstance(assignment, Assign) and isinstance(assignment.value, MapRef)
        there = lo.map_key_exists(assignment.value)
        found, done = b.block("found"), b.block("looked")
        b.branch(there, found, done)
        b.seal(found)
        b.position(found)
        lo.assign(assignment)
        b.jump(done)
        b.seal(done)
        b.position(done)
        return there


FUNCTIONS = (_Find(),)

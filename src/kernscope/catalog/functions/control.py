"""Functions about the run itself, and the clocks: `exit`, `nsecs(CLOCK)`."""

from kernscope.bundle.globals_layout import EXIT_FLAG, TAI_OFFSET_NS
from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.catalog.functions.checks import wants_integer
from kernscope.diagnostics import error, suggest
from kernscope.syntax.ast import Call, Identifier
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import INT64, NONE, UINT64, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]


class _Exit(Function):
    name = "exit"
    usage = ("exit()", "exit(CODE)")
    doc = "End the program: `end` probes run, maps are printed; CODE becomes the exit code."
    arity = (0, 1)
    ends_program = True

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        for arg in call.args:
            wants_integer(cx, call, arg)
        return NONE

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        code = lo.value(call.args[0]) if call.args else b.const(0)
        lo.send_control(lo.record("exit", (INT64,), span=call.span), (code,))
        b.store(8, lo.global_address(EXIT_FLAG), 1)
        lo.leave()
        return None


class _Clock(Function):
    name = "nsecs"
    usage = ("nsecs(boot)", "nsecs(monotonic)", "nsecs(tai)", "nsecs(sw_tai)")
    doc = "Nanoseconds of one of the kernel's clocks."
    arity = (1, 1)

    CLOCKS = {
        "boot": "ktime_get_boot_ns",
        "monotonic": "ktime_get_ns",
        "tai": "ktime_get_tai_ns",
        "sw_tai": "ktime_get_boot_ns",
    }

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        clock = call.args[0]
        name = clock.name if isinstance(clock, Identifier) else ""
        if name not in self.CLOCKS:
            near = suggest(name, self.CLOCKS)
            cx.report(
                error(
                    "wrong-arguments",
                    f"there is no clock `{name or clock.span.text}`",
                    clock.span,
                    notes=f"the clocks are: {', '.join(f'`{c}`' for c in self.CLOCKS)}",
                    help=f"did you mean `{near}`?" if near else None,
                )
            )
            return None
        if name == "tai" and not cx.kernel.has_feature("ktime_get_tai_ns"):
            cx.report(
                error(
                    "not-available-here",
                    "this kernel does not give programs the clock `tai`",
                    clock.span,
                    notes="it came with Linux 6.1",
                    help="`nsecs(sw_tai)` is nearly the same",
                )
            )
        cx.keep(call, name)
        return UINT64

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        name = str(lo.kept(call))
        time = b.call(HELPER_IDS[self.CLOCKS[name]])
        if name == "sw_tai":
            return b.add(time, b.load(8, lo.global_address(TAI_OFFSET_NS)))
        return time


FUNCTIONS = (_Exit(), _Clock())

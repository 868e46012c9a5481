"""What user space does or says in the order of events, so that nothing of it is lost: `errorf`, `cat`, `system`, …"""

from kernscope.bundle.globals_layout import EXIT_FLAG
from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.catalog.functions.checks import literal_text, wants_unsafe
from kernscope.catalog.functions.output import Formatted, format_of
from kernscope.syntax.ast import Call
from kernscope.types import INT64, NONE, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]


class _Sent(Formatted):
    """Sends its values to an action of the control ring."""

    action = ""

    def constants(self, lo: LowerContext) -> tuple[object, ...]:
        return ()

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        text, types = format_of(lo, call)
        record = lo.record(self.action, types, text=text, values=self.constants(lo), span=call.span)
        lo.send_control(record, call.args[1:])
        return None


class _Complain(_Sent):
    action = "complain"

    def __init__(self, name: str, severity: str, doc: str) -> None:
        self.name, self.severity, self.doc = name, severity, doc
        self.usage = (f"{name}(FORMAT, VALUE…)",)

    def constants(self, lo: LowerContext) -> tuple[object, ...]:
        return (self.severity,)


class _Cat(_Sent):
    name = action = "cat"
    usage = ("cat(FORMAT, VALUE…)",)
    doc = "Print what a file says; its name is formatted as by `printf`. At most `max_cat_bytes` are read."

    def constants(self, lo: LowerContext) -> tuple[object, ...]:
        return (lo.config["max_cat_bytes"],)


class _System(_Sent):
    name = action = "system"
    usage = ("system(FORMAT, VALUE…)",)
    doc = "Run a command in a shell and print what it prints; events are handled when it has ended. Unsafe."

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        wants_unsafe(cx, call)
        return super().check(cx, call)


class _Assert(Function):
    name = "assert"
    usage = ("assert(CONDITION, MESSAGE)",)
    doc = "End the program with exit code 1, telling MESSAGE, where CONDITION is false."
    arity = (2, 2)
    ends_program = True

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        cx.condition(call.args[0])
        cx.type_of(call.args[1])
        cx.keep(call, literal_text(cx, call, call.args[1], "a message"))
        return NONE

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        failed, holds = b.block("failed", likely=False), b.block("holds")
        b.branch(lo.truth(call.args[0]), holds, failed)
        b.seal(failed)
        b.position(failed)
        text = "assert failed: " + str(lo.kept(call)).replace("%", "%%")
        lo.send_control(lo.record("complain", (), text=text, values=("error",), span=call.span), ())
        lo.send_control(lo.record("exit", (INT64,), span=call.span), (b.const(1),))
        b.store(8, lo.global_address(EXIT_FLAG), 1)
        lo.leave()
        b.seal(holds)
        b.position(holds)
        return None


FUNCTIONS = (
    _Complain("errorf", "error", "Print a formatted error with the place in the program, on standard error."),
    _Complain("warnf", "warning", "The same as a warning, which `--no-warnings` keeps quiet."),
    _Cat(),
    _System(),
    _Assert(),
)

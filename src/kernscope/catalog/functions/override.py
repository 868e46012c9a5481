"""`override()`: a function of the kernel returns at once, with the result that the program wants.

The kernel allows it for functions that are marked for error injection (ALLOW_ERROR_INJECTION of
include/asm-generic/error-injection.h), system calls among them.
"""

from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.diagnostics import error, suggest
from kernscope.syntax.ast import Call
from kernscope.tables.helpers import HELPER_IDS
from kernscope.types import NONE, Type

from .checks import wants_integer, wants_unsafe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]


class _Override(Function):
    name = "override"
    usage = ("override(RESULT)",)
    doc = "Let the kernel's function return RESULT at once, without running. For `kprobe`. Unsafe."
    arity = (1, 1)

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        wants_integer(cx, call, call.args[0])
        other = next((t for t in cx.targets if not t.kind.overrides), None)
        if other is not None:
            cx.report(
                error(
                    "not-available-here",
                    f"`override()` does not work in `{other.name}`",
                    call.span,
                    label="only in `kprobe`",
                )
            )
            return NONE
        wants_unsafe(cx, call)
        if not cx.kernel.has_feature("override_return"):
            cx.report(
                error(
                    "not-supported-here",
                    "this kernel does not let programs change what functions return",
                    call.span,
                    notes="it was built without CONFIG_BPF_KPROBE_OVERRIDE",
                )
            )
            return NONE
        self._check_targets(cx, call)
        return NONE

    @staticmethod
    def _check_targets(cx: CheckContext, call: Call) -> None:
        """Where the kernel says for which functions it is allowed, the targets are among them."""
        allowed = cx.kernel.functions().injectable()
        if allowed is None:
            return
        for target in cx.targets:
            name = str(target.key[0])
            if name not in allowed:
                near = suggest(name, allowed)
                cx.report(
                    error(
                        "not-available-here",
                        f"`override()` does not work in `{target.name}`",
                        call.span,
                        notes="the kernel allows it for functions that are marked for error injection: "
                        "/sys/kernel/debug/error_injection/list",
                        help=f"near it is `kprobe:{near}`" if near else None,
                    )
                )
                return

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        lo.b.call(HELPER_IDS["override_return"], lo.context, lo.value(call.args[0]))
        return None


FUNCTIONS = (_Override(),)

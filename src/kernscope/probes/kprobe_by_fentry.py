"""`kprobe` and `kretprobe` where a kernel has only `fentry`: whole functions, their arguments and results."""

from kernscope.kernel.functions import KERNEL_ITSELF
from kernscope.tables.bpf import AttachType
from kernscope.types import UINT64, Struct, Type

from .base import EventReader, Report, Target
from .functions import TypedFunctionKind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts
    from kernscope.ssa import Value
    from kernscope.syntax.ast import AttachPoint

    from .kprobe import FunctionKind

__all__ = ["BY_FENTRY", "expand"]


class _ByFentry(TypedFunctionKind):
    """A program for `fentry` or `fexit` that shows what a kprobe does: words instead of types, and no registers."""

    has_func = True
    most_args = 10
    hidden_frames, most_hidden_frames = 2, 3

    def __init__(self, provider: str, at_return: bool) -> None:
        self.providers = (provider,)
        self.at_return = at_return
        self.attach_type = AttachType.TRACE_FEXIT if at_return else AttachType.TRACE_FENTRY

    def args(self, kernel: "KernelFacts", target: Target) -> Struct | None:
        return None

    def arg_count(self, kernel: "KernelFacts", target: Target) -> int:
        from .function_targets import function_of

        known = len(function_of(kernel, target).parameters)
        return 0 if self.at_return else min(known, len(kernel.arch.function_arguments))

    def retval(self, kernel: "KernelFacts", target: Target) -> Type | None:
        return UINT64 if self.at_return else None

    def load_retval(self, reader: EventReader, event: object, target: Target) -> "Value":
        # What a `void` function leaves in the register of the result is nobody's; here it is 0.
        known = super().retval(reader.kernel, target)
        return super().load_retval(reader, event, target) if known is not None else reader.builder.const(0)


BY_FENTRY = (
    _ByFentry("fentry_instead_of_kprobe", False),
    _ByFentry("fexit_instead_of_kretprobe", True),
)


def expand(
    point: "AttachPoint", kernel: "KernelFacts", report: Report, named: "FunctionKind"
) -> list[Target]:
    """The targets of an attach point of the kind `named`."""
    from . import function_targets

    provider = named.providers[0]
    kind = BY_FENTRY[named.at_return]
    found = []
    for target in function_targets.expand(point, kernel, report, named):
        module, function = str(target.key[0]), str(target.key[1])
        prefix = f"{module}:" if len(point.args) == 2 or module != KERNEL_ITSELF else ""
        found.append(Target(kind, f"{provider}:{prefix}{function}", target.key))
    return found

"""Whether the kernel lets a program of its type call the helpers that it calls.

Programs on packets and sockets may call fewer than others, and which ones differs from kernel to kernel: so it is
asked, about each helper that a program of a kind with `limited_helpers` calls.
"""

from kernscope.diagnostics import CompileError, Span, error, root_span
from kernscope.probes import ProgramShape
from kernscope.ssa import Module, Op
from kernscope.tables.helpers import HELPER_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts

__all__ = ["check_helper_calls"]


def check_helper_calls(module: Module, shape: ProgramShape, kernel: "KernelFacts", place: Span) -> None:
    """Raise CompileError for what an action uses that needs a helper which is not for its programs."""
    asked: dict[int, bool] = {}
    found = {}
    for function in module.functions:
        for block in function.blocks:
            for value in block.insns:
                if value.op != Op.CALL:
                    continue
                if value.imm not in asked:
                    asked[value.imm] = kernel.has_helper(shape.type, shape.expected_attach_type, value.imm)
                if not asked[value.imm]:
                    span = value.tag if isinstance(value.tag, Span) else place
                    found[span.start, span.end] = error(
                        "not-available-here",
                        f"`{root_span(span).text}` is not possible in `{shape.attach[0].probe}`",
                        span,
                        notes=f"this kernel does not let such programs call `bpf_{HELPER_NAMES[value.imm]}()`",
                    )
    if found:
        raise CompileError(list(found.values()))

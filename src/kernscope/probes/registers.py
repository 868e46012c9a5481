"""Probes whose context is `struct pt_regs`, the registers at the event: arguments and results by register.

The registers' places, and which of them carry arguments and results, are in `kernscope.tables.arch`.
"""

from kernscope.types import UINT64, Type

from .base import EventReader, ProbeKind, Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts
    from kernscope.ssa import Value

__all__ = ["RegisterKind"]


class RegisterKind(ProbeKind):
    """Base of the kinds of probes on functions. `at_return`: they fire when the function returns."""

    registers = True
    at_return = False

    def arg_count(self, kernel: "KernelFacts", target: Target) -> int:
        return min(self.most_args, len(kernel.arch.function_arguments))

    def load_positional(self, reader: EventReader, event: object, index: int, target: Target) -> "Value":
        return self.register(reader, reader.kernel.arch.function_arguments[index])

    def retval(self, kernel: "KernelFacts", target: Target) -> Type | None:
        return UINT64 if self.at_return else None

    def load_retval(self, reader: EventReader, event: object, target: Target) -> "Value":
        return self.register(reader, reader.kernel.arch.return_register)

    def func_address(self, reader: EventReader, event: object, target: Target) -> "Value":
        return self.register(reader, reader.kernel.arch.program_counter)

    def register(self, reader: EventReader, name: str) -> "Value":
        """A register's value at the event."""
        return reader.builder.load(8, reader.context, reader.kernel.arch.register_offsets[name])

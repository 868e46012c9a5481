"""A kernel that tells what its verifier says of each program, also of those that it accepts."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kernscope.kernel.kernel import Kernel
    from kernscope.kernel.program import Program

__all__ = ["LoggingKernel"]

_EVERY_INSTRUCTION = 2
"""BPF_LOG_LEVEL2 (include/linux/bpf_verifier.h)."""


class LoggingKernel:
    """As `kernel`; `tell(program name, log)` is called for each program that is loaded."""

    def __init__(self, kernel: "Kernel", tell: "Callable[[str, str], None]") -> None:
        self._kernel, self._tell = kernel, tell

    def __getattr__(self, name: str) -> "Any":
        return getattr(self._kernel, name)

    def prog_load(self, type: int, code: bytes, **options: "Any") -> "Program":
        """As `Kernel.prog_load`, slower."""
        program = self._kernel.prog_load(type, code, **options | {"log_level": _EVERY_INSTRUCTION})
        self._tell(str(options.get("name", "")), program.log)
        return program

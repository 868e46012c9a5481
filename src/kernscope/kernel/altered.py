"""Kernels that are as `kernel` in all but one respect."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from kernscope.kernel.kernel import Kernel
    from kernscope.kernel.program import Program

__all__ = ["LoggingKernel", "PoorerKernel"]

_EVERY_INSTRUCTION = 2
"""BPF_LOG_LEVEL2 (include/linux/bpf_verifier.h)."""


class LoggingKernel:
    """Tells what its verifier says of each program, also of those that it accepts: `tell(name, log)`."""

    def __init__(self, kernel: "Kernel | PoorerKernel", tell: "Callable[[str, str], None]") -> None:
        self._kernel, self._tell = kernel, tell

    def __getattr__(self, name: str) -> "Any":
        return getattr(self._kernel, name)

    def prog_load(self, type: int, code: bytes, **options: "Any") -> "Program":
        """As `Kernel.prog_load`, slower."""
        program: Program = self._kernel.prog_load(type, code, **options | {"log_level": _EVERY_INSTRUCTION})
        self._tell(str(options.get("name", "")), program.log)
        return program


class PoorerKernel:
    """Says that it does not have some features."""

    def __init__(self, kernel: "Kernel", missing: "Collection[str]") -> None:
        self._kernel, self._missing = kernel, frozenset(missing)

    def __getattr__(self, name: str) -> "Any":
        return getattr(self._kernel, name)

    def has_feature(self, name: str) -> bool:
        """Whether it works and is not among those that must not be used."""
        return name not in self._missing and self._kernel.has_feature(name)

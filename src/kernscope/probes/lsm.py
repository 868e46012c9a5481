"""`lsm:HOOK`: where the kernel asks its security modules, with the hook's arguments; verdicts `deny` and `allow`.

The kernel asks the programs on a hook one after the other; the first that returns an error has refused, and the rest
are not asked (BPF_MODIFY_RETURN in arch/x86/net/bpf_jit_comp.c). 0 decides nothing: no program undoes a refusal.
"""

from collections.abc import Sequence

from kernscope.tables.bpf import AttachType, ProgramType

from .base import ProbeKind, Report, Target
from .functions import TypedFunctionKind
from .verdicts import Verdicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts
    from kernscope.syntax.ast import AttachPoint

__all__ = ["LSM", "SERVERS"]


class _Hook(TypedFunctionKind):
    """Programs are loaded for the function `bpf_lsm_HOOK`."""

    program_type = ProgramType.LSM
    attach_type = AttachType.LSM_MAC
    hidden_frames, most_hidden_frames = 3, 4

    def __init__(self, providers: tuple[str, ...], verdicts: Verdicts | None) -> None:
        self.providers, self.verdicts = providers, verdicts


_DECIDES = _Hook(
    ("lsm_decides",), Verdicts(0, {"allow": 0, "deny": None}, takes_errno=True, of_processes=True)
)
_TELLS = _Hook(("lsm_tells",), None)
"""Hooks that only tell the modules of something, or whose result is no error."""

SERVERS: tuple[ProbeKind, ...] = (_DECIDES, _TELLS)
"""The kinds that attach for the one that a program names."""


class _Lsm(ProbeKind):
    providers = ("lsm",)
    syntax = ("lsm:HOOK",)
    doc = (
        "The kernel asks its security modules whether something may be done, for instance `lsm:file_open`; `args` has "
        "the hook's arguments. Verdicts: `deny`, `allow`."
    )

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        from .lsm_targets import expand  # few programs get here

        return expand(point, kernel, report, decides=_DECIDES, tells=_TELLS)

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        if not kernel.has_feature("btf"):
            return ()
        from .lsm_targets import hook_names

        return [f"lsm:{name}" for name in hook_names(kernel)]

    def describe(self, kernel: "KernelFacts", name: str) -> list[tuple[str, str]]:
        from .lsm_targets import describe

        return describe(kernel, name)


LSM = _Lsm()

KINDS: tuple[ProbeKind, ...] = (LSM,)

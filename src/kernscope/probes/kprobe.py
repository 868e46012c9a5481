"""`kprobe` and `kretprobe`: any function of the kernel, when it is entered or when it returns.

Whole functions go to a `kprobe_multi` link, one for all targets of an action: it attaches and detaches once, however
many they are, and can be put wherever ftrace can, which is also the kernel's condition for single probes. Places
inside functions, actions that read any register, and kernels without such links take one perf event each. On a kernel
without kprobes whole functions go to `fentry`, see `kprobe_by_fentry`. How targets are read is in `kprobe_targets`.
"""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.kernel.functions import KERNEL_ITSELF
from kernscope.tables.bpf import AttachType, ProgramType
from kernscope.tables.helpers import HELPER_IDS

from .base import EventReader, ProbeKind, ProgramShape, Report, Target
from .cookies import CookieKind, in_order
from .kprobe_by_fentry import BY_FENTRY
from .registers import RegisterKind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.ssa import Value
    from kernscope.syntax.ast import AttachPoint

__all__ = ["KPROBE", "KRETPROBE", "SERVERS", "FunctionKind", "ways"]


class _Attached(CookieKind, RegisterKind):
    """What both ways of attaching share.

    A target's key: the function (empty where only an address is known), the offset into it or the address, the
    module whose function of that name is meant (empty: any), and whether the program names it without a pattern.
    """

    has_func = True

    def __init__(self, provider: str, at_return: bool) -> None:
        self.providers = (provider,)
        self.at_return = at_return
        self.most_args = 0 if at_return else 10
        self.without_args = f"`{'fexit' if at_return else 'fentry'}` has arguments with types"
        self.overrides = not at_return

    def func_address(self, reader: EventReader, event: object, target: Target) -> "Value":
        if self.at_return:
            return reader.builder.call(HELPER_IDS["get_func_ip"], reader.context)
        return super().func_address(reader, event, target)


class _Multi(_Attached):
    """One link for all functions of an action; the event's cookie is the target's place among them.

    Since Linux 6.14 it has only the registers that functions are called with (`struct ftrace_regs`).
    """

    def refine(
        self, target: Target, kernel: "KernelFacts", *, needs_args: bool, needs_registers: bool
    ) -> Target:
        return Target(_SINGLE[self.at_return], target.name, target.key) if needs_registers else target

    def group(self, target: Target, *, needs_args: bool, needs_probe: bool) -> tuple[object, ...]:
        return self.providers

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        targets = in_order(targets)
        names = tuple(str(t.key[0]) for t in targets)
        modules = tuple(str(t.key[2]) for t in targets)
        named = tuple(i for i, t in enumerate(targets) if t.key[3])
        probe = targets[0].name if len(targets) == 1 else f"{targets[0].name} … ({len(targets)} functions)"
        return ProgramShape(
            names[0],
            ProgramType.KPROBE,
            (Attach(self.providers[0], probe, (names, modules if any(modules) else (), named)),),
            expected_attach_type=AttachType.TRACE_KPROBE_MULTI,
        )

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        from .kprobe_attach import attach_functions  # few programs get here

        return attach_functions(kernel, program, attach, at_return=self.at_return)


class _Single(_Attached):
    """A perf event for each place, whose cookie is the target's place among them."""

    def group(self, target: Target, *, needs_args: bool, needs_probe: bool) -> tuple[object, ...]:
        return self.providers

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        targets = in_order(targets)
        attach = tuple(
            Attach(self.providers[0], t.name, (_symbol(t), t.key[1], self._cookie(i)), named=bool(t.key[3]))
            for i, t in enumerate(targets)
        )
        return ProgramShape(
            str(targets[0].key[0]) or targets[0].name.replace(":", "_"), ProgramType.KPROBE, attach
        )

    def _cookie(self, index: int) -> int:
        return index

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        function, place, cookie = attach.target
        assert isinstance(place, int) and isinstance(cookie, int)
        return [kernel.attach_kprobe(program, str(function), place, at_return=self.at_return, cookie=cookie)]


def _symbol(target: Target) -> str:
    """A function as the kernel looks it up, with its module where that matters (kernel/module/kallsyms.c)."""
    function, _, module, _ = target.key
    return f"{module}:{function}" if module else str(function)


class _Uncounted(_Single):
    """The same on kernels without cookies (before 5.15): where the probe is named, each target takes a program."""

    def __init__(self, provider: str, at_return: bool) -> None:
        super().__init__(provider, at_return)
        self.has_func = not at_return

    def group(self, target: Target, *, needs_args: bool, needs_probe: bool) -> tuple[object, ...]:
        return (*self.providers, target.name if needs_probe else "")

    def _cookie(self, index: int) -> int:
        return 0


_MULTI = (_Multi("kprobe_multi", False), _Multi("kretprobe_multi", True))
_SINGLE = (_Single("kprobe_single", False), _Single("kretprobe_single", True))
_UNCOUNTED = (_Uncounted("kprobe_uncounted", False), _Uncounted("kretprobe_uncounted", True))

SERVERS: tuple[ProbeKind, ...] = (*_MULTI, *_SINGLE, *_UNCOUNTED, *BY_FENTRY)
"""The kinds that attach for the two kinds that a program names."""


def ways(kernel: "KernelFacts", at_return: bool) -> tuple[ProbeKind | None, ProbeKind | None]:
    """The kind for whole functions, and the one for places inside them; None where this kernel has none."""
    if not kernel.has_feature("kprobe"):
        return None, None
    single = _SINGLE if kernel.has_feature("attach_cookie") else _UNCOUNTED
    whole = _MULTI if kernel.has_feature("kprobe_multi") else single
    return whole[at_return], None if at_return else single[at_return]


class FunctionKind(ProbeKind):
    """What a program names; `kprobe_targets` finds the functions and who serves them."""

    def __init__(self, providers: tuple[str, ...], at_return: bool, doc: str) -> None:
        self.providers, self.at_return, self.doc = providers, at_return, doc
        name = providers[0]
        places = () if at_return else (f"{name}:FUNCTION+OFFSET", f"{name}:ADDRESS")
        self.syntax = (f"{name}:FUNCTION", f"{name}:MODULE:FUNCTION", *places)

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        from .kprobe_targets import expand  # few programs get here

        return expand(point, kernel, report, self)

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        if not kernel.has_feature("kprobe") and not kernel.has_feature("fentry"):
            return ()
        return [f"{self.providers[0]}:{name}" for name in kernel.functions().names()]

    def describe(self, kernel: "KernelFacts", name: str) -> list[tuple[str, str]]:
        """The function's parameters, `arg0`, `arg1`, …, as BTF has them; at its return also what it returns."""
        if not kernel.has_feature("btf"):
            return []
        from .function_targets import describe

        module, _, function = name.partition(":")[2].rpartition(":")
        whole = f"{self.providers[0]}:{module or KERNEL_ITSELF}:{function}"
        return describe(kernel, whole, with_result=self.at_return)


KPROBE = FunctionKind(
    ("kprobe", "k"), False, "A function of the kernel is entered, for instance `kprobe:vfs_read`."
)
KRETPROBE = FunctionKind(
    ("kretprobe", "kr"), True, "A function of the kernel returns, for instance `kretprobe:vfs_read`."
)

KINDS: tuple[ProbeKind, ...] = (KPROBE, KRETPROBE)

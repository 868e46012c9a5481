"""Kinds of probes. A new kind is one file with a `ProbeKind`, named in the table here."""

from kernscope.bundle import Attach
from kernscope.diagnostics import error, suggest

from .base import ProbeKind, ProgramShape, Report, Target
from .cgroup import CGROUP
from .cgroup import SERVERS as CGROUP_SERVERS
from .counters import HARDWARE, SOFTWARE
from .functions import FENTRY, FEXIT
from .iterators import ITER
from .kprobe import KPROBE, KRETPROBE
from .kprobe import SERVERS as KPROBE_SERVERS
from .lifecycle import BEGIN, BENCH, END, SELF, TEST
from .lsm import LSM
from .lsm import SERVERS as LSM_SERVERS
from .netfilter import NETFILTER
from .rawtracepoint import RAWTRACEPOINT
from .syscalls import SYSCALL_ENTER, SYSCALL_ENTER_EVENT, SYSCALL_EXIT, SYSCALL_EXIT_EVENT
from .tc import TC
from .timer import INTERVAL, PROFILE
from .tracepoint import BARE_TRACEPOINT, PERF_TRACEPOINT, TRACEPOINT
from .uprobe import SERVERS as UPROBE_SERVERS
from .uprobe import UPROBE, URETPROBE
from .usdt import SERVERS as USDT_SERVERS
from .usdt import USDT
from .watchpoint import ASYNC_WATCHPOINT, WATCHPOINT
from .watchpoint import SERVERS as WATCHPOINT_SERVERS
from .xdp import XDP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.syntax.ast import AttachPoint

__all__ = ["END", "KINDS", "ProbeKind", "ProgramShape", "Target", "attach", "expand", "kind_named"]

KINDS: tuple[ProbeKind, ...] = (
    BEGIN,
    END,
    SELF,
    TEST,
    BENCH,
    INTERVAL,
    PROFILE,
    KPROBE,
    KRETPROBE,
    FENTRY,
    FEXIT,
    UPROBE,
    URETPROBE,
    USDT,
    SOFTWARE,
    HARDWARE,
    WATCHPOINT,
    ASYNC_WATCHPOINT,
    ITER,
    TRACEPOINT,
    RAWTRACEPOINT,
    LSM,
    NETFILTER,
    XDP,
    TC,
    CGROUP,
)
"""What a program can name."""

_ATTACHED: dict[str, ProbeKind] = {
    kind.providers[0]: kind
    for kind in (
        *KINDS,
        *CGROUP_SERVERS,
        *KPROBE_SERVERS,
        *LSM_SERVERS,
        *UPROBE_SERVERS,
        *USDT_SERVERS,
        *WATCHPOINT_SERVERS,
        BARE_TRACEPOINT,
        PERF_TRACEPOINT,
        SYSCALL_ENTER,
        SYSCALL_EXIT,
        SYSCALL_ENTER_EVENT,
        SYSCALL_EXIT_EVENT,
    )
}
_BY_PROVIDER: dict[str, ProbeKind] = {name: kind for kind in KINDS for name in kind.providers}


def kind_named(provider: str) -> ProbeKind | None:
    """The kind that a provider's name or alias selects."""
    return _BY_PROVIDER.get(provider)


def expand(point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
    """The events that an attach point names. Problems go to `report`; then the list is empty."""
    kind = _BY_PROVIDER.get(point.provider)
    if kind is not None:
        return kind.expand(point, kernel, report)
    near = suggest(point.provider, _BY_PROVIDER)
    report(
        error(
            "unknown-probe",
            f"there is no kind of probe `{point.provider}`",
            point.span,
            notes=f"the kinds are: {', '.join(f'`{k.providers[0]}`' for k in KINDS)}",
            help=f"did you mean `{near}`?" if near else None,
        )
    )
    return []


def attach(kernel: "KernelAccess", where: Attach, program: "Program") -> "list[Link]":
    """Attach a loaded program to one target. Raises AttachError or KernelError."""
    return _ATTACHED[where.kind].attach(kernel, where, program)

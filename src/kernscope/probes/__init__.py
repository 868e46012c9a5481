"""Kinds of probes. A new kind is one file with its `KINDS`, named in the table here.

A file is loaded when a program names one of its providers: most programs need one or two of the many.
"""

from kernscope.bundle import Attach
from kernscope.diagnostics import error, suggest

from .base import ProbeKind, ProgramShape, Report, Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.syntax.ast import AttachPoint

    KINDS: tuple[ProbeKind, ...]
    """What a program can name; loads every kind."""

__all__ = ["KINDS", "ProbeKind", "ProgramShape", "Target", "attach", "expand", "kind_named"]

_MODULES = {
    "lifecycle": "begin BEGIN end END self test bench",
    "timer": "interval i profile p",
    "kprobe": "kprobe k kretprobe kr",
    "functions": "fentry f kfunc fexit fr kretfunc",
    "uprobe": "uprobe u uretprobe ur",
    "usdt": "usdt U",
    "counters": "software s hardware h",
    "watchpoint": "watchpoint w asyncwatchpoint aw",
    "iterators": "iter it",
    "tracepoint": "tracepoint t",
    "rawtracepoint": "rawtracepoint rt",
    "lsm": "lsm",
    "netfilter": "netfilter",
    "xdp": "xdp",
    "tc": "tc",
    "cgroup": "cgroup",
}
"""File → the providers of its `KINDS`, names and aliases, in the order in which listings have them."""

_SERVERS = {
    "kprobe": "kprobe_multi kretprobe_multi kprobe_single kretprobe_single kprobe_uncounted kretprobe_uncounted "
    "fentry_instead_of_kprobe fexit_instead_of_kretprobe",
    "uprobe": "uprobe_multi uretprobe_multi uprobe_single uretprobe_single uprobe_uncounted uretprobe_uncounted",
    "usdt": "usdt_multi usdt_single usdt_uncounted",
    "watchpoint": "process_watchpoint kernel_watchpoint",
    "tracepoint": "bare_tracepoint perf_tracepoint syscall_enter syscall_exit syscall_enter_event "
    "syscall_exit_event",
    "lsm": "lsm_decides lsm_tells",
    "cgroup": "cgroup_packets cgroup_socket cgroup_socket_end cgroup_address cgroup_address_seen",
}
"""File → its `SERVERS`: kinds that no program names, by which its targets are attached."""

_ATTACHES = {
    name: module for module, names in (*_SERVERS.items(), *_MODULES.items()) for name in names.split()
}
_HOMES = {provider: module for module, providers in _MODULES.items() for provider in providers.split()}
_BY_PROVIDER: dict[str, ProbeKind] = {}
_ATTACHED: dict[str, ProbeKind] = {}


def _load(module: str) -> "tuple[ProbeKind, ...]":
    from importlib import import_module

    loaded = import_module(f".{module}", __name__)
    kinds: tuple[ProbeKind, ...] = loaded.KINDS
    for kind in kinds:
        _BY_PROVIDER.update(dict.fromkeys(kind.providers, kind))
    for kind in (*kinds, *getattr(loaded, "SERVERS", ())):
        _ATTACHED[kind.providers[0]] = kind
    return kinds


def __getattr__(name: str) -> object:
    if name != "KINDS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return tuple(kind for module in _MODULES for kind in _load(module))


def kind_named(provider: str) -> ProbeKind | None:
    """The kind that a provider's name or alias selects."""
    if provider not in _BY_PROVIDER and provider in _HOMES:
        _load(_HOMES[provider])
    return _BY_PROVIDER.get(provider)


def expand(point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
    """The events that an attach point names. Problems go to `report`; then the list is empty."""
    kind = kind_named(point.provider)
    if kind is not None:
        return kind.expand(point, kernel, report)
    near = suggest(point.provider, _HOMES)
    kinds: tuple[ProbeKind, ...] = __getattr__("KINDS")  # type: ignore[assignment]
    report(
        error(
            "unknown-probe",
            f"there is no kind of probe `{point.provider}`",
            point.span,
            notes=f"the kinds are: {', '.join(f'`{k.providers[0]}`' for k in kinds)}",
            help=f"did you mean `{near}`?" if near else None,
        )
    )
    return []


def attach(kernel: "KernelAccess", where: Attach, program: "Program") -> "list[Link]":
    """Attach a loaded program to one target. Raises AttachError or KernelError."""
    if where.kind not in _ATTACHED:  # a program that was compiled before: nothing of it has been named yet
        _load(_ATTACHES[where.kind])
    return _ATTACHED[where.kind].attach(kernel, where, program)

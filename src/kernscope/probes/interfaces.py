"""Targets that name a network interface: `xdp:DEVICE`, `tc:DEVICE:DIRECTION`."""

from kernscope.diagnostics import error, suggest, warning

from .base import Report, has_wildcard, match_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts
    from kernscope.syntax.ast import AttachPoint

__all__ = ["named_interfaces"]


def named_interfaces(point: "AttachPoint", name: str, kernel: "KernelFacts", report: Report) -> list[str]:
    """The interfaces of the tracer's network namespace that a part of an attach point names."""
    known = kernel.network_interfaces()
    found = match_names(name, list(known))
    if not found:
        near = suggest(name, known)
        what = "matches" if has_wildcard(name) else "is called"
        report(
            error(
                "unknown-probe",
                f"no network interface here {what} `{name}`",
                point.span,
                notes=f"the interfaces are: {', '.join(f'`{n}`' for n in known) or 'none'}",
                help=f"did you mean `{near}`?" if near else None,
            )
        )
    for interface in found:
        if not known[interface] and not has_wildcard(name):
            report(
                warning(
                    "interface-down",
                    f"the network interface `{interface}` is down: it has no packets",
                    point.span,
                    help=f"`ip link set {interface} up` starts it",
                )
            )
    return found

"""`netfilter:FAMILY:HOOK[:PRIORITY]`: packets at the hooks of the network stack, where firewalls sit."""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.diagnostics import error, suggest
from kernscope.tables.bpf import AttachType, ProgramType

from .base import ProbeKind, ProgramShape, Report, Target, has_wildcard, match_names
from .verdicts import Verdicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.syntax.ast import AttachPoint

__all__ = ["NETFILTER"]

FAMILIES = {"ipv4": 2, "ipv6": 10}
"""NFPROTO_* of include/uapi/linux/netfilter.h, those that BPF links take."""

HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}
"""NF_INET_* of include/uapi/linux/netfilter.h."""

ALIASES = {
    "local_in": "input",
    "local_out": "output",
    "pre_routing": "prerouting",
    "post_routing": "postrouting",
}

_DROP, _ACCEPT = 0, 1
"""NF_DROP and NF_ACCEPT."""

DEFAULT_PRIORITY = 0
"""NF_IP_PRI_FILTER: where the filter tables of iptables and nftables are."""


class _Netfilter(ProbeKind):
    providers = ("netfilter",)
    syntax = ("netfilter:FAMILY:HOOK", "netfilter:FAMILY:HOOK:PRIORITY")
    doc = "A packet at a hook of the network stack, for instance `netfilter:ipv4:input`. Verdicts: `accept`, `drop`."
    of_processes = False
    verdicts = Verdicts(_ACCEPT, {"accept": _ACCEPT, "drop": _DROP})

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        if len(point.args) not in (2, 3) or not all(point.args):
            report(
                error(
                    "bad-target",
                    f"`{point.text}` does not name a hook",
                    point.span,
                    help="write `netfilter:ipv4:input`, or with a priority `netfilter:ipv4:input:-100`",
                )
            )
            return []
        family, hook = point.args[0], ALIASES.get(point.args[1], point.args[1])
        for what, name, table in (("family", family, FAMILIES), ("hook", hook, HOOKS)):
            if not match_names(name, list(table)):
                near = suggest(name, table)
                report(
                    error(
                        "unknown-probe",
                        f"there is no {what} `{name}` of netfilter for programs",
                        point.span,
                        notes=f"they are: {', '.join(f'`{n}`' for n in table)}",
                        help=f"did you mean `{near}`?" if near and not has_wildcard(name) else None,
                    )
                )
                return []
        priority = _priority(point.args[2]) if len(point.args) == 3 else DEFAULT_PRIORITY
        if priority is None:
            report(
                error(
                    "bad-target",
                    f"`{point.args[2]}` is no priority",
                    point.span,
                    notes="priorities are numbers of 32 bits without the lowest and the highest; lower ones come first",
                    help="0 is where firewalls filter, -100 before that",
                )
            )
            return []
        rest = f":{point.args[2]}" if len(point.args) == 3 else ""
        return [
            Target(self, f"netfilter:{f}:{h}{rest}", (FAMILIES[f], HOOKS[h], priority))
            for f in match_names(family, list(FAMILIES))
            for h in match_names(hook, list(HOOKS))
        ]

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        if not kernel.has_feature("netfilter"):
            return ()
        return [f"netfilter:{family}:{hook}" for family in FAMILIES for hook in HOOKS]

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        attach = tuple(Attach(self.providers[0], t.name, t.key) for t in targets)
        return ProgramShape(
            targets[0].name.replace(":", "_"),
            ProgramType.NETFILTER,
            attach,
            expected_attach_type=AttachType.NETFILTER,
        )

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        family, hook, priority = attach.target
        assert isinstance(family, int) and isinstance(hook, int) and isinstance(priority, int)
        return [kernel.attach_netfilter(program, family, hook, priority, attach.probe)]


def _priority(text: str) -> int | None:
    """The number; the kernel keeps the two at the ends for itself (net/netfilter/nf_bpf_link.c)."""
    digits = text.removeprefix("-")
    number = int(text) if digits.isdecimal() else None
    return number if number is not None and -(1 << 31) < number < (1 << 31) - 1 else None


NETFILTER = _Netfilter()

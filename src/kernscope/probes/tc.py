"""`tc:DEVICE:ingress` and `tc:DEVICE:egress`: the packets of a network interface, as socket buffers.

By tcx links only. Before Linux 6.6 a program would have to be a filter of a clsact queue, which is configuration: it
outlives the process that made it, and so a kill would leave it behind.
"""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.diagnostics import error, suggest
from kernscope.tables.bpf import AttachType, ProgramType
from kernscope.tables.packets import HEADERS

from .base import ProgramShape, Report, Target, match_names
from .packet import attach_each, context_struct
from .socket_buffer import SocketBufferKind
from .verdicts import Verdicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.syntax.ast import AttachPoint
    from kernscope.types import Struct

__all__ = ["TC"]

_DIRECTIONS = {"ingress": AttachType.TCX_INGRESS, "egress": AttachType.TCX_EGRESS}

_NEXT, _DROP = -1, 2
"""TCX_NEXT and TCX_DROP of include/uapi/linux/bpf.h."""


class _Tc(SocketBufferKind):
    providers = ("tc",)
    syntax = ("tc:DEVICE:ingress", "tc:DEVICE:egress")
    doc = "A packet that a network interface receives or sends. Verdicts: `accept`, `drop`."
    headers = HEADERS
    verdicts = Verdicts(_NEXT, {"accept": _NEXT, "drop": _DROP})

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        from .interfaces import named_interfaces

        args = point.args
        directions = match_names(args[1], list(_DIRECTIONS)) if len(args) == 2 else []
        if not directions or not args[0]:
            near = suggest(args[1], _DIRECTIONS) if len(args) == 2 else None
            report(
                error(
                    "bad-target",
                    f"`{point.text}` does not name a direction of a network interface",
                    point.span,
                    help=f"did you mean `tc:{args[0]}:{near}`?"
                    if near
                    else "write `tc:eth0:ingress` or `tc:eth0:egress`",
                )
            )
            return []
        if not kernel.has_feature("tcx"):
            from .missing import not_supported_here

            help = "`xdp:DEVICE` and `cgroup:PATH:ingress` see packets too"
            report(not_supported_here(point, "tcx", help=help))
            return []
        names = named_interfaces(point, args[0], kernel, report)
        return [
            Target(self, f"tc:{name}:{way}", (name, _DIRECTIONS[way])) for name in names for way in directions
        ]

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        if not kernel.has_feature("tcx"):
            return ()
        return [f"tc:{name}:{way}" for name in kernel.network_interfaces() for way in _DIRECTIONS]

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        return attach_each(targets, ProgramType.SCHED_CLS)

    def args(self, kernel: "KernelFacts", target: Target) -> "Struct":
        return context_struct(
            target.name,
            "len 0 u32, pkt_type 4 u32, mark 8 u32, queue_mapping 12 u32, protocol 16 be16, vlan_present 20 u32, "
            "vlan_tci 24 u32, vlan_proto 28 be16, priority 32 u32, ingress_ifindex 36 u32, ifindex 40 u32, "
            "tc_index 44 u32, hash 68 u32, tc_classid 72 u32, napi_id 84 u32, tstamp 152 u64, wire_len 160 u32, "
            "gso_segs 164 u32, gso_size 176 u32",
        )

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        name, direction = attach.target
        assert isinstance(direction, int)
        return [kernel.attach_tcx(program, str(name), direction)]


TC = _Tc()

KINDS = (TC,)

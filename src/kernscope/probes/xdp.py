"""`xdp:DEVICE`: each packet that a network interface receives, before the rest of the kernel sees it."""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.diagnostics import error
from kernscope.tables.bpf import AttachType, ProgramType
from kernscope.tables.helpers import HELPER_IDS
from kernscope.tables.packets import HEADERS

from .base import EventReader, ProgramShape, Report, Target
from .packet import PacketKind, attach_each, context_struct
from .verdicts import Verdicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.ssa import Value
    from kernscope.syntax.ast import AttachPoint
    from kernscope.types import Struct

    from .packet_headers import HeaderFinder

__all__ = ["XDP"]

_DROP, _PASS = 1, 2
"""XDP_DROP and XDP_PASS of include/uapi/linux/bpf.h."""

_ETHERNET_BYTES = 14


class _Xdp(PacketKind):
    providers = ("xdp",)
    syntax = ("xdp:DEVICE",)
    doc = "A packet that a network interface receives, before the rest of the kernel. Verdicts: `accept`, `drop`."
    headers = HEADERS
    verdicts = Verdicts(_PASS, {"accept": _PASS, "drop": _DROP})

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        from .interfaces import named_interfaces

        if len(point.args) != 1 or not point.args[0]:
            report(
                error(
                    "bad-target",
                    f"`{point.text}` does not name a network interface",
                    point.span,
                    help="write `xdp:eth0`, for instance",
                )
            )
            return []
        return [
            Target(self, f"xdp:{name}", (name,))
            for name in named_interfaces(point, point.args[0], kernel, report)
        ]

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        return [f"xdp:{name}" for name in kernel.network_interfaces()]

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        return attach_each(targets, ProgramType.XDP, AttachType.XDP)

    # --- the context, struct xdp_md ------------------------------------------------------------------------

    def args(self, kernel: "KernelFacts", target: Target) -> "Struct":
        return context_struct(target.name, "ingress_ifindex 12 u32, rx_queue_index 16 u32")

    def read_packet(
        self, finder: "HeaderFinder", place: "Value", offset: "Value | int", size: int
    ) -> "Value":
        return finder.b.call(HELPER_IDS["xdp_load_bytes"], finder.reader.context, offset, place, size)

    def network(self, finder: "HeaderFinder") -> "tuple[Value, Value]":
        b = finder.b
        place = b.frame_addr(b.frame(8))
        b.store(8, place, 0)
        self.read_packet(finder, place, _ETHERNET_BYTES - 2, 2)
        return finder.behind_tags(_ETHERNET_BYTES, b.byteswap(b.load(2, place), 16))

    def packet_length(self, reader: EventReader) -> "Value":
        return reader.builder.call(HELPER_IDS["xdp_get_buff_len"], reader.context)

    def interface(self, reader: EventReader, target: Target) -> "Value":
        return reader.builder.load(4, reader.context, 12)

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        return [kernel.attach_xdp(program, str(attach.target[0]))]


XDP = _Xdp()

KINDS = (XDP,)

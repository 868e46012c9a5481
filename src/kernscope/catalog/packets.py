"""Built-ins of packet probes: one per header, the packet's length, its network interface."""

from kernscope.diagnostics import error
from kernscope.tables.packets import HEADERS, Header
from kernscope.types import UINT32, UINT64, Pointer, Symbolic, Type

from .base import Builtin, CheckContext, LowerContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.probes import ProbeKind, Target
    from kernscope.ssa import Value
    from kernscope.syntax.ast import Call, Identifier

__all__ = ["BUILTINS"]


class _OfPackets(Builtin):
    def check(self, cx: CheckContext, node: "Identifier | Call") -> Type | None:
        for target in cx.targets:
            if not self.is_in(target.kind):
                self._not_here(cx, node, target)
                return None
        return self.found_type()

    def is_in(self, kind: "ProbeKind") -> bool:
        return kind.has_packets

    def found_type(self) -> Type | None:
        return self.type

    def _not_here(self, cx: CheckContext, node: "Identifier | Call", target: "Target") -> None:
        if target.kind.has_packets:
            label = "packets are seen here without it"
            help = f"the headers here are {', '.join(f'`{header.name}`' for header in target.kind.headers)}"
        else:
            label = "only packets have it"
            help = "packets are seen by `netfilter`, `xdp`, `tc` and `cgroup` (ingress, egress) probes"
        cx.report(
            error(
                "not-available-here",
                f"`{target.name}` has no `{self.name}`",
                node.span,
                label=label,
                help=help,
            )
        )


class _HeaderBuiltin(_OfPackets):
    def __init__(self, header: Header) -> None:
        self.name, self.part = header.name, header
        self.header = header
        self.doc = f"{header.doc}; false where it has none, and then its members are 0."

    def is_in(self, kind: "ProbeKind") -> bool:
        return self.header in kind.headers

    def found_type(self) -> Type | None:
        from kernscope.probes.packet import header_struct

        return Pointer(header_struct(self.header), "packet")

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        return lo.has_header(self.header)


class _PacketLength(_OfPackets):
    name = "pktlen"
    doc = (
        "Bytes of the packet, from the first header that the probe sees: Ethernet in `xdp` and `tc`, else IP."
    )
    type = UINT64

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        return lo.packet_length()


class _InterfaceIndex(_OfPackets):
    name = "ifindex"
    doc = "Index of the network interface that the packet comes from or goes to."
    type: Type | None = UINT32

    def lower(self, lo: LowerContext, node: "Identifier | Call") -> "Value":
        return lo.interface()


class _InterfaceName(_InterfaceIndex):
    name = "ifname"
    doc = "Name of that interface."
    type = Symbolic("interface")


BUILTINS = (
    *(_HeaderBuiltin(header) for header in HEADERS),
    _PacketLength(),
    _InterfaceIndex(),
    _InterfaceName(),
)

"""Packet probes whose context is `struct __sk_buff` (include/uapi/linux/bpf.h)."""

from kernscope.tables.helpers import HELPER_IDS

from .base import EventReader, Target
from .packet import PacketKind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

    from .packet_headers import HeaderFinder

__all__ = ["SocketBufferKind"]

_FROM_MAC, _FROM_NETWORK = 0, 1
"""BPF_HDR_START_MAC and BPF_HDR_START_NET."""

_LEN, _PROTOCOL, _IFINDEX = 0, 16, 40


class SocketBufferKind(PacketKind):
    """The kernel knows where the network header is, also where there is no Ethernet header."""

    def read_packet(
        self, finder: "HeaderFinder", place: "Value", offset: "Value | int", size: int
    ) -> "Value":
        base = _FROM_NETWORK if finder.base is None else finder.base
        return self._load(finder, place, offset, size, base)

    def read_frame(self, finder: "HeaderFinder", place: "Value", offset: int, size: int) -> "Value":
        return self._load(finder, place, offset, size, _FROM_MAC)

    def _load(
        self, finder: "HeaderFinder", place: "Value", offset: "Value | int", size: int, base: "Value | int"
    ) -> "Value":
        context = finder.reader.context
        return finder.b.call(HELPER_IDS["skb_load_bytes_relative"], context, offset, place, size, base)

    def network(self, finder: "HeaderFinder") -> "tuple[Value, Value]":
        """The network header may be before tags or behind them: a packet that has some is read from its frame on."""
        from kernscope.ssa import Cond
        from kernscope.tables.packets import ETH, VLAN_TYPES

        b = finder.b
        kind = b.byteswap(b.load(4, finder.reader.context, _PROTOCOL), 16)
        first, second = (b.cmp(Cond.EQ, kind, number) for number in VLAN_TYPES)
        tagged = b.or_(first, second)
        finder.base = b.select(tagged, _FROM_MAC, _FROM_NETWORK)
        return finder.behind_tags(b.select(tagged, ETH.size, 0), kind)

    def packet_length(self, reader: EventReader) -> "Value":
        return reader.builder.load(4, reader.context, _LEN)

    def interface(self, reader: EventReader, target: Target) -> "Value":
        return reader.builder.load(4, reader.context, _IFINDEX)

"""Headers of packets: members, where they are and how they are stored; the numbers that say what follows.

Sources: the structs of include/uapi/linux/if_ether.h, ip.h, ipv6.h, tcp.h, udp.h, icmp.h and icmpv6.h, whose names the
members have; numbers of protocols in include/uapi/linux/in.h and in6.h, of what a frame holds in if_ether.h.
"""

__all__ = [
    "ETH",
    "ETHERTYPE_IP",
    "ETHERTYPE_IP6",
    "HEADERS",
    "ICMP",
    "ICMP6",
    "IP",
    "IP6",
    "IP6_AUTH",
    "IP6_EXTENSIONS",
    "IP6_FRAGMENT",
    "TCP",
    "UDP",
    "VLAN_TYPES",
    "Header",
    "Member",
]

ETHERTYPE_IP, ETHERTYPE_IP6 = 0x0800, 0x86DD
VLAN_TYPES = (0x8100, 0x88A8)
"""ETH_P_8021Q and ETH_P_8021AD: a tag of 4 bytes, then what a frame without it would have."""

IP6_EXTENSIONS = (0, 43, 60, 135)
"""Hop-by-hop and destination options, routing, mobility: the second byte is their length in 8 bytes, less 1."""
IP6_AUTH, IP6_FRAGMENT = 51, 44
"""The length is in 4 bytes, less 2; and always 8 bytes."""


class Member:
    """A number of `size` bytes, the most significant first; `bits` (shift, width) of it, or `count` of them."""

    __slots__ = ("bits", "count", "name", "offset", "size")

    def __init__(
        self, name: str, offset: int, size: int, *, bits: tuple[int, int] | None = None, count: int = 0
    ) -> None:
        self.name, self.offset, self.size, self.bits, self.count = name, offset, size, bits, count


class Header:
    """One header. `protocol` is the number by which an IP header announces it; `size` is without options."""

    __slots__ = ("doc", "members", "name", "protocol", "size")

    def __init__(
        self, name: str, size: int, doc: str, members: tuple[Member, ...], protocol: int = -1
    ) -> None:
        self.name, self.size, self.doc, self.members, self.protocol = name, size, doc, members, protocol


_m = Member

ETH = Header(
    "eth",
    14,
    "The packet's Ethernet header, `eth->h_proto`",
    (_m("h_dest", 0, 1, count=6), _m("h_source", 6, 1, count=6), _m("h_proto", 12, 2)),
)
IP = Header(
    "ip",
    20,
    "The packet's IPv4 header, `ntop(ip->saddr)`",
    (
        _m("version", 0, 1, bits=(4, 4)),
        _m("ihl", 0, 1, bits=(0, 4)),
        _m("tos", 1, 1),
        _m("tot_len", 2, 2),
        _m("id", 4, 2),
        _m("frag_off", 6, 2),
        _m("ttl", 8, 1),
        _m("protocol", 9, 1),
        _m("check", 10, 2),
        _m("saddr", 12, 1, count=4),
        _m("daddr", 16, 1, count=4),
    ),
)
IP6 = Header(
    "ip6",
    40,
    "The packet's IPv6 header, `ntop(ip6->saddr)`",
    (
        _m("version", 0, 1, bits=(4, 4)),
        _m("priority", 0, 2, bits=(4, 8)),
        _m("flow_lbl", 0, 4, bits=(0, 20)),
        _m("payload_len", 4, 2),
        _m("nexthdr", 6, 1),
        _m("hop_limit", 7, 1),
        _m("saddr", 8, 1, count=16),
        _m("daddr", 24, 1, count=16),
    ),
)
TCP = Header(
    "tcp",
    20,
    "The packet's TCP header, `tcp->dest`",
    (
        _m("source", 0, 2),
        _m("dest", 2, 2),
        _m("seq", 4, 4),
        _m("ack_seq", 8, 4),
        _m("doff", 12, 1, bits=(4, 4)),
        _m("cwr", 13, 1, bits=(7, 1)),
        _m("ece", 13, 1, bits=(6, 1)),
        _m("urg", 13, 1, bits=(5, 1)),
        _m("ack", 13, 1, bits=(4, 1)),
        _m("psh", 13, 1, bits=(3, 1)),
        _m("rst", 13, 1, bits=(2, 1)),
        _m("syn", 13, 1, bits=(1, 1)),
        _m("fin", 13, 1, bits=(0, 1)),
        _m("window", 14, 2),
        _m("check", 16, 2),
        _m("urg_ptr", 18, 2),
    ),
    protocol=6,
)
UDP = Header(
    "udp",
    8,
    "The packet's UDP header, `udp->dest`",
    (_m("source", 0, 2), _m("dest", 2, 2), _m("len", 4, 2), _m("check", 6, 2)),
    protocol=17,
)
_ICMP_MEMBERS = (
    _m("type", 0, 1),
    _m("code", 1, 1),
    _m("checksum", 2, 2),
    _m("id", 4, 2),
    _m("sequence", 6, 2),
)
ICMP = Header("icmp", 8, "The packet's ICMP header (of IPv4), `icmp->type`", _ICMP_MEMBERS, protocol=1)
ICMP6 = Header("icmp6", 8, "The packet's ICMPv6 header, `icmp6->type`", _ICMP_MEMBERS, protocol=58)

HEADERS = (ETH, IP, IP6, TCP, UDP, ICMP, ICMP6)

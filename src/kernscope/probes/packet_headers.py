"""Finding the headers of a packet: code that copies those that a program reads into its own memory.

Each copy lies behind a word that says whether the packet has the header. What is not there stays zero: so does all
that follows where a packet ends early, where only a later fragment of it is seen, or where there are more tags and
extension headers than are followed.
"""

from collections.abc import Sequence

from kernscope.ssa import Block, Cond, Value
from kernscope.tables.packets import (
    ETH,
    ETHERTYPE_IP,
    ETHERTYPE_IP6,
    ICMP,
    ICMP6,
    IP,
    IP6,
    IP6_AUTH,
    IP6_EXTENSIONS,
    IP6_FRAGMENT,
    VLAN_TYPES,
    Header,
)
from kernscope.types import align_up

from .packet import FLAG_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import EventReader
    from .packet import PacketKind

__all__ = ["HeaderFinder"]

_MOST_EXTENSIONS = 4
"""IPv6 extension headers that are followed."""

_MOST_TAGS = 2
"""VLAN tags that are followed."""

_VERSIONS = {ICMP.protocol: 4, ICMP6.protocol: 6}
"""Protocols that are announced by one version of IP only."""


class HeaderFinder:
    """Emits the code for one program of a `kind`."""

    def __init__(self, kind: "PacketKind", reader: "EventReader") -> None:
        self.kind, self.reader, self.b = kind, reader, reader.builder
        self.places: dict[Header, Value] = {}
        self.base: Value | None = None
        """Where offsets count from, in the kind's own terms, where that depends on the packet."""
        self.upper: list[Header] = []

    def find(self, used: Sequence[Header]) -> dict[Header, Value]:
        """Copy the headers `used`; returns where their copies are. Those of the layer below are needed to find them."""
        b = self.b
        self.upper = [header for header in used if header.protocol >= 0]
        for header in dict.fromkeys([*used, IP, IP6]) if self.upper else used:
            size = align_up(FLAG_BYTES + header.size, 8)
            place = self.places[header] = b.frame_addr(b.frame(size))
            for offset in range(0, size, 8):
                b.store(8, place, 0, offset)
        if ETH in self.places:
            none = b.block("no_frame", likely=False)
            self._copy(ETH, self.kind.read_frame(self, self._content(ETH), 0, ETH.size), none)
            b.jump(none)
            b.seal(none)
            b.position(none)
        if len(self.places) > (ETH in self.places):
            self._network()
        return self.places

    def _content(self, header: Header) -> Value:
        return self.b.ptr_add(self.places[header], FLAG_BYTES)

    def _load(self, header: Header, offset: int, size: int = 1) -> Value:
        value = self.b.load(size, self.places[header], FLAG_BYTES + offset)
        return self.b.byteswap(value, 8 * size) if size > 1 else value

    def _read(self, header: Header, offset: "Value | int", missing: Block) -> None:
        self._copy(header, self.kind.read_packet(self, self._content(header), offset, header.size), missing)

    def _copy(self, header: Header, status: Value, missing: Block) -> None:
        """Note that a header is there, or go to `missing`."""
        b = self.b
        found = b.block("found")
        b.branch_cmp(Cond.EQ, status, 0, found, missing)
        b.seal(found)
        b.position(found)
        b.store(8, self.places[header], 1)

    def _network(self) -> None:
        b = self.b
        done = b.block("headers")
        start, kind = self.kind.network(self)
        for header, number, above in (
            (IP, ETHERTYPE_IP, self._above_ip),
            (IP6, ETHERTYPE_IP6, self._above_ip6),
        ):
            if header not in self.places:
                continue
            here, other = b.block(header.name), b.block(f"not_{header.name}")
            b.branch_cmp(Cond.EQ, kind, number, here, other)
            b.seal(here)
            b.position(here)
            self._read(header, start, done)
            if self.upper:
                above(start, done)
            b.jump(done)
            b.seal(other)
            b.position(other)
        b.jump(done)
        b.seal(done)
        b.position(done)

    def _above_ip(self, start: Value, done: Block) -> None:
        b = self.b
        first = b.block("first_fragment")
        b.branch_cmp(Cond.EQ, b.and_(self._load(IP, 6, 2), 0x1FFF), 0, first, done)
        b.seal(first)
        b.position(first)
        length = b.mul(b.and_(self._load(IP, 0), 15), 4)
        self._transport(b.add(start, length), self._load(IP, 9), done, version=4)

    def _above_ip6(self, start: Value, done: Block) -> None:
        b = self.b
        offset, protocol = object(), object()
        b.write_var(offset, b.add(start, IP6.size))
        b.write_var(protocol, self._load(IP6, 6))
        found = b.block("transport")
        place = b.frame_addr(b.frame(8))
        b.store(8, place, 0)
        for _ in range(_MOST_EXTENSIONS):
            self._extension(offset, protocol, place, found, done)
        b.jump(found)
        b.seal(found)
        b.position(found)
        self._transport(b.read_var(offset), b.read_var(protocol), done, version=6)

    def _extension(self, offset: object, protocol: object, place: Value, found: Block, done: Block) -> None:
        """Go over one extension header; to `found` if there is none, to `done` where nothing can follow."""
        b = self.b
        at, kind = b.read_var(offset), b.read_var(protocol)
        extension, read, following = b.block("extension"), b.block("read"), b.block("next_header")
        for number in (*IP6_EXTENSIONS, IP6_AUTH, IP6_FRAGMENT):
            other = b.block("other")
            b.branch_cmp(Cond.EQ, kind, number, extension, other)
            b.seal(other)
            b.position(other)
        b.jump(found)
        b.seal(extension)
        b.position(extension)
        b.branch_cmp(Cond.EQ, self.kind.read_packet(self, place, at, 4), 0, read, done)
        b.seal(read)
        b.position(read)
        length = b.load(1, place, 1)
        fragment = b.cmp(Cond.EQ, kind, IP6_FRAGMENT)
        in_words = b.select(
            b.cmp(Cond.EQ, kind, IP6_AUTH), b.mul(b.add(length, 2), 4), b.mul(b.add(length, 1), 8)
        )
        b.write_var(offset, b.add(at, b.select(fragment, 8, in_words)))
        b.write_var(protocol, b.load(1, place))
        later = b.and_(b.byteswap(b.load(2, place, 2), 16), 0xFFF8)
        b.branch(b.select(fragment, later, 0), done, following)
        b.seal(following)
        b.position(following)

    def _transport(self, offset: Value, protocol: Value, done: Block, *, version: int) -> None:
        b = self.b
        for header in self.upper:
            if _VERSIONS.get(header.protocol, version) != version:
                continue
            here, other = b.block(header.name), b.block(f"not_{header.name}")
            b.branch_cmp(Cond.EQ, protocol, header.protocol, here, other)
            b.seal(here)
            b.position(here)
            self._read(header, offset, done)
            b.jump(done)
            b.seal(other)
            b.position(other)

    def behind_tags(self, start: "Value | int", kind: Value) -> tuple[Value, Value]:
        """Where the network header begins behind VLAN tags, and its type; `start` is that of the first tag, if any."""
        b = self.b
        offset, found = object(), object()
        b.write_var(offset, start)
        b.write_var(found, kind)
        done = b.block("tags")
        place = b.frame_addr(b.frame(8))
        b.store(8, place, 0)
        for _ in range(_MOST_TAGS):
            tagged, at = b.block("tagged"), b.read_var(offset)
            for number in VLAN_TYPES:
                other = b.block("other")
                b.branch_cmp(Cond.EQ, b.read_var(found), number, tagged, other)
                b.seal(other)
                b.position(other)
            b.jump(done)
            b.seal(tagged)
            b.position(tagged)
            self.kind.read_packet(self, place, at, 4)
            b.write_var(found, b.byteswap(b.load(2, place, 2), 16))
            b.write_var(offset, b.add(at, 4))
        b.jump(done)
        b.seal(done)
        b.position(done)
        return b.read_var(offset), b.read_var(found)

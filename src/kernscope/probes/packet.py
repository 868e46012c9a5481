"""What the kinds of packet probes share: finding the headers of a packet.

Before the first action of a program, the headers that any of them reads are copied into the program's own memory, each
behind a word that says whether the packet has it. So a member is read by one load, a packet that has no such header, or
ends within it, gives zeros, and the verifier has nothing to ask about the packet's bounds.

Kinds say how bytes of the packet are read, and where its network header begins.
"""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.tables.packets import (
    ETH,
    ETHERTYPE_IP,
    ETHERTYPE_IP6,
    ICMP,
    IP,
    IP6,
    IP6_AUTH,
    IP6_EXTENSIONS,
    IP6_FRAGMENT,
    VLAN_TYPES,
    Header,
)
from kernscope.types import UINT8, Array, Integer, Struct, StructField, align_up

from .base import EventReader, ProbeKind, ProgramShape, Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts
    from kernscope.ssa import Block, Value

__all__ = ["PacketKind", "context_struct", "header_struct"]

_FLAG_BYTES = 8
"""Before a header's copy: 1 if the packet has it."""

_MOST_EXTENSIONS = 4
"""IPv6 extension headers that are followed."""

_MOST_TAGS = 2
"""VLAN tags that are followed."""

_structs: dict[str, Struct] = {}


def header_struct(header: Header) -> Struct:
    """A header as a type. Numbers of several bytes are the most significant first."""
    found = _structs.get(header.name)
    if found is None:
        fields = {}
        for m in header.members:
            t = Array(UINT8, m.count) if m.count else Integer(8 * m.size, False)
            fields[m.name] = StructField(m.name, t, m.offset, bits=m.bits, swapped=m.size > 1)
        found = _structs[header.name] = Struct(f"{header.name} header", header.size, fields)
    return found


class _Event:
    """Where the program's copies of headers are, by header."""

    __slots__ = ("places",)

    def __init__(self) -> None:
        self.places: dict[Header, Value] = {}


class PacketKind(ProbeKind):
    """Base of the kinds whose events are packets."""

    of_processes = False
    reads_parts = True
    has_packets = True

    # --- what a kind says ----------------------------------------------------------------------------------

    def read_packet(self, reader: EventReader, offset: "Value | int", place: "Value", size: int) -> "Value":
        """Copy `size` bytes at `offset`, counted as `network` counts; 0 if they are there."""
        raise NotImplementedError

    def network(self, reader: EventReader, event: _Event) -> "tuple[Value, Value]":
        """Where the network header begins, and the Ethernet type of it (in the machine's byte order)."""
        raise NotImplementedError

    # --- built-ins -----------------------------------------------------------------------------------------

    def has_header(self, reader: EventReader, event: object, header: Header) -> "Value":
        """1 if the packet has a header, else 0."""
        assert isinstance(event, _Event)
        return reader.builder.load(8, event.places[header])

    def header_place(self, reader: EventReader, event: object, name: str) -> "Value":
        """The address of the program's copy of the header whose type has this name."""
        assert isinstance(event, _Event)
        for header, place in event.places.items():
            if header_struct(header).name == name:
                return reader.builder.ptr_add(place, _FLAG_BYTES)
        raise KeyError(name)

    # --- finding headers -----------------------------------------------------------------------------------

    def begin_program(self, reader: EventReader, leave: "Block") -> object:
        event = _Event()
        used = [part for part in self.headers if part in reader.parts]
        if used:
            self._find_headers(reader, event, used)
        return event

    def _find_headers(self, reader: EventReader, event: _Event, used: "Sequence[Header]") -> None:
        from kernscope.ssa import Cond

        b = reader.builder
        upper = [header for header in used if header.protocol >= 0]
        for header in dict.fromkeys([*used, IP, IP6]) if upper else used:
            size = align_up(_FLAG_BYTES + header.size, 8)
            place = event.places[header] = b.frame_addr(b.frame(size))
            for offset in range(0, size, 8):
                b.store(8, place, 0, offset)
        if ETH in event.places:
            self.read_ethernet(reader, event)
        if used == [ETH]:
            return
        done = b.block("headers")
        start, kind = self.network(reader, event)
        for header, number, find in ((IP, ETHERTYPE_IP, self._ip), (IP6, ETHERTYPE_IP6, self._ip6)):
            if header not in event.places:
                continue
            here, other = b.block(header.name), b.block(f"not_{header.name}")
            b.branch_cmp(Cond.EQ, kind, number, here, other)
            b.seal(here)
            b.position(here)
            self.copy_header(reader, event, header, start, done)
            if upper:
                find(reader, event, start, upper, done)
            b.jump(done)
            b.seal(other)
            b.position(other)
        b.jump(done)
        b.seal(done)
        b.position(done)

    def read_ethernet(self, reader: EventReader, event: _Event) -> None:
        """Copy the Ethernet header, for kinds whose packets have one."""

    def copy_header(
        self, reader: EventReader, event: _Event, header: Header, offset: "Value | int", missing: "Block"
    ) -> None:
        """Copy a header, and note that it is there; go to `missing` where the packet ends before."""
        from kernscope.ssa import Cond

        b = reader.builder
        place = event.places[header]
        status = self.read_packet(reader, offset, b.ptr_add(place, _FLAG_BYTES), header.size)
        found = b.block("found")
        b.branch_cmp(Cond.EQ, status, 0, found, missing)
        b.seal(found)
        b.position(found)
        b.store(8, place, 1)

    def _byte(
        self, reader: EventReader, event: _Event, header: Header, offset: int, size: int = 1
    ) -> "Value":
        return reader.builder.load(size, event.places[header], _FLAG_BYTES + offset)

    def _ip(
        self, reader: EventReader, event: _Event, start: "Value", upper: "Sequence[Header]", done: "Block"
    ) -> None:
        from kernscope.ssa import Cond

        b = reader.builder
        first, later = b.block("first_fragment"), b.block("later_fragment", likely=False)
        fragment = b.byteswap(self._byte(reader, event, IP, 6, 2), 16)
        b.branch_cmp(Cond.EQ, b.and_(fragment, 0x1FFF), 0, first, later)
        b.seal(later)
        b.position(later)
        b.jump(done)
        b.seal(first)
        b.position(first)
        length = b.mul(b.and_(self._byte(reader, event, IP, 0), 15), 4)
        protocol = self._byte(reader, event, IP, 9)
        self._transport(reader, event, b.add(start, length), protocol, upper, done, version=4)

    def _ip6(
        self, reader: EventReader, event: _Event, start: "Value", upper: "Sequence[Header]", done: "Block"
    ) -> None:
        b = reader.builder
        offset, protocol = object(), object()
        b.write_var(offset, b.add(start, IP6.size))
        b.write_var(protocol, self._byte(reader, event, IP6, 6))
        found = b.block("transport")
        place = b.frame_addr(b.frame(8))
        b.store(8, place, 0)
        for _ in range(_MOST_EXTENSIONS):
            self._extension(reader, offset, protocol, place, found, done)
        b.jump(found)
        b.seal(found)
        b.position(found)
        self._transport(reader, event, b.read_var(offset), b.read_var(protocol), upper, done, version=6)

    def _extension(
        self,
        reader: EventReader,
        offset: object,
        protocol: object,
        place: "Value",
        found: "Block",
        done: "Block",
    ) -> None:
        """Go over one IPv6 extension header; to `found` if there is none."""
        from kernscope.ssa import Cond

        b = reader.builder
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
        b.branch_cmp(Cond.EQ, self.read_packet(reader, at, place, 4), 0, read, done)
        b.seal(read)
        b.position(read)
        length = b.load(1, place, 1)
        fragment = b.cmp(Cond.EQ, kind, IP6_FRAGMENT)
        words = b.select(
            b.cmp(Cond.EQ, kind, IP6_AUTH), b.mul(b.add(length, 2), 4), b.mul(b.add(length, 1), 8)
        )
        b.write_var(offset, b.add(at, b.select(fragment, 8, words)))
        b.write_var(protocol, b.load(1, place))
        later = b.and_(b.byteswap(b.load(2, place, 2), 16), 0xFFF8)
        b.branch(b.select(fragment, later, 0), done, following)
        b.seal(following)
        b.position(following)

    def _transport(
        self,
        reader: EventReader,
        event: _Event,
        offset: "Value",
        protocol: "Value",
        upper: "Sequence[Header]",
        done: "Block",
        *,
        version: int,
    ) -> None:
        from kernscope.ssa import Cond

        b = reader.builder
        for header in upper:
            if header.protocol in _OF_VERSION and _OF_VERSION[header.protocol] != version:
                continue
            here, other = b.block(header.name), b.block(f"not_{header.name}")
            b.branch_cmp(Cond.EQ, protocol, header.protocol, here, other)
            b.seal(here)
            b.position(here)
            self.copy_header(reader, event, header, offset, done)
            b.jump(done)
            b.seal(other)
            b.position(other)

    def skip_tags(self, reader: EventReader, start: "Value | int", kind: "Value") -> "tuple[Value, Value]":
        """Where the network header begins behind VLAN tags, and its type; `start` is that of the first tag, if any."""
        from kernscope.ssa import Cond

        b = reader.builder
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
            self.read_packet(reader, at, place, 4)
            b.write_var(found, b.byteswap(b.load(2, place, 2), 16))
            b.write_var(offset, b.add(at, 4))
        b.jump(done)
        b.seal(done)
        b.position(done)
        return b.read_var(offset), b.read_var(found)

    # --- the context ---------------------------------------------------------------------------------------

    context_fields: "Struct | None" = None

    def args(self, kernel: "KernelFacts", target: Target) -> Struct | None:
        return self.context_fields

    def describe(self, kernel: "KernelFacts", name: str) -> list[tuple[str, str]]:
        fields = self.context_fields.fields.values() if self.context_fields is not None else ()
        return [(field.type_text, field.name) for field in fields]

    def load_arg(self, reader: EventReader, event: object, field: StructField, target: Target) -> "Value":
        return load_context(reader, field)

    def one_program(self, targets: "Sequence[Target]", type: int, expected_attach_type: int) -> ProgramShape:
        """A program for targets, attached to each."""
        attach = tuple(Attach(self.providers[0], t.name, t.key) for t in targets)
        name = "".join(c if c.isalnum() else "_" for c in targets[0].name)
        return ProgramShape(name, type, attach, expected_attach_type=expected_attach_type)


_OF_VERSION = {ICMP.protocol: 4, 58: 6}
"""Protocols that are announced by one version of IP only."""


def context_struct(name: str, *fields: tuple[str, int, int] | tuple[str, int, int, str]) -> Struct:
    """The members of `args`: name, offset and bytes; then `swapped` for 16-bit numbers in network byte order in the low
    half, or `address` for bytes.
    """
    made = {}
    for name_, offset, size, *how in fields:
        if how == ["address"]:
            made[name_] = StructField(name_, Array(UINT8, size), offset)
        else:
            t = Integer(16 if how else 8 * size, False)
            made[name_] = StructField(name_, t, offset, data_loc=None, swapped=bool(how))
    return Struct(name, max(f.offset + f.type.size for f in made.values()), made)


def load_context(reader: EventReader, field: StructField) -> "Value":
    """Read a member of the context that `context_struct` describes."""
    b, t = reader.builder, field.type
    if isinstance(t, Array):
        place = reader.place(t)
        for offset in range(0, t.size, 4):
            b.store(4, place, b.load(4, reader.context, field.offset + offset), offset)
        return place
    if field.swapped:
        return b.byteswap(b.load(4, reader.context, field.offset), 16)
    return b.load(t.size, reader.context, field.offset)

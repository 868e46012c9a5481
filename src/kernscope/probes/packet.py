"""What the kinds of packet probes share: how a packet is read, and what its headers are as types.

Before the first action of a program, the headers that any of them reads are copied into the program's own memory, by
`kernscope.probes.packet_headers`. So a member is read by one load, a packet that has no such header, or ends within it,
gives zeros, and the verifier has nothing to ask about the packet's bounds.
"""

from kernscope.bundle import Attach
from kernscope.types import UINT8, Array, Integer, Struct, StructField

from .base import EventReader, ProbeKind, ProgramShape, Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernscope.kernel.interface import KernelFacts
    from kernscope.ssa import Block, Value
    from kernscope.tables.packets import Header

    from .packet_headers import HeaderFinder

__all__ = ["FLAG_BYTES", "PacketKind", "attach_each", "context_struct", "header_struct", "load_context"]

FLAG_BYTES = 8
"""Before a header's copy: 1 if the packet has it."""

_structs: dict[str, Struct] = {}


def header_struct(header: "Header") -> Struct:
    """A header as a type. Numbers of several bytes are the most significant first."""
    found = _structs.get(header.name)
    if found is None:
        fields = {}
        for m in header.members:
            t = Array(UINT8, m.count) if m.count else Integer(8 * m.size, False)
            fields[m.name] = StructField(m.name, t, m.offset, bits=m.bits, swapped=m.size > 1)
        found = _structs[header.name] = Struct(f"{header.name} header", header.size, fields)
    return found


class PacketKind(ProbeKind):
    """Base of the kinds whose events are packets."""

    of_processes = False
    has_packets = limited_helpers = True
    reads_parts = True

    # --- what a kind says ----------------------------------------------------------------------------------

    def read_packet(
        self, finder: "HeaderFinder", place: "Value", offset: "Value | int", size: int
    ) -> "Value":
        """Copy `size` bytes at `offset`, counted as `network` counts; 0 if they are there."""
        raise NotImplementedError

    def read_frame(self, finder: "HeaderFinder", place: "Value", offset: int, size: int) -> "Value":
        """The same from the beginning of the Ethernet frame, for kinds that see it."""
        return self.read_packet(finder, place, offset, size)

    def network(self, finder: "HeaderFinder") -> "tuple[Value, Value]":
        """Where the network header begins, and the Ethernet type of it (in the machine's byte order)."""
        raise NotImplementedError

    # --- built-ins -----------------------------------------------------------------------------------------

    def begin_program(self, reader: EventReader, leave: "Block") -> object:
        used = [part for part in self.headers if part in reader.parts]
        if not used:
            return {}
        from .packet_headers import HeaderFinder  # few programs read packets

        return HeaderFinder(self, reader).find(used)

    def has_header(self, reader: EventReader, event: object, header: "Header") -> "Value":
        assert isinstance(event, dict)
        return reader.builder.load(8, event[header])

    def header_place(self, reader: EventReader, event: object, name: str) -> "Value":
        assert isinstance(event, dict)
        place = next(place for header, place in event.items() if header_struct(header).name == name)
        return reader.builder.ptr_add(place, FLAG_BYTES)

    # --- the context ---------------------------------------------------------------------------------------

    def describe(self, kernel: "KernelFacts", name: str) -> list[tuple[str, str]]:
        args = self.args(kernel, Target(self, name))
        return [(field.type_text, field.name) for field in args.fields.values()] if args is not None else []

    def load_arg(self, reader: EventReader, event: object, field: StructField, target: Target) -> "Value":
        return load_context(reader, field)


def attach_each(targets: "Sequence[Target]", type: int, expected_attach_type: int = 0) -> ProgramShape:
    """A program that is attached to each of its targets."""
    first = targets[0]
    name = "".join(c if c.isalnum() else "_" for c in first.name)
    attach = tuple(Attach(t.kind.providers[0], t.name, t.key) for t in targets)
    return ProgramShape(name, type, attach, expected_attach_type=expected_attach_type)


def context_struct(name: str, members: str) -> Struct:
    """The members of `args` by a text: `NAME OFFSET TYPE`, separated by commas.

    TYPE is `u32`, `u64`, `be16` (a number in network byte order in the low half of 32 bits) or `bytesN`.
    """
    fields = {}
    for member in members.split(","):
        field, offset, text = member.split()
        if text.startswith("bytes"):
            fields[field] = StructField(field, Array(UINT8, int(text[5:])), int(offset))
        else:
            swapped = text == "be16"
            t = Integer(16 if swapped else int(text[1:]), False)
            fields[field] = StructField(field, t, int(offset), swapped=swapped)
    return Struct(name, max(f.offset + max(f.type.size, 4) for f in fields.values()), fields)


def load_context(reader: EventReader, field: StructField) -> "Value":
    """Read a member of a context that `context_struct` describes."""
    b, t = reader.builder, field.type
    if isinstance(t, Array):
        place = reader.place(t)
        for offset in range(0, t.size, 4):
            b.store(4, place, b.load(4, reader.context, field.offset + offset), offset)
        return place
    if field.swapped:
        return b.byteswap(b.load(4, reader.context, field.offset), 16)
    return b.load(t.size, reader.context, field.offset)

"""How C lays out structs and unions (the System V ABI: x86_64 and arm64 agree here)."""

from kernscope.types import Array, Bool, Enum, Integer, String, Struct, StructField, Type, align_up

__all__ = ["CMember", "lay_out", "natural_alignment", "same_layout"]


class CMember:
    """One declared member. `name` is None for an anonymous one; `bits` the width of a bit-field."""

    __slots__ = ("bits", "name", "type")

    def __init__(self, name: str | None, type: Type, bits: int | None = None) -> None:
        self.name, self.type, self.bits = name, type, bits


def natural_alignment(t: Type) -> int:
    """The alignment that C gives a type."""
    if isinstance(t, String):
        return 1
    if isinstance(t, Array):
        return natural_alignment(t.element)
    if isinstance(t, Struct) and t.fields:
        return min(t.align, max(natural_alignment(f.type) for f in t.fields.values()))
    return max(1, t.align)


def lay_out(name: str, union: bool, members: list[CMember], packed: bool = False) -> Struct:
    """The struct or union with its members' places."""
    fields: dict[str, StructField] = {}
    end_bits = most_bits = 0
    align = 1
    for member in members:
        t = member.type
        own = 1 if packed else natural_alignment(t)
        start = 0 if union else end_bits
        if member.bits is not None:
            start = _bit_start(start, member.bits, 8 * t.size, packed)
            if member.name and member.bits:
                fields[member.name] = _bit_field(member.name, t, start, member.bits)
                align = max(align, own)
            end_bits = start + member.bits
        else:
            start = align_up((start + 7) // 8, own) * 8
            _add(fields, member, start // 8)
            align = max(align, own)
            end_bits = start + 8 * t.size
        most_bits = max(most_bits, end_bits)
    size = align_up((most_bits + 7) // 8, align)
    return Struct(name, size, fields, align)


def _bit_start(position: int, width: int, unit: int, packed: bool) -> int:
    """A bit-field does not cross a boundary of its type; one of width 0 ends the unit."""
    if width == 0:
        return -(-position // unit) * unit
    if not packed and position // unit != (position + width - 1) // unit:
        return -(-position // unit) * unit
    return position


def _bit_field(name: str, t: Type, start: int, width: int) -> StructField:
    unit = 8 * t.size
    base = start // unit * unit
    if start - base + width > unit:  # packed
        base = start // 8 * 8
    return StructField(name, t, base // 8, bits=(start - base, width))


def _add(fields: dict[str, StructField], member: CMember, offset: int) -> None:
    """Add a member; those of an anonymous struct or union as if they were its own."""
    if member.name is not None:
        fields.setdefault(member.name, StructField(member.name, member.type, offset))
    elif isinstance(member.type, Struct):
        for field in member.type.fields.values():
            inner = StructField(field.name, field.type, offset + field.offset, bits=field.bits)
            fields.setdefault(field.name, inner)


def same_layout(left: Type, right: Type) -> bool:
    """Whether two types of one name, of different programs, have the same members at the same places."""
    if not isinstance(left, Struct) or not isinstance(right, Struct):
        return left == right
    return left.size == right.size and [_place(f) for f in left.fields.values()] == [
        _place(f) for f in right.fields.values()
    ]


def _place(field: StructField) -> tuple[object, ...]:
    return field.name, field.offset, field.bits, str(field.type)


def holds_bits(t: Type) -> bool:
    """Whether a bit-field can have the type."""
    return isinstance(t, Integer | Bool | Enum)

"""What BTF consists of: kinds and the values that `Btf` hands out."""

__all__ = ["BtfType", "Kind", "Member", "MemberPath"]


class Kind:
    """``BTF_KIND_*`` of include/uapi/linux/btf.h."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19

    NAMES = (
        *("void", "int", "ptr", "array", "struct", "union", "enum", "fwd", "typedef", "volatile", "const"),
        *("restrict", "func", "func_proto", "var", "datasec", "float", "decl_tag", "type_tag", "enum64"),
    )

    MODIFIERS = frozenset((8, 9, 10, 11, 18))
    """Kinds that only rename or qualify: typedef, volatile, const, restrict, type_tag."""


FIXED_EXTRA = (0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0)
"""Bytes after the 12-byte ``struct btf_type``, per kind."""

PER_ELEMENT = (0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12)
"""And bytes for each of its `vlen` elements, per kind."""


class BtfType:
    """One type. `size_or_type` is a size in bytes or the id of the type it refers to, by kind."""

    __slots__ = ("id", "kind", "kind_flag", "name", "offset", "size_or_type", "vlen")

    def __init__(
        self, id: int, kind: int, name: str, vlen: int, kind_flag: bool, size_or_type: int, offset: int
    ) -> None:
        self.id = id
        self.kind = kind
        self.name = name
        self.vlen = vlen
        self.kind_flag = kind_flag
        self.size_or_type = size_or_type
        self.offset = offset
        """Where its record starts in the type section."""

    @property
    def type_id(self) -> int:
        """Of a pointer, modifier, function, prototype or variable: the type it refers to."""
        return self.size_or_type

    @property
    def size(self) -> int:
        """Of an integer, struct, union, enum or float: bytes."""
        return self.size_or_type

    def __repr__(self) -> str:
        return f"<BtfType {self.id} {Kind.NAMES[self.kind]} {self.name!r}>"


class Member:
    """A member of a struct or union. `bitfield_bits` is 0 unless it is a bit field."""

    __slots__ = ("bit_offset", "bitfield_bits", "name", "type_id")

    def __init__(self, name: str, type_id: int, bit_offset: int, bitfield_bits: int) -> None:
        self.name = name
        self.type_id = type_id
        self.bit_offset = bit_offset
        self.bitfield_bits = bitfield_bits

    def __repr__(self) -> str:
        return f"<Member {self.name!r} at bit {self.bit_offset}, type {self.type_id}>"


class MemberPath:
    """Where a field path such as ``thread_info.status`` leads, from the start of the outermost struct."""

    __slots__ = ("bit_offset", "bitfield_bits", "type_id")

    def __init__(self, bit_offset: int, type_id: int, bitfield_bits: int = 0) -> None:
        self.bit_offset = bit_offset
        self.type_id = type_id
        self.bitfield_bits = bitfield_bits

    @property
    def byte_offset(self) -> int:
        """Of anything but a bit field: bytes."""
        return self.bit_offset >> 3

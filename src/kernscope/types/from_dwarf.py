"""The types of a program, from its debug information: converted when they are asked for, one struct at a time.

    types = DwarfTypes(dwarf)
    types.convert(parameter.type)                     # the language's type
    types.c_text(parameter.type)                      # `const struct path *`, as C writes it

What its pointers lead to is in user space. Arrays of characters are strings, by the rule of `from_btf`.
"""

from contextlib import suppress

from kernscope.dwarf import Die, Dwarf, DwarfError
from kernscope.dwarf.parameters import element_count, size_of
from kernscope.tables.dwarf import Attribute, Encoding, Tag

from . import BOOL, NONE, UINT8, UINT64, Array, Enum, Integer, Pointer, String, Struct, StructField, Type
from .from_btf import _NUMBER_TYPEDEFS, bit_place

__all__ = ["DwarfTypes"]

_RECORDS = {Tag.STRUCTURE_TYPE: "struct", Tag.CLASS_TYPE: "class", Tag.UNION_TYPE: "union"}
_POINTERS = {Tag.POINTER_TYPE: "*", Tag.REFERENCE_TYPE: "&", Tag.RVALUE_REFERENCE_TYPE: "&&"}
_QUALIFIERS = {
    Tag.CONST_TYPE: "const ",
    Tag.VOLATILE_TYPE: "volatile ",
    Tag.RESTRICT_TYPE: "",
    Tag.ATOMIC_TYPE: "_Atomic ",
    Tag.IMMUTABLE_TYPE: "",
}
_SIGNED = frozenset((Encoding.SIGNED, Encoding.SIGNED_CHAR))
_FRACTIONS = frozenset(
    (Encoding.FLOAT, Encoding.COMPLEX_FLOAT, Encoding.IMAGINARY_FLOAT, Encoding.DECIMAL_FLOAT)
)

_DEEPEST = 32
"""Bound of types behind types, against damaged debug information."""

_MOST_MEMBERS = 8192
_MOST_BYTES = 1 << 32
"""No struct and no array is larger."""


class DwarfTypes:
    """The types of one file's debug information."""

    def __init__(self, dwarf: Dwarf) -> None:
        self.dwarf = dwarf
        self._converted: dict[object, Type] = {}

    # --- by name -------------------------------------------------------------------------------------------

    def struct(self, tag: str, name: str, near: int | None = None) -> Struct | None:
        """`struct name` or `union name` (the tag), of the file; `near` is an address where it is likely known."""
        tags = (Tag.UNION_TYPE,) if tag == "union" else (Tag.STRUCTURE_TYPE, Tag.CLASS_TYPE)
        found = self.dwarf.type_named(tags, name, near)
        made = self.convert(found) if found is not None else None
        return made if isinstance(made, Struct) else None

    def enum(self, name: str, near: int | None = None) -> Enum | None:
        found = self.dwarf.type_named((Tag.ENUMERATION_TYPE,), name, near)
        made = self.convert(found) if found is not None else None
        return made if isinstance(made, Enum) else None

    def typedef(self, name: str, near: int | None = None) -> Type | None:
        """What a typedef stands for."""
        found = self.dwarf.type_named((Tag.TYPEDEF,), name, near)
        return self.convert(found) if found is not None else None

    # --- by entry ------------------------------------------------------------------------------------------

    def convert(self, die: Die | None, hint: str = "", depth: int = 0) -> Type:
        """The type of an entry; None is `void`. `hint` names a struct that has no name of its own."""
        if die is None or depth > _DEEPEST:
            return NONE
        found = self._converted.get(die.key)
        if found is None:
            found = self._convert(die, hint, depth)
            self._converted[die.key] = found
        return found

    def _convert(self, die: Die, hint: str, depth: int) -> Type:
        tag = die.tag
        if tag == Tag.TYPEDEF:
            return self.convert(die.type, hint or die.text(Attribute.NAME), depth + 1)
        if tag in _QUALIFIERS:
            return self.convert(die.type, hint, depth + 1)
        if tag == Tag.BASE_TYPE:
            return _base(die)
        if tag in _POINTERS:
            return Pointer(self.convert(die.type, hint, depth + 1), "user")
        if tag in _RECORDS:
            return self._record(die, hint)
        if tag == Tag.ENUMERATION_TYPE:
            return _enum(die)
        if tag == Tag.ARRAY_TYPE:
            return self._array(die, hint, depth)
        if tag == Tag.PTR_TO_MEMBER_TYPE:
            return UINT64
        return NONE

    def _array(self, die: Die, hint: str, depth: int) -> Type:
        element = self.convert(die.type, hint, depth + 1)
        counts = [element_count(child) for child in die.children() if child.tag == Tag.SUBRANGE_TYPE] or [0]
        total = element.size
        for count in counts:
            total *= max(1, count)
        if total > _MOST_BYTES:
            raise DwarfError(f"the array at {die.offset:#x} is too large")
        if isinstance(element, Integer) and element.bits == 8 and counts[-1] and not _is_number(die.type):
            element = String(counts.pop())
        for count in reversed(counts):
            element = Array(element, count)
        return element

    def _record(self, die: Die, hint: str) -> Type:
        if die.flag(Attribute.DECLARATION):
            return self._declared(die)
        name = die.text(Attribute.NAME) or hint or f"(anonymous {die.offset:#x})"
        size = die.number(Attribute.BYTE_SIZE) or 0
        if size > _MOST_BYTES:
            raise DwarfError(f"the struct at {die.offset:#x} is too large")
        made = Struct(f"{_RECORDS[die.tag]} {name}", size, None, 8, _Members(self, die))
        return made.in_space("user")

    def _declared(self, die: Die) -> Type:
        """A struct that is only mentioned where it is used: another unit may define it."""
        name = die.text(Attribute.NAME)
        further = die.reference(Attribute.SIGNATURE)
        if further is None and name:
            further = self.dwarf.type_named((die.tag,), name)
        if further is not None and further.key != die.key and not further.flag(Attribute.DECLARATION):
            return self.convert(further)
        return Struct(f"{_RECORDS[die.tag]} {name}", 0, None, 8, _Unknown()).in_space("user")

    # --- as text -------------------------------------------------------------------------------------------

    def c_text(self, die: Die | None, depth: int = 0) -> str:
        """A type as C writes it: `const char*`, `struct path*`, `pid_t`."""
        if die is None or depth > _DEEPEST:
            return "void"
        tag = die.tag
        if tag in _POINTERS:
            target = die.type
            if target is not None and target.tag == Tag.SUBROUTINE_TYPE:
                return "void (*)()"
            return self.c_text(target, depth + 1) + _POINTERS[tag]
        if tag in _QUALIFIERS:
            inner = die.type
            text = self.c_text(inner, depth + 1)
            if inner is not None and inner.tag in _POINTERS:
                return f"{text} {_QUALIFIERS[tag]}".rstrip() if _QUALIFIERS[tag] else text
            return _QUALIFIERS[tag] + text
        if tag == Tag.ARRAY_TYPE:
            counts = [element_count(child) for child in die.children() if child.tag == Tag.SUBRANGE_TYPE]
            return self.c_text(die.type, depth + 1) + "".join(f"[{count}]" for count in counts)
        name = die.text(Attribute.NAME)
        if tag in _RECORDS:
            return f"{_RECORDS[tag]} {name or '(anonymous)'}"
        if tag == Tag.ENUMERATION_TYPE:
            return f"enum {name or '(anonymous)'}"
        return name or "void"


class _Unknown:
    """The members of a struct that no unit defines."""

    def member(self, name: str) -> StructField | None:
        return None

    def fields(self) -> dict[str, StructField]:
        return {}


class _Members:
    """The members of one struct; those of anonymous members and of base classes stand among its own."""

    __slots__ = ("_die", "_fields", "_types")

    def __init__(self, types: DwarfTypes, die: Die) -> None:
        self._types, self._die = types, die
        self._fields: dict[str, StructField] | None = None

    def member(self, name: str) -> StructField | None:
        return self.fields().get(name)

    def fields(self) -> dict[str, StructField]:
        if self._fields is None:
            found: dict[str, StructField] = {}
            with suppress(DwarfError):  # what is damaged is left out
                self._collect(self._die, 0, found, 0, [_MOST_MEMBERS])
            self._fields = found
        return self._fields

    def _collect(
        self, die: Die, base_bits: int, found: dict[str, StructField], depth: int, left: list[int]
    ) -> None:
        for child in die.children():
            if child.tag not in (Tag.MEMBER, Tag.INHERITANCE):
                continue
            left[0] -= 1
            if left[0] < 0:
                return
            bits = _bit_offset(child)
            if bits is None:  # a static member of a class
                continue
            name = child.text(Attribute.NAME)
            if name:
                if name not in found:
                    found[name] = self._field(child, name, base_bits + bits)
            elif depth < _DEEPEST:
                inner = child.type
                for _ in range(_DEEPEST):
                    if inner is None or inner.tag not in (*_QUALIFIERS, Tag.TYPEDEF):
                        break
                    inner = inner.type
                if inner is not None and inner.tag in _RECORDS:
                    self._collect(inner, base_bits + bits, found, depth + 1, left)

    def _field(self, die: Die, name: str, bit_offset: int) -> StructField:
        types = self._types
        t = types.convert(die.type, f"{self._die.text(Attribute.NAME)}.{name}")
        text = types.c_text(die.type)
        width = die.number(Attribute.BIT_SIZE)
        if not width or not t.size or width > 64:
            return StructField(name, t, bit_offset // 8, type_text=text)
        offset, shift = bit_place(bit_offset, width, t.size)
        return StructField(name, t, offset, bits=(shift, width), type_text=text)


def _bit_offset(die: Die) -> int | None:
    """Where a member begins, in bits; None where it has no place."""
    bits = die.number(Attribute.DATA_BIT_OFFSET)
    if bits is not None:
        return bits if 0 <= bits < 8 * _MOST_BYTES else None
    offset = die.number(Attribute.DATA_MEMBER_LOCATION)
    if offset is None:
        in_union = not die.has(Attribute.DATA_MEMBER_LOCATION) and die.tag == Tag.MEMBER
        offset = 0 if in_union and not die.flag(Attribute.EXTERNAL) else None
    if offset is None or not 0 <= offset < _MOST_BYTES:
        return None
    width = die.number(Attribute.BIT_SIZE)
    from_end = die.number(Attribute.BIT_OFFSET)
    if width is not None and from_end is not None:  # version 3 and older count from the most significant bit
        storage = die.number(Attribute.BYTE_SIZE) or size_of(die.type)
        return 8 * offset + 8 * storage - from_end - width
    return 8 * offset


def _base(die: Die) -> Type:
    size = die.number(Attribute.BYTE_SIZE) or 0
    encoding = die.number(Attribute.ENCODING)
    if not size or size > 64:
        return NONE
    if encoding in _FRACTIONS:
        return Array(UINT8, size)
    if encoding == Encoding.BOOLEAN and size == 1:
        return BOOL
    if size not in (1, 2, 4, 8):
        return Array(UINT64, size // 8) if size % 8 == 0 else Array(UINT8, size)
    return Integer(8 * size, encoding in _SIGNED)


def _enum(die: Die) -> Enum:
    names: dict[int, str] = {}
    signed = False
    for child in die.children():
        value = child.number(Attribute.CONST_VALUE)
        if child.tag == Tag.ENUMERATOR and value is not None:
            names.setdefault(value, child.text(Attribute.NAME))
            signed |= value < 0
    size = die.number(Attribute.BYTE_SIZE) or 4
    name = die.text(Attribute.NAME) or f"(anonymous {die.offset:#x})"
    return Enum(f"enum {name}", names, 8 * size if size in (1, 2, 4, 8) else 32, signed)


def _is_number(die: Die | None) -> bool:
    """Whether a type of one byte is written as a number, not as a character."""
    for _ in range(_DEEPEST):
        if die is None:
            return False
        if die.tag == Tag.TYPEDEF and die.text(Attribute.NAME) in _NUMBER_TYPEDEFS:
            return True
        if die.tag != Tag.TYPEDEF and die.tag not in _QUALIFIERS:
            return False
        die = die.type
    return False

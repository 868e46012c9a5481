"""Abbreviations: the shapes of entries, which attributes they have and in which form each is written."""

from struct import Struct

from kernscope.dwarf.errors import DwarfError
from kernscope.dwarf.numbers import sleb128, uleb128
from kernscope.tables.dwarf import Attribute, Form

__all__ = ["Abbreviation", "Format", "read_abbreviations", "skip_form"]

_FIXED = {
    Form.DATA1: 1, Form.REF1: 1, Form.FLAG: 1, Form.STRX1: 1, Form.ADDRX1: 1,
    Form.DATA2: 2, Form.REF2: 2, Form.STRX2: 2, Form.ADDRX2: 2,
    Form.STRX3: 3, Form.ADDRX3: 3,
    Form.DATA4: 4, Form.REF4: 4, Form.STRX4: 4, Form.ADDRX4: 4, Form.REF_SUP4: 4,
    Form.DATA8: 8, Form.REF8: 8, Form.REF_SIG8: 8, Form.REF_SUP8: 8,
    Form.DATA16: 16,
    Form.FLAG_PRESENT: 0, Form.IMPLICIT_CONST: 0,
}  # fmt: skip
"""Bytes of the forms that always have the same."""

_OFFSETS = frozenset((
    Form.STRP, Form.LINE_STRP, Form.SEC_OFFSET, Form.STRP_SUP, Form.GNU_REF_ALT, Form.GNU_STRP_ALT,
))  # fmt: skip
"""Forms that are an offset into a section."""

_NUMBERS = frozenset((
    Form.SDATA, Form.UDATA, Form.REF_UDATA, Form.STRX, Form.ADDRX, Form.LOCLISTX, Form.RNGLISTX,
    Form.GNU_ADDR_INDEX, Form.GNU_STR_INDEX,
))  # fmt: skip
"""Forms that are a LEB128 number."""

_U16, _U32 = Struct("<H"), Struct("<I")
_MOST_ATTRIBUTES = 512
_LETTERS = {0: "", 1: "B", 2: "H", 4: "I", 8: "Q"}
"""How `struct` names numbers of so many bytes."""


class Format:
    """What sizes in a unit depend on: version, bytes of an address, bytes of an offset into a section."""

    __slots__ = ("address_size", "offset_size", "version")

    def __init__(self, version: int, address_size: int, offset_size: int) -> None:
        self.version, self.address_size, self.offset_size = version, address_size, offset_size

    @property
    def key(self) -> tuple[int, int, int]:
        return self.version, self.address_size, self.offset_size

    def fixed_size(self, form: int) -> int:
        """Bytes of a form, or -1 where they depend on the content."""
        if form in _FIXED:
            return _FIXED[form]
        if form == Form.ADDR or (form == Form.REF_ADDR and self.version <= 2):
            return self.address_size
        if form in _OFFSETS or form == Form.REF_ADDR:
            return self.offset_size
        return -1


class Layout:
    """How to read all attributes of a shape at once, whose sizes are all fixed: `values` reads those of `attributes`,
    pairs of attribute and form; `constants` are those that take no bytes.
    """

    __slots__ = ("attributes", "constants", "values")

    def __init__(
        self, letters: str, attributes: list[tuple[int, int]], constants: dict[int, tuple[int, int]]
    ) -> None:
        self.values, self.attributes, self.constants = Struct(letters), attributes, constants


class Abbreviation:
    """One shape. `attributes` has (attribute, form, its value if the form is IMPLICIT_CONST) in order.

    `size` is the bytes of all attributes together, or -1 where it depends on the content. `has_code`: an entry may tell
    where its code lies. `sibling_at` is where DW_AT_sibling is among the bytes, if it is a REF4 at a fixed place,
    else -1. There are many shapes of which few are met: what can be made later is.
    """

    __slots__ = (
        "_layout",
        "_names",
        "attributes",
        "format",
        "has_children",
        "has_code",
        "names_sibling",
        "sibling_at",
        "size",
        "tag",
    )

    def __init__(
        self, tag: int, has_children: bool, attributes: list[tuple[int, int, int]], format: Format
    ) -> None:
        self.tag, self.has_children, self.attributes, self.format = tag, has_children, attributes, format
        self._layout: Layout | None = None
        self._names: frozenset[int] | None = None
        self.names_sibling = self.has_code = False
        self.sibling_at, at = -1, 0
        for attribute, form, _ in attributes:
            if attribute == Attribute.SIBLING:
                self.names_sibling = True
                self.sibling_at = at if form == Form.REF4 else -1
            elif attribute in (Attribute.LOW_PC, Attribute.RANGES):
                self.has_code = True
            size = format.fixed_size(form)
            at = at + size if at >= 0 and size >= 0 else -1
        self.size = at

    def has(self, attribute: int) -> bool:
        """Whether entries of this shape have an attribute."""
        if self._names is None:
            self._names = frozenset([name for name, _, _ in self.attributes])
        return attribute in self._names

    @property
    def layout(self) -> Layout | None:
        """None where sizes are not fixed, or of numbers that no machine has."""
        if self._layout is None and self.size >= 0:
            letters, attributes, constants = "<", [], {}
            for attribute, form, constant in self.attributes:
                size = self.format.fixed_size(form)
                if size not in _LETTERS:
                    return None
                if size:
                    letters += _LETTERS[size]
                    attributes.append((attribute, form))
                else:
                    constants[attribute] = form, 1 if form == Form.FLAG_PRESENT else constant
            self._layout = Layout(letters, attributes, constants)
        return self._layout


def read_abbreviations(section: memoryview, offset: int, format: Format) -> dict[int, Abbreviation]:
    """A unit's shapes by code."""
    found: dict[int, Abbreviation] = {}
    at = offset
    try:
        while True:
            code, at = uleb128(section, at)
            if not code:
                return found
            tag, at = uleb128(section, at)
            has_children = section[at] != 0
            at += 1
            attributes = []
            while True:
                attribute, at = uleb128(section, at)
                form, at = uleb128(section, at)
                value = 0
                if form == Form.IMPLICIT_CONST:
                    value, at = sleb128(section, at)
                if not attribute and not form:
                    break
                attributes.append((attribute, form, value))
                if len(attributes) > _MOST_ATTRIBUTES:
                    raise DwarfError("an abbreviation has too many attributes")
            found.setdefault(code, Abbreviation(tag, has_children, attributes, format))
    except (IndexError, OverflowError):
        raise DwarfError("the abbreviations are cut off") from None


def skip_form(data: memoryview, at: int, form: int, format: Format) -> int:
    """Where an attribute ends."""
    size = format.fixed_size(form)
    if size >= 0:
        return at + size
    if form in _NUMBERS:
        return uleb128(data, at)[1]
    if form in (Form.EXPRLOC, Form.BLOCK):
        length, at = uleb128(data, at)
        return at + length
    if form == Form.STRING:
        while data[at]:
            at += 1
        return at + 1
    if form == Form.BLOCK1:
        return at + 1 + data[at]
    if form == Form.BLOCK2:
        return at + 2 + int(_U16.unpack_from(data, at)[0])
    if form == Form.BLOCK4:
        return at + 4 + int(_U32.unpack_from(data, at)[0])
    if form == Form.INDIRECT:
        form, at = uleb128(data, at)
        if form == Form.INDIRECT:
            raise DwarfError("an indirect form names another")
        return skip_form(data, at, form, format)
    raise DwarfError(f"unknown form {form:#x}")

"""Debugging information entries: a tag, attributes, children."""

from struct import Struct
from struct import error as StructError

from kernscope.dwarf.abbreviations import Abbreviation, skip_form
from kernscope.dwarf.errors import DwarfError
from kernscope.dwarf.numbers import sleb128, text_at, uleb128
from kernscope.tables.dwarf import Attribute, Form, Tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kernscope.dwarf.unit import Unit

    Value = int | str | memoryview

__all__ = ["Die"]

_INTEGERS = {
    Form.DATA1: Struct("<B"), Form.FLAG: Struct("<B"), Form.REF1: Struct("<B"),
    Form.STRX1: Struct("<B"), Form.ADDRX1: Struct("<B"),
    Form.DATA2: Struct("<H"), Form.REF2: Struct("<H"), Form.STRX2: Struct("<H"), Form.ADDRX2: Struct("<H"),
    Form.DATA4: Struct("<I"), Form.REF4: Struct("<I"), Form.STRX4: Struct("<I"), Form.ADDRX4: Struct("<I"),
    Form.REF_SUP4: Struct("<I"),
    Form.DATA8: Struct("<Q"), Form.REF8: Struct("<Q"), Form.REF_SIG8: Struct("<Q"), Form.REF_SUP8: Struct("<Q"),
}  # fmt: skip

_U32 = Struct("<I")
_UNSIGNED = {1: Struct("<B"), 2: Struct("<H"), 4: Struct("<I"), 8: Struct("<Q")}

_UNIT_REFERENCES = frozenset((Form.REF1, Form.REF2, Form.REF4, Form.REF8, Form.REF_UDATA))
_STRING_INDEXES = frozenset((Form.STRX, Form.STRX1, Form.STRX2, Form.STRX3, Form.STRX4, Form.GNU_STR_INDEX))
_ADDRESS_INDEXES = frozenset(
    (Form.ADDRX, Form.ADDRX1, Form.ADDRX2, Form.ADDRX3, Form.ADDRX4, Form.GNU_ADDR_INDEX)
)
_OTHER_STRINGS = frozenset((Form.STRP_SUP, Form.GNU_STRP_ALT))
_OTHER_ENTRIES = frozenset((Form.REF_SUP4, Form.REF_SUP8, Form.GNU_REF_ALT))
"""Forms that lead into the supplementary file."""
_ELSEWHERE = 1 << 64


class Die:
    """One entry. `offset` is that in `.debug_info`; attributes are read when one is asked for."""

    __slots__ = ("_end", "_values", "abbreviation", "first", "offset", "unit")

    def __init__(self, unit: "Unit", offset: int, first: int, abbreviation: Abbreviation) -> None:
        self.unit, self.offset, self.first, self.abbreviation = unit, offset, first, abbreviation
        self._values: dict[int, tuple[int, Value]] | None = None
        self._end = first + abbreviation.size if abbreviation.size >= 0 else -1

    @property
    def tag(self) -> int:
        return self.abbreviation.tag

    @property
    def key(self) -> tuple[int, int]:
        """Names the entry among all of the file."""
        return self.unit.section, self.offset

    # --- attributes ----------------------------------------------------------------------------------------

    def _read(self) -> "dict[int, tuple[int, Value]]":
        if self._values is None:
            shape = self.abbreviation
            values: dict[int, tuple[int, Value]] = {}
            at = self.first
            layout = shape.layout
            if layout is not None:
                try:
                    found = layout.values.unpack_from(self.unit.data, at)
                except StructError:
                    raise DwarfError(f"the entry at {self.offset:#x} is cut off") from None
                values.update(layout.constants)
                for (attribute, form), value in zip(layout.attributes, found, strict=True):
                    values[attribute] = form, value
                self._values = values
                return values
            try:
                for attribute, form, constant in shape.attributes:
                    form, value, at = self._value(form, constant, at)
                    values[attribute] = form, value
            except (StructError, IndexError, OverflowError):
                raise DwarfError(f"the entry at {self.offset:#x} is cut off") from None
            self._values, self._end = values, at
        return self._values

    def _value(self, form: int, constant: int, at: int) -> "tuple[int, Value, int]":
        """(form, value, where it ends)."""
        data = self.unit.data
        fixed = _INTEGERS.get(form)
        if fixed is not None:
            return form, fixed.unpack_from(data, at)[0], at + fixed.size
        if form == Form.FLAG_PRESENT:
            return form, 1, at
        if form == Form.IMPLICIT_CONST:
            return form, constant, at
        if form == Form.SDATA:
            return form, *sleb128(data, at)
        if form == Form.INDIRECT:
            form, at = uleb128(data, at)
            if form == Form.INDIRECT:
                raise DwarfError("an indirect form names another")
            return self._value(form, constant, at)
        if form == Form.STRING:
            return form, text_at(data, at), skip_form(data, at, form, self.unit.format)
        if form in (Form.EXPRLOC, Form.BLOCK):
            length, at = uleb128(data, at)
            return form, data[at : at + length], at + length
        end = skip_form(data, at, form, self.unit.format)
        if form in (Form.BLOCK1, Form.BLOCK2, Form.BLOCK4):
            return form, data[at + {Form.BLOCK1: 1, Form.BLOCK2: 2, Form.BLOCK4: 4}[form] : end], end
        if form == Form.DATA16:
            return form, data[at:end], end
        size = end - at
        if size in _UNSIGNED and self.unit.format.fixed_size(form) == size:
            return form, _UNSIGNED[size].unpack_from(data, at)[0], end
        if size == 3 and form in (Form.STRX3, Form.ADDRX3):
            return form, int.from_bytes(data[at:end], "little"), end
        return form, uleb128(data, at)[0], end

    def has(self, attribute: int) -> bool:
        return self.abbreviation.has(attribute)

    def number(self, attribute: int) -> int | None:
        """An attribute that is a number; None where it has none, or an expression."""
        found = self._read().get(attribute)
        return found[1] if found is not None and isinstance(found[1], int) else None

    def flag(self, attribute: int) -> bool:
        return bool(self.number(attribute))

    def text(self, attribute: int) -> str:
        """An attribute that is a text; empty where it has none."""
        found = self._read().get(attribute)
        if found is None:
            return ""
        form, value = found
        if isinstance(value, str):
            return value
        if not isinstance(value, int):
            return ""
        sections = self.unit.sections
        try:
            if form in _OTHER_STRINGS:
                return text_at(sections.other_strings, value) if sections.other_strings else ""
            if form == Form.STRP:
                return text_at(sections.strings, value)
            if form == Form.LINE_STRP:
                return text_at(sections.line_strings, value)
            if form in _STRING_INDEXES:
                return text_at(sections.strings, self.unit.string_offset(value))
        except (IndexError, StructError):
            raise DwarfError(f"a text of the entry at {self.offset:#x} is outside of its section") from None
        return ""

    def address(self, attribute: int) -> int | None:
        found = self._read().get(attribute)
        if found is None or not isinstance(found[1], int):
            return None
        return self.unit.indexed_address(found[1]) if found[0] in _ADDRESS_INDEXES else found[1]

    def form(self, attribute: int) -> int:
        """The form of an attribute; 0 where it has none."""
        found = self._read().get(attribute)
        return found[0] if found is not None else 0

    def bytes(self, attribute: int) -> memoryview | None:
        """An attribute that is a block or an expression."""
        found = self._read().get(attribute)
        return found[1] if found is not None and isinstance(found[1], memoryview) else None

    def place(self, attribute: int) -> int:
        """A number of its own for each entry that attributes of this file lead to: where it lies, as far as it is in
        `.debug_info`; -1 where there is none.
        """
        found = self._read().get(attribute)
        if found is None or not isinstance(found[1], int):
            return -1
        form, value = found[0], found[1]
        if form in _UNIT_REFERENCES:
            return self.unit.start + value
        if form in _OTHER_ENTRIES:
            return value + _ELSEWHERE
        return value if form == Form.REF_ADDR and not self.unit.section else -1

    def reference(self, attribute: int) -> "Die | None":
        """The entry that an attribute leads to; None where it has none, or one of a file that is not read."""
        form, value = self.form(attribute), self.number(attribute)
        if value is None:
            return None
        if form in _UNIT_REFERENCES:
            return self.unit.die_at(self.unit.start + value)
        if form == Form.REF_ADDR:
            return self.unit.file.die_at(value)
        if form == Form.REF_SIG8:
            return self.unit.file.type_of_signature(value)
        other = self.unit.file.supplementary
        if form in _OTHER_ENTRIES and other is not None:
            return other.die_at(value)
        return None

    def origin(self, attribute: int) -> "Die":
        """The entry that has the attribute: this one, or the one that it is a copy or a definition of."""
        die = self
        for _ in range(8):
            if die.has(attribute):
                return die
            further = die.reference(Attribute.ABSTRACT_ORIGIN) or die.reference(Attribute.SPECIFICATION)
            if further is None:
                return die
            die = further
        return die

    @property
    def name(self) -> str:
        """Its name, or that of what it is a copy or a definition of."""
        return self.origin(Attribute.NAME).text(Attribute.NAME)

    @property
    def type(self) -> "Die | None":
        """The entry of its type; None for `void`."""
        found = self.origin(Attribute.TYPE).reference(Attribute.TYPE)
        if found is not None and found.has(Attribute.SIGNATURE):  # it is described in a unit of its own
            return found.reference(Attribute.SIGNATURE) or found
        return found

    # --- the tree ------------------------------------------------------------------------------------------

    @property
    def end(self) -> int:
        """Where its attributes end and its children begin."""
        if self._end < 0:
            self._end = self.unit.skip(self.abbreviation, self.first)
        return self._end

    def following(self) -> int:
        """Where the next entry of the same parent begins."""
        if not self.abbreviation.has_children:
            return self.end
        if self.abbreviation.names_sibling:
            where = self._sibling()
            if self.end < where <= self.unit.end:
                return where
        return self.unit.skip_children(self.end)

    def _sibling(self) -> int:
        """Where the entry says that the next one begins; 0 where it does not."""
        fixed = self.abbreviation.sibling_at
        if fixed >= 0:
            try:
                return int(_U32.unpack_from(self.unit.data, self.first + fixed)[0]) + self.unit.start
            except StructError:
                raise DwarfError(f"the entry at {self.offset:#x} is cut off") from None
        sibling = self.number(Attribute.SIBLING)
        if sibling is None:
            return 0
        return sibling + (self.unit.start if self.form(Attribute.SIBLING) != Form.REF_ADDR else 0)

    def children(self) -> "Iterator[Die]":
        """Its children, in order."""
        if not self.abbreviation.has_children:
            return
        at = self.end
        while at < self.unit.end:
            child = self.unit.die_at(at)
            if child is None:
                return
            yield child
            at = child.following()

    def __repr__(self) -> str:
        names = {number: name for name, number in vars(Tag).items() if isinstance(number, int)}
        return f"Die({names.get(self.tag, hex(self.tag))} at {self.offset:#x})"

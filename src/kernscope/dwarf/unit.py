"""Units: what one source file, or one type, was compiled to."""

from bisect import bisect_right
from struct import Struct
from struct import error as StructError

from kernscope.dwarf.abbreviations import Abbreviation, Format, skip_form
from kernscope.dwarf.die import Die
from kernscope.dwarf.errors import DwarfError
from kernscope.dwarf.numbers import uleb128
from kernscope.dwarf.ranges import ranges_of
from kernscope.tables.dwarf import Attribute, Tag, UnitType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kernscope.dwarf.file import Dwarf, Sections

__all__ = ["Unit", "read_units"]

_U32, _U64, _U16 = Struct("<I"), Struct("<Q"), Struct("<H")
_LONG = 0xFFFFFFFF
"""A first word that says that offsets have 64 bits."""

MOST_RANGES = 1 << 22
"""Entries of lists of ranges that are read for one unit."""
MOST_WALKS = 32
"""How often all of a unit's bytes may be gone through for the sake of its functions, which do not overlap."""

_MOST_DEPTH = 64
"""Namespaces, classes and functions in each other, of which all are named."""

_CONTAINERS = frozenset((Tag.NAMESPACE, Tag.MODULE))
_TYPES = frozenset(
    (Tag.STRUCTURE_TYPE, Tag.CLASS_TYPE, Tag.UNION_TYPE, Tag.ENUMERATION_TYPE, Tag.TYPEDEF, Tag.BASE_TYPE)
)


class Unit:
    """One unit; `start` and `end` are offsets in its section, whose number is `section` (1: `.debug_types`)."""

    __slots__ = (
        "_abbreviations",
        "_abbreviations_at",
        "_functions",
        "_places",
        "_root",
        "_types",
        "data",
        "end",
        "file",
        "first",
        "format",
        "function_names",
        "ranges_left",
        "section",
        "signature",
        "start",
        "type_at",
        "walk_left",
    )

    def __init__(self, file: "Dwarf", section: int, start: int, end: int, header: "_Header") -> None:
        self.file, self.section, self.start, self.end = file, section, start, end
        sections = file.sections
        self.data = (sections.types if section else sections.info)[:end]
        self.format, self.first = header.format, header.end
        self.signature, self.type_at = header.signature, start + header.type_offset
        self._abbreviations_at = header.abbreviations
        self._abbreviations: dict[int, Abbreviation] | None = None
        self._root: Die | None = None
        self._functions: dict[int, int] | None = None
        self._types: dict[tuple[int, str], int] | None = None
        self._places: dict[int, list[int]] = {}
        self.function_names: object = None
        """What `inlined` knows of names, for all functions of the unit."""
        self.ranges_left, self.walk_left = MOST_RANGES, MOST_WALKS * (end - start)

    @property
    def sections(self) -> "Sections":
        return self.file.sections

    def shape(self, code: int) -> Abbreviation:
        """What entries that begin with this number have."""
        shapes = self._abbreviations
        if shapes is None:
            shapes = self._abbreviations = self.file.abbreviations(self._abbreviations_at, self.format)
        found = shapes.get(code)
        if found is None:
            raise DwarfError(f"there is no abbreviation {code}")
        return found

    def die_at(self, offset: int) -> Die | None:
        """The entry at an offset of the section, which must be in this unit; None at the end of a parent's children."""
        if not self.first <= offset < self.end:
            raise DwarfError(f"{offset:#x} is outside of its unit")
        try:
            code, at = uleb128(self.data, offset)
        except (IndexError, OverflowError):
            raise DwarfError(f"the entry at {offset:#x} is cut off") from None
        return Die(self, offset, at, self.shape(code)) if code else None

    def skip(self, shape: Abbreviation, at: int) -> int:
        """Where the attributes that begin at `at` end."""
        if shape.size >= 0:
            return at + shape.size
        try:
            for _, form, _ in shape.attributes:
                at = skip_form(self.data, at, form, self.format)
        except (IndexError, OverflowError, StructError):
            raise DwarfError("an entry is cut off") from None
        return at

    def skip_children(self, at: int) -> int:
        """Where a list of children that begins at `at` ends, with all that is below them."""
        depth = 1
        while depth and at < self.end:
            try:
                code, at = uleb128(self.data, at)
            except (IndexError, OverflowError):
                raise DwarfError("an entry is cut off") from None
            if not code:
                depth -= 1
                continue
            shape = self.shape(code)
            at = self.skip(shape, at)
            depth += shape.has_children
        return at

    @property
    def root(self) -> Die:
        """The entry of the unit itself."""
        if self._root is None:
            self._root = self.die_at(self.first)
            if self._root is None:
                raise DwarfError("a unit is empty")
        return self._root

    def string_offset(self, index: int) -> int:
        """Where in `.debug_str` the text of a number begins."""
        size = self.format.offset_size
        base = self.root.number(Attribute.STR_OFFSETS_BASE)
        at = (base if base is not None else 2 * size) + index * size
        return int((_U64 if size == 8 else _U32).unpack_from(self.sections.string_offsets, at)[0])

    def indexed_address(self, index: int) -> int:
        """The address of a number in `.debug_addr`."""
        base = self.root.number(Attribute.ADDR_BASE)
        at = (base if base is not None else 8) + index * 8
        try:
            return int(_U64.unpack_from(self.sections.addresses, at)[0])
        except StructError:
            raise DwarfError("an address is outside of its section") from None

    def walked(self, size: int) -> None:
        """So many bytes were gone through once more. Raises DwarfError where that cannot be."""
        self.walk_left -= size
        if self.walk_left < 0:
            raise DwarfError("the functions of a unit lie in each other")

    def path_to(self, offset: int) -> list[int]:
        """Where the entries begin that the one at an offset lies in, the outermost first, without the unit's own."""
        found: list[int] = []
        at = self.first
        while len(found) < _MOST_DEPTH:
            places = self._places.get(at)
            if places is None:
                die = self.die_at(at)
                places = [] if die is None else [child.offset for child in die.children()]
                self._places[at] = places
            index = bisect_right(places, offset) - 1
            if index < 0 or places[index] == offset:
                break
            at = places[index]
            found.append(at)
        return found

    # --- what it has ---------------------------------------------------------------------------------------

    def ranges(self) -> list[tuple[int, int]]:
        """Its code's addresses, (first, end) each; empty where it does not say."""
        return ranges_of(self.root)

    def _entries(self) -> "Iterator[Die]":
        """What stands in the unit itself and in its namespaces."""
        parents, seen = [self.root], {self.first}
        while parents:
            for die in parents.pop().children():
                if die.tag in _CONTAINERS:
                    if die.offset not in seen:  # in damaged data one may be the child of several
                        seen.add(die.offset)
                        parents.append(die)
                else:
                    yield die

    def functions(self) -> dict[int, int]:
        """Where the entries of its compiled functions are, by their addresses."""
        if self._functions is None:
            found: dict[int, int] = {}
            for die in self._entries():
                if die.tag == Tag.SUBPROGRAM:
                    address = _entry_address(die)
                    if address is not None:
                        found.setdefault(address, die.offset)
            self._functions = found
        return self._functions

    def types(self) -> dict[tuple[int, str], int]:
        """Where the entries of its types are that are defined, by tag and name without namespaces."""
        if self._types is None:
            found: dict[tuple[int, str], int] = {}
            for die in self._entries():
                if die.tag in _TYPES and not die.has(Attribute.DECLARATION):
                    found.setdefault((die.tag, die.text(Attribute.NAME)), die.offset)
            self._types = found
        return self._types

    def function_at(self, address: int) -> Die | None:
        """The function that begins at an address."""
        offset = self.functions().get(address)
        return self.die_at(offset) if offset is not None else None

    def function_named(self, name: str) -> Die | None:
        """A function that is defined here by its name: one whose code the compiler shares with an equal one has no
        entry with an address.
        """
        for die in self._entries():
            if (
                die.tag == Tag.SUBPROGRAM
                and not die.has(Attribute.DECLARATION)
                and name in (die.text(Attribute.NAME), die.text(Attribute.LINKAGE_NAME))
            ):
                return die
        return None

    def type_named(self, tags: tuple[int, ...], name: str) -> Die | None:
        """A type that is defined (not only declared) here; names of namespaces are left out."""
        for tag in tags:
            offset = self.types().get((tag, name))
            if offset is not None:
                return self.die_at(offset)
        return None


def _entry_address(die: Die) -> int | None:
    """Where a function begins; None for one that was not compiled (inlined, only declared)."""
    if die.has(Attribute.LOW_PC):
        return die.address(Attribute.LOW_PC)
    if die.has(Attribute.RANGES):
        ranges = ranges_of(die)
        return ranges[0][0] if ranges else None
    return None


class _Header:
    """What stands before a unit's first entry."""

    __slots__ = ("abbreviations", "end", "format", "signature", "type_offset")

    def __init__(self, data: memoryview, at: int, offset_size: int, *, of_types: bool) -> None:
        offset = _U64 if offset_size == 8 else _U32
        (version,) = _U16.unpack_from(data, at)
        at += 2
        kind = UnitType.TYPE if of_types else UnitType.COMPILE
        if version == 5:
            kind, address_size = data[at], data[at + 1]
            (self.abbreviations,) = offset.unpack_from(data, at + 2)
            at += 2 + offset_size
        elif 2 <= version <= 4:
            (self.abbreviations,) = offset.unpack_from(data, at)
            address_size = data[at + offset_size]
            at += offset_size + 1
        else:
            raise DwarfError(f"DWARF version {version} is not read here")
        if address_size != 8:
            raise DwarfError("it is not of a 64-bit machine")
        self.format = Format(version, address_size, offset_size)
        self.signature = self.type_offset = 0
        if kind in (UnitType.TYPE, UnitType.SPLIT_TYPE):
            (self.signature,) = _U64.unpack_from(data, at)
            (self.type_offset,) = offset.unpack_from(data, at + 8)
            at += 8 + offset_size
        elif kind in (UnitType.SKELETON, UnitType.SPLIT_COMPILE):
            at += 8
        self.end = at


def read_units(file: "Dwarf", data: memoryview, section: int) -> list[Unit]:
    """All units of a section. One of a kind that is not read ends them where its length makes no sense."""
    units = []
    at = 0
    while at + 4 <= len(data):
        try:
            (length,) = _U32.unpack_from(data, at)
            start, size, first = at, 4, at + 4
            if length == _LONG:
                (length,) = _U64.unpack_from(data, at + 4)
                size, first = 8, at + 12
            at = first + length
            if at > len(data):
                raise DwarfError("a unit is cut off")
            if not length:
                continue
            header = _Header(data[:at], first, size, of_types=bool(section))
        except (StructError, IndexError):
            raise DwarfError("a unit is cut off") from None
        if header.end < at:
            units.append(Unit(file, section, start, at, header))
    return units

"""All debug information of one file, read where it is asked for."""

from bisect import bisect_right
from struct import Struct
from struct import error as StructError

from kernscope.dwarf.abbreviations import Abbreviation, Format, read_abbreviations
from kernscope.dwarf.die import Die
from kernscope.dwarf.errors import DwarfError
from kernscope.dwarf.unit import Unit, read_units
from kernscope.tables.dwarf import Attribute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Dwarf", "Sections"]

_U32, _U16, _PAIR = Struct("<I"), Struct("<H"), Struct("<QQ")


class Sections:
    """The sections that are read, each empty where the file has none."""

    __slots__ = (
        "abbreviations",
        "addresses",
        "by_address",
        "info",
        "line_strings",
        "lines",
        "other_strings",
        "range_lists",
        "ranges",
        "string_offsets",
        "strings",
        "types",
    )

    def __init__(self, content: "Callable[[str], memoryview]") -> None:
        self.info = content(".debug_info")
        self.types = content(".debug_types")
        self.abbreviations = content(".debug_abbrev")
        self.strings = content(".debug_str")
        self.line_strings = content(".debug_line_str")
        self.lines = content(".debug_line")
        self.other_strings = memoryview(b"")
        """`.debug_str` of the supplementary file."""
        self.string_offsets = content(".debug_str_offsets")
        self.addresses = content(".debug_addr")
        self.ranges = content(".debug_ranges")
        self.range_lists = content(".debug_rnglists")
        self.by_address = content(".debug_aranges")


class Dwarf:
    """Debug information.

    Args:
        content: gives the bytes of a section by its name (`ElfFile.content`).
        supplementary: what several files share and refer to (`dwz -m`); without it, names in it are not known.

    Raises:
        DwarfError: from everything that reads.
    """

    def __init__(self, content: "Callable[[str], memoryview]", supplementary: "Dwarf | None" = None) -> None:
        self.sections = Sections(content)
        self.supplementary = supplementary
        if supplementary is not None:
            self.sections.other_strings = supplementary.sections.strings
        self.units = read_units(self, self.sections.info, 0)
        self._starts = [unit.start for unit in self.units]
        self._shapes: dict[object, dict[int, Abbreviation]] = {}
        self._by_signature: dict[int, Unit] | None = None
        self._of_types: list[Unit] | None = None
        self._ranges: list[tuple[int, int, Unit]] | None = None
        self._without_ranges: list[Unit] = []
        self._named: dict[tuple[tuple[int, ...], str], Die | None] = {}

    @property
    def empty(self) -> bool:
        """Whether the file has none."""
        return not self.units

    def abbreviations(self, offset: int, format: Format) -> dict[int, Abbreviation]:
        """The shapes at an offset, which units share."""
        key = (offset, format.key)
        found = self._shapes.get(key)
        if found is None:
            if offset >= len(self.sections.abbreviations):
                raise DwarfError("a unit's abbreviations are outside of their section")
            found = self._shapes[key] = read_abbreviations(self.sections.abbreviations, offset, format)
        return found

    def die_at(self, offset: int) -> Die | None:
        """The entry at an offset in `.debug_info`."""
        index = bisect_right(self._starts, offset) - 1
        if index < 0 or offset >= self.units[index].end:
            raise DwarfError(f"{offset:#x} is in no unit")
        return self.units[index].die_at(offset)

    def type_of_signature(self, signature: int) -> Die | None:
        """A type that has a unit of its own."""
        if self._by_signature is None:
            everything = (*self.units, *self._type_units())
            self._by_signature = {unit.signature: unit for unit in everything if unit.signature}
        unit = self._by_signature.get(signature)
        return unit.die_at(unit.type_at) if unit is not None else None

    def _type_units(self) -> list[Unit]:
        """The units of `.debug_types`, where versions before 5 put types that have a unit of their own."""
        if self._of_types is None:
            self._of_types = read_units(self, self.sections.types, 1)
        return self._of_types

    # --- by address ----------------------------------------------------------------------------------------

    def _index(self) -> list[tuple[int, int, Unit]]:
        if self._ranges is None:
            found = self._noted_ranges()
            noted = {id(unit) for _, _, unit in found}
            for unit in self.units:
                if id(unit) not in noted and not unit.signature:
                    ranges = unit.ranges()
                    found += [(first, end, unit) for first, end in ranges if first < end]
                    if not ranges:
                        self._without_ranges.append(unit)
            self._ranges = sorted(found, key=lambda entry: entry[:2])
        return self._ranges

    def _noted_ranges(self) -> list[tuple[int, int, Unit]]:
        """What `.debug_aranges` says; nothing where it makes no sense, for the units say it, too."""
        data, found, at = self.sections.by_address, [], 0
        by_start = dict(zip(self._starts, self.units, strict=True))
        try:
            while at + 12 <= len(data):
                (length,) = _U32.unpack_from(data, at)
                (version,) = _U16.unpack_from(data, at + 4)
                (start,) = _U32.unpack_from(data, at + 6)
                if version != 2 or data[at + 10] != 8 or data[at + 11] or length >= 0xFFFFFFF0:
                    return []
                end = at + 4 + length
                unit = by_start.get(start)
                entries = at + 16
                at = end
                for first, size in _PAIR.iter_unpack(data[entries : end - (end - entries) % 16]):
                    if size and unit is not None:
                        found.append((first, first + size, unit))
        except (StructError, IndexError):
            return []
        return found

    def unit_ranges(self) -> list[tuple[int, int, Unit]]:
        """(first, end, unit) of all code, by address."""
        return self._index()

    def unit_starting(self, offset: int) -> Unit:
        """The unit that begins at an offset of `.debug_info`."""
        index = bisect_right(self._starts, offset) - 1
        if index < 0 or self._starts[index] != offset:
            raise DwarfError(f"no unit begins at {offset:#x}")
        return self.units[index]

    def _units_at(self, address: int) -> "Iterator[Unit]":
        """The units that may have code at an address, the likely ones first."""
        ranges = self._index()
        index = bisect_right(ranges, address, key=lambda entry: entry[0])
        for first, end, unit in reversed(ranges[max(0, index - 8) : index]):
            if first <= address < end:
                yield unit
        yield from self._without_ranges

    def function_at(self, address: int, name: str = "") -> Die | None:
        """The function that begins at an address of the file, else the one of this name that is compiled there."""
        for unit in self._units_at(address):
            found = unit.function_at(address)
            if found is not None:
                return found
        for unit in self._units_at(address) if name else ():
            found = unit.function_named(name)
            if found is not None:
                return found
        return None

    # --- by name -------------------------------------------------------------------------------------------

    def type_named(self, tags: tuple[int, ...], name: str, near: int | None = None) -> Die | None:
        """A type by its name: first in the units with code at `near`, then in all others."""
        key = tags, name
        if key not in self._named:
            self._named[key] = self._type_named(tags, name, near)
        return self._named[key]

    def _type_named(self, tags: tuple[int, ...], name: str, near: int | None) -> Die | None:
        likely = set(self._units_at(near)) if near is not None else set()
        for units in self._units_naming(name):
            for unit in sorted(units, key=lambda unit: unit not in likely):
                found = unit.type_named(tags, name)
                if found is not None:
                    return found
        return None

    def _units_naming(self, name: str) -> "Iterator[list[Unit]]":
        """The units in which something may have this name, the likely ones first. Most need not be read: the bytes of
        the name, or of its place in `.debug_str`, are nowhere in them.
        """
        sections = self.sections
        text = name.encode("utf-8", "surrogateescape") + b"\0"
        places = _find(sections.strings, text) + _find(sections.line_strings, text)
        # A name may be the end of another: linkers store that once. Those that stand alone come first.
        places.sort(key=lambda at: at > 0 and at < len(sections.strings) and sections.strings[at - 1] != 0)
        yield self._units_with(_find(sections.info, text))
        by_index = False
        for place in places[:_MOST_ENDS]:
            pattern = _U32.pack(place)
            yield self._units_with(_find(sections.info, pattern))
            by_index = by_index or bool(_find(sections.string_offsets, pattern))
        yield self._type_units()
        if by_index:
            yield [unit for unit in self.units if unit.root.has(Attribute.STR_OFFSETS_BASE)]

    def _units_with(self, offsets: list[int]) -> list[Unit]:
        indexes = {bisect_right(self._starts, offset) - 1 for offset in offsets}
        return [self.units[i] for i in sorted(indexes) if i >= 0]


_MOST_PLACES = 100_000
_MOST_ENDS = 256
"""So many other names that end with a name are looked at."""


def _find(section: memoryview, pattern: bytes) -> list[int]:
    """Where bytes are in a section, overlapping ones left out, up to a bound that only damaged data reaches."""
    import re
    from itertools import islice

    return [found.start() for found in islice(re.finditer(re.escape(pattern), section), _MOST_PLACES)]

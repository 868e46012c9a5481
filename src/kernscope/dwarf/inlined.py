"""Which functions the code at an address came from: the compiled function, and those that were inlined into it there.

A function's entry has one of DW_TAG_inlined_subroutine for each function that was inlined, with the ranges of its
code, and in these others. Here each becomes a *scope*, which knows its parent and from where it was called; their
ranges become pieces that do not overlap, each with its innermost scope.

Where a unit's functions are is read at once, a function's scopes when they are asked for: of a large program, few
functions have samples.
"""

from array import array

from kernscope.dwarf.abbreviations import Abbreviation
from kernscope.dwarf.die import Die
from kernscope.dwarf.errors import DwarfError
from kernscope.dwarf.numbers import uleb128
from kernscope.dwarf.ranges import ranges_of
from kernscope.tables.dwarf import Attribute, Tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.dwarf.unit import Unit

__all__ = ["NO_FUNCTION", "NO_SCOPE", "Functions", "Scopes", "read_functions", "read_scopes"]

NO_SCOPE = 0xFFFFFFFF
NO_FUNCTION = (1 << 64) - 1
MOST_SCOPES = 1 << 20
"""Of one unit, or one function."""

_AROUND = frozenset((Tag.LEXICAL_BLOCK, Tag.TRY_BLOCK, Tag.CATCH_BLOCK, Tag.NAMESPACE, Tag.MODULE))
"""Entries that may have functions with code in them."""
_CLASSES = frozenset((Tag.STRUCTURE_TYPE, Tag.CLASS_TYPE, Tag.UNION_TYPE))
"""These too, where they lie in a function: those of others have only declarations in them."""
_NAMED = _CLASSES | {Tag.NAMESPACE, Tag.MODULE}
"""Entries whose names stand before those of what they hold."""
_MOST_FUNCTIONS = 8
"""Functions in functions whose names are told."""
_MOST_NAME = 4096
_MOST_TEXT = 1 << 25
"""Characters of all names of a unit: they may lie in each other."""


class Functions:
    """`starts` are the addresses at which pieces begin, `offsets` where the entries are of the functions that they
    are of, NO_FUNCTION between functions.
    """

    __slots__ = ("offsets", "starts")

    def __init__(self) -> None:
        self.starts, self.offsets = array("Q"), array("Q")


class Scopes:
    """Of one function. `starts` are the addresses at which pieces begin, `pieces` their innermost scopes, NO_SCOPE
    outside of the function.

    By scope, the first one being the function: `parents` (of that NO_SCOPE), `names`, and `call_files` and
    `call_lines`: where in its parent it was called.
    """

    __slots__ = ("call_files", "call_lines", "names", "parents", "pieces", "starts")

    def __init__(self) -> None:
        self.starts, self.pieces, self.parents = array("Q"), array("I"), array("I")
        self.call_files, self.call_lines = array("I"), array("I")
        self.names: list[str] = []


def read_functions(unit: "Unit", code: tuple[int, int]) -> Functions:
    """A unit's functions with code between the two addresses. Raises DwarfError."""
    offsets: list[int] = []
    pieces = _Pieces(code)

    def note(die: Die, scope: int, depth: int) -> int:
        if pieces.add(die, len(offsets), depth):
            offsets.append(die.offset)
        return scope

    _walk(unit.root, Tag.SUBPROGRAM, note)
    found = Functions()
    starts, numbers = pieces.flat()
    found.starts = starts
    found.offsets = array("Q", [NO_FUNCTION if number == NO_SCOPE else offsets[number] for number in numbers])
    return found


def read_scopes(unit: "Unit", offset: int, code: tuple[int, int]) -> Scopes:
    """The scopes of the function whose entry is at an offset of `.debug_info`. Raises DwarfError."""
    top = unit.die_at(offset)
    scopes, pieces = Scopes(), _Pieces(code)
    names = unit.function_names = unit.function_names or _Names()
    assert isinstance(names, _Names)

    def add(die: Die, parent: int, depth: int) -> int:
        number = len(scopes.names)
        if not pieces.add(die, number, depth):
            return parent
        inlined = parent != NO_SCOPE
        scopes.parents.append(parent)
        scopes.names.append(names.of(die))
        scopes.call_files.append((die.number(Attribute.CALL_FILE) or 0) & 0xFFFFFFFF if inlined else 0)
        scopes.call_lines.append((die.number(Attribute.CALL_LINE) or 0) & 0xFFFFFFFF if inlined else 0)
        return number

    if top is not None and add(top, NO_SCOPE, 0) != NO_SCOPE:
        _walk(top, Tag.INLINED_SUBROUTINE, add)
    scopes.starts, scopes.pieces = pieces.flat()
    return scopes


def _long_code(data: memoryview, at: int) -> tuple[int, int]:
    try:
        return uleb128(data, at)
    except (IndexError, OverflowError):
        raise DwarfError("an entry is cut off") from None


def _walk(top: Die, wanted: int, visit: "Callable[[Die, int, int], int]") -> None:
    """Give `visit` every entry below `top` that is of the wanted tag and may have code, in their order, with the number
    that it returned for the one around it (0 for `top`), and how many lie around it.
    """
    unit = top.unit
    if not top.abbreviation.has_children:
        return
    at, data, end = top.end, unit.data, unit.end
    start, of_function = at, wanted == Tag.INLINED_SUBROUTINE
    shapes: dict[int, Abbreviation] = {}
    inside = [(0, 1, of_function)]  # number, how deep, whether in a function
    while inside and at < end:
        offset = at
        code, at = data[at], at + 1
        if not code:
            inside.pop()
            continue
        if code > 0x7F:
            code, at = _long_code(data, offset)
        shape = shapes.get(code) or unit.shape(code)
        shapes[code] = shape
        tag = shape.tag
        number, depth, local = inside[-1]
        if tag == wanted and shape.has_code:
            die = Die(unit, offset, at, shape)
            number, depth, local = visit(die, number, depth), depth + 1, True
            at = die.end
        elif not shape.has_children or tag in _AROUND or (local and tag in _CLASSES):
            at = unit.skip(shape, at)
        elif tag == Tag.SUBPROGRAM and not shape.has_code:
            at, local = (
                unit.skip(shape, at),
                True,
            )  # what was only inlined may have a class with functions in it
        else:
            at = Die(unit, offset, at, shape).following()
            continue
        if shape.has_children:
            inside.append((number, depth, local))
    unit.walked(at - start)


class _Pieces:
    """Ranges of things in each other, as pieces that do not overlap. What lies outside of the file's code, for a linker
    threw it away, is left out.
    """

    def __init__(self, code: tuple[int, int]) -> None:
        self._code = code
        self._ranges: list[tuple[int, int, int, int]] = []
        """(first, -end, depth, number): sorted, a thing comes behind what it lies in."""

    def add(self, die: Die, number: int, depth: int) -> bool:
        """Add an entry's ranges; whether it has any."""
        first_code, end_code = self._code
        ranges = [(low, high) for low, high in ranges_of(die) if first_code <= low < high <= end_code]
        if number >= MOST_SCOPES:
            raise DwarfError("a unit has more functions than can be")
        self._ranges += [(low, -high, depth, number) for low, high in ranges]
        return bool(ranges)

    def flat(self) -> "tuple[array[int], array[int]]":
        """(where pieces begin, the number of each)"""
        starts, pieces, around = array("Q"), array("I"), list[tuple[int, int]]()

        def begin(address: int, number: int) -> None:
            if starts and starts[-1] == address:
                pieces[-1] = number
            elif not pieces or pieces[-1] != number:
                starts.append(address)
                pieces.append(number)

        def close(until: int) -> None:
            while around and around[-1][0] <= until:
                end, _ = around.pop()
                begin(end, around[-1][1] if around else NO_SCOPE)

        for first, end, _, number in sorted(self._ranges):
            close(first)
            # What lies in something ends with it at the latest, whatever it says.
            end = min(-end, around[-1][0]) if around else -end
            begin(first, number)
            around.append((end, number))
        close(1 << 64)
        return starts, pieces


class _Names:
    """Names of functions of one unit, each found once."""

    def __init__(self) -> None:
        self._of: dict[int, str] = {}
        """By where the entries of functions are that are compiled in several places."""
        self._around: dict[tuple[Unit, int], str] = {}
        """What stands before the names of what lies in an entry, by the entry's place."""
        self._left = _MOST_TEXT

    def of(self, die: Die) -> str:
        """As in symbol tables, where it has such a name; else with the names of what it lies in."""
        place = die.place(Attribute.ABSTRACT_ORIGIN)
        found = self._of.get(place) if place >= 0 else None
        if found is None:
            named = die.reference(Attribute.ABSTRACT_ORIGIN) or die
            found = (_linkage_name(named) or self._qualified(named, 0))[:_MOST_NAME]
            if place >= 0:
                self._of[place] = found
            self._count(found)
        return found

    def _count(self, text: str) -> None:
        self._left -= len(text)
        if self._left < 0:
            raise DwarfError("a unit's functions have longer names than can be")

    def _qualified(self, die: Die, depth: int) -> str:
        """A name with those of the namespaces, classes and functions that it lies in."""
        holder = die.origin(Attribute.NAME)
        name = holder.text(Attribute.NAME)
        if not name or depth > _MOST_FUNCTIONS:
            return name
        path = holder.unit.path_to(holder.offset)
        if not path:
            return name
        key = (holder.unit, path[-1])
        around = self._around.get(key)
        if around is None:
            around = self._around[key] = self._prefix(holder.unit, path, depth)[:_MOST_NAME]
            self._count(around)
        return around + name

    def _prefix(self, unit: "Unit", path: list[int], depth: int) -> str:
        parts: list[str] = []
        for outer in map(unit.die_at, path):
            if outer is None:
                continue
            if outer.tag == Tag.SUBPROGRAM:  # it may stand outside of what it belongs to
                parts = [self._qualified(outer, depth + 1) or "(function)"]
            elif outer.tag in _NAMED:
                nameless = "(anonymous namespace)" if outer.tag == Tag.NAMESPACE else "(anonymous class)"
                parts.append(outer.text(Attribute.NAME) or nameless)
        return "".join([f"{part}::" for part in parts])


def _linkage_name(die: Die) -> str:
    """The name in symbol tables of an entry, or of what it is a copy or a definition of."""
    for _ in range(_MOST_FUNCTIONS):
        for attribute in (Attribute.LINKAGE_NAME, Attribute.MIPS_LINKAGE_NAME):
            if die.has(attribute):
                return die.text(attribute)
        further = die.reference(Attribute.ABSTRACT_ORIGIN) or die.reference(Attribute.SPECIFICATION)
        if further is None:
            break
        die = further
    return ""

"""Which functions the code at an address came from: the compiled function, and those that were inlined into it there.

A function's entry has one of DW_TAG_inlined_subroutine for each function that was inlined, with the ranges of its
code, and in these others. Here each becomes a *scope*, which knows its parent and from where it was called; their
ranges become pieces that do not overlap, each with its innermost scope.
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
    from kernscope.dwarf.unit import Unit

__all__ = ["NO_SCOPE", "Scopes", "read_scopes"]

NO_SCOPE = 0xFFFFFFFF
MOST_SCOPES = 1 << 20
"""Of one unit."""

_FUNCTIONS = frozenset((Tag.SUBPROGRAM, Tag.INLINED_SUBROUTINE))
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


class Scopes:
    """`starts` are the addresses at which pieces begin, `pieces` their innermost scopes, NO_SCOPE between functions.

    By scope: `parents` (NO_SCOPE for compiled functions), `names`, and `call_files` and `call_lines`: where in its
    parent it was called.
    """

    __slots__ = ("call_files", "call_lines", "names", "parents", "pieces", "starts")

    def __init__(self) -> None:
        self.starts, self.pieces, self.parents = array("Q"), array("I"), array("I")
        self.call_files, self.call_lines = array("I"), array("I")
        self.names: list[str] = []


def read_scopes(unit: "Unit", code: tuple[int, int]) -> Scopes:
    """All scopes of a unit with code between the two addresses. Raises DwarfError."""
    reader = _Reader(unit, code)
    reader.walk()
    return reader.flat()


def _long_code(data: memoryview, at: int) -> tuple[int, int]:
    try:
        return uleb128(data, at)
    except (IndexError, OverflowError):
        raise DwarfError("an entry is cut off") from None


class _Reader:
    """Walks a unit's entries one after the other, as they lie."""

    def __init__(self, unit: "Unit", code: tuple[int, int]) -> None:
        self.unit, self.code = unit, code
        self.scopes = Scopes()
        self.ranges: list[tuple[int, int, int, int]] = []
        """(first, -end, depth, scope): sorted, a scope comes behind what it lies in."""
        self.names = _Names()

    def walk(self) -> None:
        unit, root = self.unit, self.unit.root
        if not root.abbreviation.has_children:
            return
        at, data, end = root.end, unit.data, unit.end
        shapes: dict[int, Abbreviation] = {}
        inside = [(NO_SCOPE, 0, False)]  # scope, how deep, whether in a function
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
            scope, depth, local = inside[-1]
            if shape.tag in _FUNCTIONS:
                local = True
                if shape.has_code:
                    die = Die(unit, offset, at, shape)
                    found = self._function(die, scope, depth)
                    at = die.end
                    if found != NO_SCOPE:
                        scope, depth = found, depth + 1
                else:
                    at = unit.skip(shape, at)
            elif not shape.has_children:
                at = unit.skip(shape, at)
                continue
            elif shape.tag in _AROUND or (local and shape.tag in _CLASSES):
                at = unit.skip(shape, at)
            else:
                at = Die(unit, offset, at, shape).following()
                continue
            if shape.has_children:
                inside.append((scope, depth, local))

    def _function(self, die: Die, parent: int, depth: int) -> int:
        """Its scope, or NO_SCOPE for one without code."""
        ranges = [span for span in ranges_of(die) if self._has_code(span)]
        scopes = self.scopes
        number = len(scopes.names)
        if not ranges:
            return NO_SCOPE
        if number >= MOST_SCOPES:
            raise DwarfError("a unit has more functions than can be")
        inlined = die.tag == Tag.INLINED_SUBROUTINE
        scopes.parents.append(parent if inlined else NO_SCOPE)
        scopes.names.append(self.names.of(die))
        scopes.call_files.append((die.number(Attribute.CALL_FILE) or 0) & 0xFFFFFFFF if inlined else 0)
        scopes.call_lines.append((die.number(Attribute.CALL_LINE) or 0) & 0xFFFFFFFF if inlined else 0)
        self.ranges += [(first, -end, depth, number) for first, end in ranges]
        return number

    def _has_code(self, span: tuple[int, int]) -> bool:
        """Whether a range is in the file's code: what a linker threw away lies elsewhere."""
        return self.code[0] <= span[0] < span[1] <= self.code[1]

    def flat(self) -> Scopes:
        """The scopes, with pieces that do not overlap."""
        scopes, open_scopes = self.scopes, list[tuple[int, int]]()
        starts, pieces = scopes.starts, scopes.pieces

        def begin(address: int, scope: int) -> None:
            if starts and starts[-1] == address:
                pieces[-1] = scope
            elif not pieces or pieces[-1] != scope:
                starts.append(address)
                pieces.append(scope)

        def close(until: int) -> None:
            while open_scopes and open_scopes[-1][0] <= until:
                end, _ = open_scopes.pop()
                begin(end, open_scopes[-1][1] if open_scopes else NO_SCOPE)

        for first, end, _, scope in sorted(self.ranges):
            close(first)
            # What lies in something ends with it at the latest, whatever it says.
            end = min(-end, open_scopes[-1][0]) if open_scopes else -end
            begin(first, scope)
            open_scopes.append((end, scope))
        close(1 << 64)
        return scopes


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

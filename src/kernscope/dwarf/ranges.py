"""Ranges of addresses: of a unit, or of a function that is in several pieces."""

from struct import Struct
from struct import error as StructError

from kernscope.dwarf.errors import DwarfError
from kernscope.dwarf.numbers import uleb128
from kernscope.tables.dwarf import Attribute, Form, RangeEntry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.dwarf.die import Die
    from kernscope.dwarf.unit import Unit

__all__ = ["ranges_of"]

_PAIR, _U64, _U32 = Struct("<QQ"), Struct("<Q"), Struct("<I")
_NEW_BASE = (1 << 64) - 1
_ADDRESS_FORMS = frozenset((Form.ADDR, Form.ADDRX, Form.ADDRX1, Form.ADDRX2, Form.ADDRX3, Form.ADDRX4))
_MOST = 1 << 16


def ranges_of(die: "Die") -> list[tuple[int, int]]:
    """The (first, end) addresses of an entry's code, in its order; empty where it does not say."""
    low = die.address(Attribute.LOW_PC)
    high = die.address(Attribute.HIGH_PC)
    if low is not None and high is not None:
        return [(low, high if die.form(Attribute.HIGH_PC) in _ADDRESS_FORMS else low + high)]
    where = die.number(Attribute.RANGES)
    if where is None:
        return []
    unit = die.unit
    try:
        base = unit.root.address(Attribute.LOW_PC) or 0
        if unit.format.version < 5:
            return _list_4(unit, where, base)
        if die.form(Attribute.RANGES) == Form.RNGLISTX:
            where = _indexed(unit, where)
        return _list_5(unit, where, base)
    except (StructError, IndexError, OverflowError):
        raise DwarfError("a list of ranges is cut off") from None


def _count(unit: "Unit") -> None:
    """Lists may be shared: only what is read of all of them together bounds the work."""
    unit.ranges_left -= 1
    if unit.ranges_left < 0:
        raise DwarfError("a unit has more ranges than can be")


def _list_4(unit: "Unit", at: int, base: int) -> list[tuple[int, int]]:
    data, found = unit.sections.ranges, list[tuple[int, int]]()
    while len(found) < _MOST:
        _count(unit)
        low, high = _PAIR.unpack_from(data, at)
        at += _PAIR.size
        if low == high == 0:
            break
        if low == _NEW_BASE:
            base = high
        else:
            found.append((base + low, base + high))
    return found


def _indexed(unit: "Unit", index: int) -> int:
    size = unit.format.offset_size
    base = unit.root.number(Attribute.RNGLISTS_BASE)
    start = base if base is not None else 12 if size == 4 else 20
    entry = _U64 if size == 8 else _U32
    return start + int(entry.unpack_from(unit.sections.range_lists, start + index * size)[0])


def _list_5(unit: "Unit", at: int, base: int) -> list[tuple[int, int]]:
    data, found = unit.sections.range_lists, list[tuple[int, int]]()
    while len(found) < _MOST:
        _count(unit)
        kind = data[at]
        at += 1
        if kind == RangeEntry.END_OF_LIST:
            break
        if kind in (RangeEntry.BASE_ADDRESS, RangeEntry.START_END, RangeEntry.START_LENGTH):
            (first,) = _U64.unpack_from(data, at)
            at += 8
        else:
            first, at = uleb128(data, at)
        if kind == RangeEntry.BASE_ADDRESSX:
            base = unit.indexed_address(first)
        elif kind == RangeEntry.BASE_ADDRESS:
            base = first
        elif kind == RangeEntry.START_END:
            found.append((first, int(_U64.unpack_from(data, at)[0])))
            at += 8
        else:
            second, at = uleb128(data, at)
            if kind == RangeEntry.OFFSET_PAIR:
                found.append((base + first, base + second))
            elif kind == RangeEntry.START_LENGTH:
                found.append((first, first + second))
            elif kind == RangeEntry.STARTX_LENGTH:
                first = unit.indexed_address(first)
                found.append((first, first + second))
            elif kind == RangeEntry.STARTX_ENDX:
                found.append((unit.indexed_address(first), unit.indexed_address(second)))
            else:
                raise DwarfError(f"unknown kind of range {kind}")
    return found

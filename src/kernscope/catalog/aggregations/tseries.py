"""tseries(n, interval, count, how): a value for each of the last intervals of time."""

from __future__ import annotations

from kernscope.bundle.globals_layout import BOOT_OFFSET_NS, GLOBALS_MAP
from kernscope.catalog.aggregations.base import WORD_MASK, Aggregation, Cell, divide, words
from kernscope.output.timeseries import TimeSeries, series_json, series_lines
from kernscope.types import Aggregate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kernscope.ssa import Builder, Value

__all__ = ["Series"]

LAST, AVERAGE, GREATEST, LEAST, SUM = range(5)
_WAYS = {"avg": AVERAGE, "max": GREATEST, "min": LEAST, "sum": SUM}

_SLOT_BYTES = 24
_CELL_BYTES = 32 * 1024
"""A per-CPU map's value can be no larger (PCPU_MIN_UNIT_SIZE in include/linux/percpu.h)."""
MOST_INTERVALS = _CELL_BYTES // _SLOT_BYTES


class Series(Aggregation):
    """Cell: for each interval a slot [number of the interval + 1, value, n or time], found by the number modulo
    the count of slots. Intervals are counted from 1970, so that they begin at round times of day.

    Known weakness: as with `min` and `max`, a program that interrupts another in the middle of its update of one
    slot on the same CPU may lose its value.
    """

    name = "tseries"
    doc = "The last (or the average, greatest, least value or sum of) n in each of the last COUNT intervals of time."
    signature = 'tseries(int n, int interval_ns, int count, "avg" | "max" | "min" | "sum")'
    const_params = (None, None, LAST)
    text_params = True
    additive = False
    block = True
    dividable = False
    json_type = "tseries"

    def complete(self, given: tuple[int | str, ...]) -> tuple[int, ...]:
        numbers = [_WAYS.get(value, -1) if isinstance(value, str) else value for value in given]
        if len(given) == 3 and not isinstance(given[2], str):
            numbers[2] = -1  # the way is a text in the program, and a number only here
        return super().complete(tuple(numbers))

    def check(self, params: tuple[int, ...]) -> str | None:
        interval, count, way = params
        if not 1 <= interval < 1 << 63:
            return "the interval of `tseries()` is at least 1 ns"
        if not 1 <= count <= MOST_INTERVALS:
            return f"`tseries()` keeps 1 to {MOST_INTERVALS} intervals"
        if way < 0:
            ways = ", ".join(f'`"{name}"`' for name in _WAYS)
            return f"the last argument of `tseries()` is one of {ways}"
        return None

    def cell_size(self, params: tuple[int, ...]) -> int:
        return _SLOT_BYTES * params[1]

    def update(self, b: Builder, agg: Aggregate, cell: Value, value: Value | None, shared: bool) -> None:
        from kernscope.ssa import Cond
        from kernscope.tables.helpers import HELPER_IDS

        assert value is not None
        interval, count, way = agg.params
        boot = b.call(HELPER_IDS["ktime_get_boot_ns"])
        now = b.add(boot, b.load(8, b.map_value(GLOBALS_MAP, BOOT_OFFSET_NS)))
        number = b.udiv(now, interval)
        tag = b.add(number, 1)
        place = b.umod(number, count)
        bounded = b.select(
            b.cmp(Cond.ULT, place, count), place, 0
        )  # what the verifier does not know of a remainder
        slot = b.ptr_add(cell, b.mul(bounded, _SLOT_BYTES))
        fresh, known, done = b.block("fresh"), b.block("known"), b.block("recorded")
        b.branch_cmp(Cond.EQ, b.load(8, slot), tag, known, fresh)
        b.seal(fresh)
        b.position(fresh)
        b.store(8, slot, tag)
        b.store(8, slot, value, 8)
        b.store(8, slot, boot if way == LAST else 1, 16)
        b.jump(done)
        b.seal(known)
        b.position(known)
        if way in (SUM, AVERAGE):
            b.store(8, slot, b.add(b.load(8, slot, 8), value), 8)
            b.store(8, slot, b.add(b.load(8, slot, 16), 1), 16)
        elif way == LAST:
            b.store(8, slot, value, 8)
            b.store(8, slot, boot, 16)
        else:
            old = b.load(8, slot, 8)
            better = (Cond.SGT if agg.signed else Cond.UGT, Cond.SLT if agg.signed else Cond.ULT)[
                way == LEAST
            ]
            b.store(8, slot, b.select(b.cmp(better, value, old), value, old), 8)
        b.jump(done)
        b.seal(done)
        b.position(done)

    def merge(self, agg: Aggregate, cells: Iterable[Cell]) -> TimeSeries | None:
        interval, count, _ = agg.params
        slots: dict[int, list[tuple[int, int]]] = {}
        for cell in cells:
            numbers = words(cell)
            for at in range(0, len(numbers), 3):
                if numbers[at]:
                    slots.setdefault(numbers[at] - 1, []).append((numbers[at + 1], numbers[at + 2]))
        if not slots:
            return None
        last = max(slots)
        points = [
            (number * interval, self._value(agg, found))
            for number, found in sorted(slots.items())
            if number > last - count
        ]
        return TimeSeries(interval, points)

    @staticmethod
    def _value(agg: Aggregate, found: list[tuple[int, int]]) -> int:
        """One value of what all CPUs have for an interval."""

        def signed(word: int) -> int:
            return word - (word >> 63 << 64) if agg.signed else word

        way = agg.params[2]
        if way == LAST:
            return signed(max(found, key=lambda entry: entry[1])[0])
        values = [value for value, _ in found]
        if way in (SUM, AVERAGE):
            total = signed(sum(values) & WORD_MASK)
            return total if way == SUM else divide(total, sum(n for _, n in found))
        return (max if way == GREATEST else min)(map(signed, values))

    def together(self, agg: Aggregate, values: Sequence[object]) -> list[object]:
        """All series of a map end with the last interval of any, and begin no earlier than that allows."""
        interval, count, _ = agg.params
        end = max((value.end_ns for value in values if isinstance(value, TimeSeries)), default=0)
        first = end - (count - 1) * interval
        return [
            TimeSeries(interval, [point for point in value.points if point[0] >= first], end)
            if isinstance(value, TimeSeries)
            else value
            for value in values
        ]

    def empty(self, agg: Aggregate) -> TimeSeries:
        return TimeSeries(agg.params[0], [])

    def divided(self, agg: Aggregate, value: object, div: int) -> object:
        return value

    def text(self, agg: Aggregate, value: object) -> str:
        assert isinstance(value, TimeSeries)
        return series_lines(value)

    def json(self, agg: Aggregate, value: object) -> object:
        assert isinstance(value, TimeSeries)
        return series_json(value)

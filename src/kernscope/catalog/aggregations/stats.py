"""stats(n): count, average and total of n."""

from __future__ import annotations

from kernscope.catalog.aggregations.base import Cell, divide
from kernscope.catalog.aggregations.sum import SumAndCount
from kernscope.output.histogram import Stats
from kernscope.types import Aggregate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Statistics"]


class Statistics(SumAndCount):
    """Three numbers at once."""

    name = "stats"
    doc = "Count, average and total of the argument."
    signature = "stats(int n)"
    json_type = "stats"

    def merge(self, agg: Aggregate, cells: Iterable[Cell]) -> Stats | None:
        total, n = self.totals(agg, cells)
        return Stats(n, divide(total, n), total) if n else None

    def empty(self, agg: Aggregate) -> Stats:
        return Stats(0, 0, 0)

    def divided(self, agg: Aggregate, value: object, div: int) -> Stats:
        # As bpftrace does it: only the average is divided.
        assert isinstance(value, Stats)
        return Stats(value.count, divide(value.average, div), value.total)

    def text(self, agg: Aggregate, value: object) -> str:
        assert isinstance(value, Stats)
        return f"{{ .count = {value.count}, .average = {value.average}, .total = {value.total} }}"

    def json(self, agg: Aggregate, value: object) -> object:
        assert isinstance(value, Stats)
        return {"count": value.count, "average": value.average, "total": value.total}

    def sort_key(self, value: object) -> int:
        return value.average if isinstance(value, Stats) else 0

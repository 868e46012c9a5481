"""avg(n): the average of n."""

from __future__ import annotations

from kernscope.catalog.aggregations.base import Cell, divide
from kernscope.catalog.aggregations.sum import SumAndCount
from kernscope.types import Aggregate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from kernscope.ssa import Builder, Value

__all__ = ["Average"]


class Average(SumAndCount):
    """An integer, rounded towards zero."""

    name = "avg"
    doc = "The average of the argument."
    signature = "avg(int n)"
    scalar = True
    json_type = "stats"

    def fold_end(self, b: Builder, agg: Aggregate, acc: list[Value]) -> Value:
        # BPF defines division by zero as 0, which is what an empty average is.
        return b.sdiv(acc[0], acc[1]) if agg.signed else b.udiv(acc[0], acc[1])

    def merge(self, agg: Aggregate, cells: Iterable[Cell]) -> int | None:
        total, n = self.totals(agg, cells)
        return divide(total, n) if n else None

    def empty(self, agg: Aggregate) -> int:
        return 0

"""sum(n): the total of n; and what the aggregations share whose cell is [sum, n]."""

from __future__ import annotations

from kernscope.catalog.aggregations.base import WORD_MASK, Aggregation, Cell, add_to_word, words
from kernscope.types import Aggregate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from kernscope.ssa import Builder, Value

__all__ = ["Sum", "SumAndCount"]


class SumAndCount(Aggregation):
    """Cell: [sum, n], both modulo 2**64. The count also tells a sum of 0 from no sum at all."""

    def cell_size(self, params: tuple[int, ...]) -> int:
        return 16

    def update(self, b: Builder, agg: Aggregate, cell: Value, value: Value | None, shared: bool) -> None:
        assert value is not None
        add_to_word(b, cell, 0, value, shared)
        add_to_word(b, cell, 8, 1, shared)

    def fold_start(self, b: Builder, agg: Aggregate) -> list[Value]:
        return [b.const(0), b.const(0)]

    def fold_step(self, b: Builder, agg: Aggregate, acc: list[Value], cell: Value) -> list[Value]:
        return [b.add(acc[0], b.load(8, cell)), b.add(acc[1], b.load(8, cell, 8))]

    def totals(self, agg: Aggregate, cells: Iterable[Cell]) -> tuple[int, int]:
        """Sum and count over all CPUs, as the values' type reads."""
        total = n = 0
        for cell in cells:
            one, count = words(cell)
            total += one
            n += count
        total &= WORD_MASK
        if agg.signed and total >> 63:
            total -= 1 << 64
        return total, n & WORD_MASK


class Sum(SumAndCount):
    """The total; wraps around at 64 bits."""

    name = "sum"
    doc = "Add up the argument."
    signature = "sum(int n)"
    scalar = True

    def fold_end(self, b: Builder, agg: Aggregate, acc: list[Value]) -> Value:
        return acc[0]

    def merge(self, agg: Aggregate, cells: Iterable[Cell]) -> int | None:
        total, n = self.totals(agg, cells)
        return total if n else None

    def empty(self, agg: Aggregate) -> int:
        return 0

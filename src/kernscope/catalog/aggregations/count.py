"""count(): how often."""

from __future__ import annotations

from kernscope.catalog.aggregations.base import Aggregation, Cell, add_to_word, words
from kernscope.types import Aggregate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from kernscope.ssa import Builder, Value

__all__ = ["Count"]


class Count(Aggregation):
    """Cell: [n]."""

    name = "count"
    doc = "Count how often this is called."
    signature = "count()"
    value_args = 0
    scalar = True

    def update(self, b: Builder, agg: Aggregate, cell: Value, value: Value | None, shared: bool) -> None:
        add_to_word(b, cell, 0, 1, shared)

    def fold_start(self, b: Builder, agg: Aggregate) -> list[Value]:
        return [b.const(0)]

    def fold_step(self, b: Builder, agg: Aggregate, acc: list[Value], cell: Value) -> list[Value]:
        return [b.add(acc[0], b.load(8, cell))]

    def fold_end(self, b: Builder, agg: Aggregate, acc: list[Value]) -> Value:
        return acc[0]

    def merge(self, agg: Aggregate, cells: Iterable[Cell]) -> int | None:
        return sum(words(cell)[0] for cell in cells) or None

    def empty(self, agg: Aggregate) -> int:
        return 0

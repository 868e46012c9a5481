"""min(n) and max(n): the least and the greatest n."""

from __future__ import annotations

from kernscope.catalog.aggregations.base import Aggregation, Cell, words
from kernscope.types import Aggregate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from kernscope.ssa import Builder, Value

__all__ = ["Extreme"]


class Extreme(Aggregation):
    """Cell: [value, seen]. Printed in numeric order, also where values are negative.

    Known weakness: a program that interrupts another between its comparison and its store on the same CPU
    may lose its value to the interrupted one's. That needs two updates of one key within some nanoseconds
    of one CPU; a compare-and-exchange loop for every update would cost more than the aggregation itself.
    """

    scalar = True
    additive = False

    def __init__(self, name: str) -> None:
        self.name = name
        greatest = name == "max"
        self.doc = f"The {'greatest' if greatest else 'least'} argument."
        self.signature = f"{name}(int n)"
        self._choose = max if greatest else min
        self._greatest = greatest

    def cell_size(self, params: tuple[int, ...]) -> int:
        return 16

    def _better(self, signed: bool) -> int:
        from kernscope.ssa import Cond  # user space needs no compiler

        if self._greatest:
            return Cond.SGT if signed else Cond.UGT
        return Cond.SLT if signed else Cond.ULT

    def update(self, b: Builder, agg: Aggregate, cell: Value, value: Value | None, shared: bool) -> None:
        from kernscope.ssa import Cond

        assert value is not None
        compare, store, done = b.block("seen"), b.block("store"), b.block("kept")
        b.branch_cmp(Cond.EQ, b.load(8, cell, 8), 0, store, compare)
        b.seal(compare)
        b.position(compare)
        b.branch_cmp(self._better(agg.signed), value, b.load(8, cell), store, done)
        b.seal(store)
        b.position(store)
        b.store(8, cell, value)
        b.store(8, cell, 1, 8)
        b.jump(done)
        b.seal(done)
        b.position(done)

    def fold_start(self, b: Builder, agg: Aggregate) -> list[Value]:
        return [b.const(0), b.const(0)]

    def fold_step(self, b: Builder, agg: Aggregate, acc: list[Value], cell: Value) -> list[Value]:
        from kernscope.ssa import Cond

        best, any_seen = acc
        value, seen = b.load(8, cell), b.load(8, cell, 8)
        first = b.cmp(Cond.EQ, any_seen, 0)
        better = b.or_(first, b.cmp(self._better(agg.signed), value, best))
        return [b.select(b.and_(seen, better), value, best), b.or_(any_seen, seen)]

    def fold_end(self, b: Builder, agg: Aggregate, acc: list[Value]) -> Value:
        return acc[0]

    def merge(self, agg: Aggregate, cells: Iterable[Cell]) -> int | None:
        values = [value for value, seen in map(words, cells) if seen]
        if not values:
            return None
        if agg.signed:
            values = [value - ((value >> 63) << 64) for value in values]
        return self._choose(values)

    def empty(self, agg: Aggregate) -> int:
        return 0

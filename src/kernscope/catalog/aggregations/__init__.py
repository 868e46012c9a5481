"""All aggregations: `count()`, `sum()`, …, `lhist()`.

A new one is one new file here with a subclass of `Aggregation` (see `base.py` for what each member means) and
its line in the table below. The checker, the compiler, the runtime, the printers and the documentation read
the table; nothing else names an aggregation.

    rules      value_args, const_params, check(), cell_size()      the checker asks these
    kernel     update(); fold_start(), fold_step(), fold_end()     lowering calls these
    user       merge(), empty(), text(), json(), sort_key()        the runtime and the sinks call these

Cells must start as zeros, and all zeros must mean that nothing was added. If each word of a cell only ever
grows by addition, leave `additive` true and `clear()` works without writing to the cell.
"""

from kernscope.catalog.aggregations.average import Average
from kernscope.catalog.aggregations.base import Aggregation
from kernscope.catalog.aggregations.count import Count
from kernscope.catalog.aggregations.extremes import Extreme
from kernscope.catalog.aggregations.hist import LinearHistogram, LogHistogram
from kernscope.catalog.aggregations.stats import Statistics
from kernscope.catalog.aggregations.sum import Sum
from kernscope.catalog.aggregations.tseries import Series
from kernscope.types import Aggregate

__all__ = ["AGGREGATIONS", "Aggregation", "aggregation_of"]

AGGREGATIONS: dict[str, Aggregation] = {
    entry.name: entry
    for entry in (
        Count(),
        Sum(),
        Average(),
        Extreme("min"),
        Extreme("max"),
        Statistics(),
        LogHistogram(),
        LinearHistogram(),
        Series(),
    )
}


def aggregation_of(type: Aggregate) -> Aggregation:
    """The entry that made this type."""
    return AGGREGATIONS[type.kind]

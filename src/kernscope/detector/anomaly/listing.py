"""What a baseline knows, as text."""

from __future__ import annotations

from kernscope.output.escape import escape_text
from kernscope.output.table import Column, plain_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.detector.anomaly.baseline import Baseline
    from kernscope.detector.anomaly.model import Model

__all__ = ["baseline_summary", "baseline_text"]

_COLUMNS = [
    *(Column(name, align=">") for name in ("WINDOWS", "CALLS/S", "ERRORS", "CALLS", "RUNS")),
    *(Column("READY"), Column("EXECUTABLE")),
]


def baseline_text(baseline: Baseline, most: int) -> str:
    """A table of the executables that were seen in most windows."""
    models = sorted(baseline.models.items(), key=lambda item: (-item[1].windows, item[0]))
    rows = [_row(exe, model) for exe, model in models[:most]]
    more = f"… and {len(models) - most} more\n" if len(models) > most else ""
    table = plain_text(_COLUMNS, rows) + more + "\n" if rows else ""
    return f"{table}{baseline_summary(baseline)}\n"


def _row(exe: str, model: Model) -> tuple[str, ...]:
    rate = 2 ** min(model.stats.get("rate", [0.0])[0], 62) - 1
    errors = model.stats.get("errors")
    return (
        *(f"{model.windows:,}", f"{rate:,.0f}", "" if errors is None else f"{errors[0]:.0%}"),
        *(str(len(model.calls)), str(len(model.grams)), "yes" if model.ready else "no", escape_text(exe)),
    )


def baseline_summary(baseline: Baseline) -> str:
    """One sentence."""
    ready = sum(model.ready for model in baseline.models.values())
    forgotten = f"; {baseline.forgotten:,} found no room" if baseline.forgotten else ""
    return (
        f"{len(baseline.models):,} executables are known, {ready:,} of them well enough for scores, "
        f"with {baseline.grams:,} runs of calls{forgotten}"
    )

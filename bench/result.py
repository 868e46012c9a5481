"""What a row of the benchmark yields, its summary numbers and its Markdown."""

from statistics import median
from typing import NamedTuple

__all__ = ["Budget", "Row", "Series", "as_json", "markdown"]


class Series(NamedTuple):
    """The samples of one tool, in the row's unit."""

    samples: tuple[float, ...]

    @property
    def middle(self) -> float:
        """The median."""
        return median(self.samples)

    def text(self, unit: str) -> str:
        """Median, then smallest and largest sample, then how many."""
        low, high = min(self.samples), max(self.samples)
        if len(self.samples) == 1:
            return f"{_number(self.middle)} {unit}"
        return f"{_number(self.middle)} {unit} ({_number(low)}–{_number(high)}, n={len(self.samples)})"


class Budget(NamedTuple):
    """Ours must be at most `factor` times the median of `against`, plus `plus`.

    Without `against`, `plus` alone is the limit; with `at_least`, ours must be at least that.
    """

    against: str
    factor: float
    plus: float = 0.0
    at_least: bool = False
    text: str = ""


class Row:
    """One measurement: samples per tool, and the budgets that ours (the series "kernscope") has to keep."""

    __slots__ = ("budgets", "name", "notes", "series", "title", "unit")

    def __init__(self, name: str, title: str, unit: str, *budgets: Budget) -> None:
        self.name = name
        self.title = title
        self.unit = unit
        self.budgets = budgets
        self.series: dict[str, Series] = {}
        self.notes: list[str] = []

    def add(self, tool: str, samples: list[float]) -> None:
        """Add a tool's samples; none at all add nothing."""
        if samples:
            self.series[tool] = Series(tuple(samples))

    def verdicts(self) -> list[tuple[str, bool]]:
        """Each budget that can be judged, as text and whether it is kept."""
        ours = self.series.get("kernscope")
        if ours is None:
            return []
        return [
            verdict for budget in self.budgets if (verdict := self._verdict(budget, ours.middle)) is not None
        ]

    def _verdict(self, budget: Budget, ours: float) -> tuple[str, bool] | None:
        if not budget.against:
            limit = budget.plus
            kept = ours >= limit if budget.at_least else ours <= limit
            sign = "≥" if budget.at_least else "≤"
            return f"{_number(ours)} {self.unit}, budget {sign} {_number(limit)} {self.unit}", kept
        other = self.series.get(budget.against)
        if other is None or other.middle == 0:
            return None
        limit = budget.factor * other.middle + budget.plus
        if budget.plus:
            extra = ours - other.middle
            allowed = f"budget + {_number(budget.plus)} {self.unit}"
            return f"{budget.against} + {_number(extra)} {self.unit}, {allowed}", ours <= limit
        ratio = ours / other.middle
        shown = f"{ratio:.3f}" if ratio < 0.1 else f"{ratio:.2f}"
        return f"{shown} × {budget.against}, budget {budget.text or f'{budget.factor:.2g}'}", ours <= limit


def _number(value: float) -> str:
    """Three significant digits, without an exponent."""
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:.{digits}f}"


def markdown(rows: list[Row]) -> str:
    """The table, then the notes."""
    tools = ["kernscope", "bpftrace", "C", "baseline"]
    lines = [
        "| measurement | kernscope | bpftrace | hand-written C | baseline | against the budget |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        cells = [row.series[tool].text(row.unit) if tool in row.series else "–" for tool in tools]
        verdicts = "; ".join(f"{text}: {'kept' if kept else '**missed**'}" for text, kept in row.verdicts())
        lines.append(f"| {row.title} | {' | '.join(cells)} | {verdicts or '–'} |")
    notes = [f"- {row.title}: {note}" for row in rows for note in row.notes]
    return "\n".join([*lines, *([""] if notes else []), *notes])


def as_json(rows: list[Row]) -> list[dict[str, object]]:
    """The rows as plain data, samples and all."""
    return [
        {
            "name": row.name,
            "title": row.title,
            "unit": row.unit,
            "series": {
                tool: {
                    "median": series.middle,
                    "min": min(series.samples),
                    "max": max(series.samples),
                    "samples": list(series.samples),
                }
                for tool, series in row.series.items()
            },
            "budgets": [{"text": text, "kept": kept} for text, kept in row.verdicts()],
            "notes": row.notes,
        }
        for row in rows
    ]

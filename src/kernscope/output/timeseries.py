"""Time series of `tseries()`: their value, and how bpftrace draws them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CompactDict", "TimeSeries", "series_json", "series_lines"]

AXIS_COLUMNS = 52
"""From the least to the greatest value."""

_MOST, _LEAST = (1 << 64) - 1, -(1 << 63)

_UNITS = ((1_000_000_000, "", 0), (1_000_000, "ms", 3), (1_000, "\u03bcs", 6))
"""Shortest interval in ns, what its starts are shown in, digits behind the second."""


class CompactDict(dict[str, object]):
    """Written without blanks in JSON."""


class TimeSeries:
    """`points` are (start of an interval, value) in ascending order; starts in ns since 1970.

    `end_ns` is the start of the last interval that any series of the map has.
    """

    __slots__ = ("end_ns", "interval_ns", "points")

    def __init__(self, interval_ns: int, points: list[tuple[int, int]], end_ns: int = 0) -> None:
        self.interval_ns, self.points = interval_ns, points
        self.end_ns = end_ns or (points[-1][0] if points else 0)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimeSeries) and self.points == other.points

    def __hash__(self) -> int:
        return hash(tuple(self.points))

    def __repr__(self) -> str:
        return f"TimeSeries({self.interval_ns}, {self.points!r})"


def _clock(ns: int, format: str) -> str:
    import time

    return time.strftime(format, time.localtime(ns // 1_000_000_000))


def _label(ns: int, digits: int) -> str:
    fraction = f"{ns % 1_000_000_000:09d}"[:digits]
    return _clock(ns, "%H:%M:%S") + (f".{fraction}" if digits else "")


def series_lines(series: TimeSeries) -> str:
    """A line per interval, the value marked between the least and the greatest; a line at 0 if that is between."""
    if not series.points:
        return "<no data>\n"
    values = dict(series.points)
    least, greatest = min(values.values()), max(values.values())
    if least == greatest:
        least, greatest = max(least - 1, _LEAST), min(greatest + 1, _MOST)
    starts = range(series.points[0][0], series.end_ns + 1, series.interval_ns)
    unit, digits = "ns", 9
    if len(starts) > 1:
        unit, digits = next(((u, d) for ns, u, d in _UNITS if series.interval_ns >= ns), (unit, digits))
    indent = " " * (9 + (1 + digits if digits else 0))
    head = "hh:mm:ss" + (f".{unit}" if unit else "")
    head += " " * (len(indent) - len(head.encode()))  # bpftrace counts bytes, and μ has two
    ends = f"{indent}{least}{str(greatest).rjust(AXIS_COLUMNS + 1 - len(str(least)))}\n"

    def column(value: int) -> int:
        return (value - least) * AXIS_COLUMNS // (greatest - least)

    lines = [ends, f"{head}|{'_' * (AXIS_COLUMNS - 1)}|\n"]
    for start in starts:
        row = ["|", *" " * (AXIS_COLUMNS - 1), "|"]
        if least < 0 < greatest:
            row[column(0)] = "."
        value = values.get(start)
        if value is not None:
            row[column(value)] = "*"
        lines.append(f"{_label(start, digits)} {''.join(row)} {'-' if value is None else value}\n")
    lines += [f"{indent}v{'_' * (AXIS_COLUMNS - 1)}v\n", ends]
    return "".join(lines)


def series_json(series: TimeSeries) -> list[CompactDict]:
    """The intervals that have a value."""
    return [
        CompactDict(
            interval_start=f"{_clock(start, '%Y-%m-%d %H:%M:%S')}.{start % 1_000_000_000:09d}", value=value
        )
        for start, value in series.points
    ]

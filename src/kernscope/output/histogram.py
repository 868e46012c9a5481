"""Values of the aggregations that are more than one number, and how histograms look."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Bucket", "Histogram", "Stats", "histogram_json", "histogram_lines", "scaled"]

BAR_COLUMNS = 52
LABEL_COLUMNS = 16
COUNT_COLUMNS = 8


class Stats:
    """What `stats()` collects; `average` is rounded towards zero."""

    __slots__ = ("average", "count", "total")

    def __init__(self, count: int, average: int, total: int) -> None:
        self.count, self.average, self.total = count, average, total

    def __iter__(self) -> Iterator[int]:
        return iter((self.count, self.average, self.total))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stats) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Stats(count={self.count}, average={self.average}, total={self.total})"


class Bucket:
    """`count` values n with low <= n < high; None: no limit on that side."""

    __slots__ = ("count", "high", "label", "low")

    def __init__(self, low: int | None, high: int | None, label: str, count: int) -> None:
        self.low, self.high, self.label, self.count = low, high, label, count

    def _key(self) -> tuple[int | None, int | None, int]:
        return self.low, self.high, self.count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bucket) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"Bucket({self.label} {self.count})"


class Histogram:
    """What `hist()` and `lhist()` collect: the buckets from the first to the last that is not empty."""

    __slots__ = ("buckets",)

    def __init__(self, buckets: list[Bucket]) -> None:
        self.buckets = buckets

    @property
    def total(self) -> int:
        """How many values were added."""
        return sum(bucket.count for bucket in self.buckets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.buckets == other.buckets

    def __hash__(self) -> int:
        return hash(tuple(self.buckets))

    def __str__(self) -> str:
        return histogram_lines(self)

    def __repr__(self) -> str:
        return f"<Histogram of {self.total} values in {len(self.buckets)} buckets>"


def scaled(value: int) -> str:
    """The number with the greatest unit (1024**n) that divides it."""
    unit = 0
    while value and value % 1024 == 0 and unit < 6:
        value //= 1024
        unit += 1
    return f"{value}{' KMGTPE'[unit] if unit else ''}"


def histogram_lines(histogram: Histogram) -> str:
    """One line per bucket: label, count, and a bar whose length is relative to the fullest bucket's."""
    most = max((bucket.count for bucket in histogram.buckets), default=0)
    lines = []
    for bucket in histogram.buckets:
        bar = "@" * (bucket.count * BAR_COLUMNS // most if most > 0 else 0)
        lines.append(
            f"{bucket.label:<{LABEL_COLUMNS}}{bucket.count:>{COUNT_COLUMNS}} |{bar:<{BAR_COLUMNS}}|\n"
        )
    return "".join(lines)


def histogram_json(histogram: Histogram) -> list[dict[str, int]]:
    """bpftrace's JSON shape: both ends inclusive, an open end left out."""
    shape = []
    for bucket in histogram.buckets:
        entry = {}
        if bucket.low is not None:
            entry["min"] = bucket.low
        if bucket.high is not None:
            entry["max"] = bucket.high - 1
        entry["count"] = bucket.count
        shape.append(entry)
    return shape

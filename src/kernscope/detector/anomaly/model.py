"""What an executable usually does: averages that follow slowly, and the calls and runs of calls it is known for.

Means and variances are exponentially weighted: the first windows count alike, later ones by `_FOLLOW`, so the last few
hundred windows make the picture. A score adds up parts; each says how far a value is above what is usual, in standard
deviations of at least a floor: what is smaller than the floor is noise for every program.
"""

from __future__ import annotations

from math import log2, sqrt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.detector.anomaly.window import Window

__all__ = ["MOST_GRAMS", "WARM_UP", "Model"]

WARM_UP = 40
"""Periods of five seconds in which an executable must have been seen before anything of it is scored."""
_FOLLOW = 0.01
_MOST_SHARES = 128
_MOST_CALLS = 512
MOST_GRAMS = 2000
"""Runs of three calls that are kept of one executable."""
_FEW_CALLS = 50
"""With less, shares of calls say nothing."""
_USUAL = 3.0
"""Standard deviations that every program is allowed."""
_POINTS = 10.0
"""For each more."""
_MOST_POINTS = 40.0
"""Of one part."""
_NEW_CALL, _NEW_CALLS = 12.0, 36.0
_NEW_GRAM, _NEW_GRAMS, _FEW_GRAMS = 2.0, 30.0, 5

_NOISY = {"rate": 1.5, "errors": 1.0}
"""Values that are less certain the fewer calls were seen: times one by the square root of their number."""

Part = tuple[float, str]

_FLOORS = {"rate": 1.0, "forks": 1.0, "files": 1.0, "ports": 1.0, "errors": 0.08, "mix": 0.12}
"""The least standard deviation of each value; 1 is a factor of two for those that are logarithms."""


def _values(window: Window) -> dict[str, float]:
    """What is compared; all but `errors` as logarithms. Files and ports only where there are any: rules decide which
    events come.
    """
    values = {"rate": log2(1 + window.rate), "forks": log2(1 + window.forks)}
    if window.files:
        values["files"] = log2(1 + len(window.files))
    if window.ports:
        values["ports"] = log2(1 + len(window.ports))
    if window.seen >= _FEW_CALLS:
        values["errors"] = window.error_share
    return values


class Model:
    """One executable.

    Attributes:
        windows, periods: how many were seen; processes that run at the same time have windows in the same period.
        stats: name of a value → its mean and variance.
        shares: system call → its usual share of all calls.
        calls: system calls that it is known to make → the day when it last did, since 1970.
        grams: the same of runs of three calls, as one number.
        day: when it was last seen.
    """

    __slots__ = ("calls", "day", "grams", "latest", "periods", "shares", "stats", "windows")

    def __init__(self) -> None:
        self.windows = self.periods = self.day = 0
        self.latest: object = None
        self.stats: dict[str, list[float]] = {}
        self.shares: dict[int, float] = {}
        self.calls: dict[int, int] = {}
        self.grams: dict[int, int] = {}

    @property
    def ready(self) -> bool:
        return self.periods >= WARM_UP

    def learn(self, window: Window, day: int, period: object = None) -> None:
        """Let a window count as usual. `period` tells apart windows that are not of the same time."""
        values = _values(window)
        distance = self._distance(window)
        if distance is not None:
            values["mix"] = distance
            self._learn_shares(window)
        self.windows += 1
        if period is None or period != self.latest:
            self.periods += 1
        self.latest, self.day = period, day
        follow = max(1.0 / self.windows, _FOLLOW)
        for name, value in values.items():
            stat = self.stats.setdefault(name, [value, 0.0])
            change = value - stat[0]
            stat[0] += follow * change
            stat[1] = (1 - follow) * (stat[1] + follow * change * change)
        for number in window.calls:
            if number in self.calls or len(self.calls) < _MOST_CALLS:
                self.calls[number] = day

    def learn_gram(self, gram: int, day: int) -> None:
        if gram in self.grams or len(self.grams) < MOST_GRAMS:
            self.grams[gram] = day

    def _learn_shares(self, window: Window) -> None:
        follow = max(1.0 / (self.windows + 1), _FOLLOW)
        shares = self.shares
        for number in shares:
            shares[number] *= 1 - follow
        for number, count in window.calls.items():
            if number in shares or len(shares) < _MOST_SHARES:
                shares[number] = shares.get(number, 0.0) + follow * count / window.total

    def _distance(self, window: Window) -> float | None:
        """Half the sum of differences between the shares of calls and the usual ones: 0 the same, 1 nothing alike."""
        if window.seen < _FEW_CALLS:
            return None
        usual, total = self.shares, window.total
        apart = sum(abs(usual.get(number, 0.0) - count / total) for number, count in window.calls.items())
        apart += sum(share for number, share in usual.items() if number not in window.calls)
        return apart / 2

    def parts(self, window: Window, name_of_call: dict[int, str]) -> list[Part]:
        """Points and reasons, what counts most first; nothing before the warm-up."""
        if not self.ready:
            return []
        noise = 1 / sqrt(max(window.seen, 1))
        values = _values(window)
        found = [
            self._above(name, value, noise if name == "errors" else 0.0) for name, value in values.items()
        ]
        distance = self._distance(window)
        if distance is not None and self.shares:
            found.append(self._above("mix", distance, noise))
        found.append(self._new_calls(window, name_of_call))
        if window.unknown >= _FEW_GRAMS:
            points = min(_NEW_GRAM * window.unknown, _NEW_GRAMS)
            found.append((points, f"{window.unknown} unknown runs of calls"))
        return sorted((part for part in found if part[0] > 0), key=lambda part: -part[0])

    def _new_calls(self, window: Window, name_of_call: dict[int, str]) -> Part:
        new = [number for number in window.calls if number not in self.calls]
        new.sort(key=lambda number: (-window.calls[number], number))
        if not new or len(self.calls) >= _MOST_CALLS:
            return 0.0, ""
        names = ", ".join(name_of_call.get(number, str(number)) for number in new[:5])
        return min(_NEW_CALL * len(new), _NEW_CALLS), f"new calls: {names}{', …' if len(new) > 5 else ''}"

    def _above(self, name: str, value: float, noise: float) -> Part:
        if name not in self.stats:
            return 0.0, ""
        mean, variance = self.stats[name]
        floor = _FLOORS[name]
        deviations = (value - mean) / sqrt(variance + floor * floor + noise * noise)
        points = min(max(deviations - _USUAL, 0.0) * _POINTS, _MOST_POINTS)
        return points, _REASONS[name](value, mean)

    def forget(self, before_day: int) -> None:
        """Leave out calls and runs that were not seen since a day."""
        self.calls = {number: day for number, day in self.calls.items() if day >= before_day}
        self.grams = {gram: day for gram, day in self.grams.items() if day >= before_day}


def _number(logarithm: float) -> str:
    value = 2**logarithm - 1
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")


_REASONS = {
    "rate": lambda value, mean: f"{_number(value)} calls a second, usually {_number(mean)}",
    "forks": lambda value, mean: f"{_number(value)} processes started, usually {_number(mean)}",
    "files": lambda value, mean: f"{_number(value)} files, usually {_number(mean)}",
    "ports": lambda value, mean: f"{_number(value)} ports, usually {_number(mean)}",
    "errors": lambda value, mean: f"{value:.0%} of calls fail, usually {mean:.0%}",
    "mix": lambda value, mean: f"another mix of calls ({value:.0%} apart, usually {mean:.0%})",
}

"""Counters of a detector that runs, and their text for Prometheus (exposition format 0.0.4)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["LatencyHistogram", "Metrics"]

_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_MOST_RULES = 5000


class LatencyHistogram:
    """Seconds in buckets: `counts[i]` are those up to `_BOUNDS_S[i]`, the last all beyond."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        self.sum_s += seconds
        for place, bound in enumerate(_BOUNDS_S):
            if seconds <= bound:
                self.counts[place] += 1
                return
        self.counts[-1] += 1


class Metrics:
    """
    Attributes:
        matches: by rule; repetitions included.
        alerts: by priority, as they were shown.
        repeated: alerts that were only counted.
        lost: by place: alerts that were lost between a rule's match and where they should have gone.
        latency: from the event to the alert's being stored.
        watch: gives further counters by name: `events`, `lost_events`, …
    """

    def __init__(self) -> None:
        self.matches: dict[str, int] = {}
        self.alerts: dict[str, int] = {}
        self.repeated = 0
        self.lost: dict[str, int] = {}
        self.latency = LatencyHistogram()
        self.watch: Callable[[], Mapping[str, float]] = dict

    def match(self, rule: str) -> None:
        if rule not in self.matches and len(self.matches) >= _MOST_RULES:
            rule = "(others)"
        self.matches[rule] = self.matches.get(rule, 0) + 1

    def text(self) -> str:
        """What Prometheus reads. May be called from another thread."""
        lines: list[str] = []

        def family(name: str, doc: str, rows: Mapping[str, float] | float, label: str = "") -> None:
            lines.append(f"# HELP kernscope_detect_{name} {doc}")
            lines.append(f"# TYPE kernscope_detect_{name} counter")
            if isinstance(rows, int | float):
                lines.append(f"kernscope_detect_{name} {rows}")
                return
            for key, value in rows.items():
                lines.append(f'kernscope_detect_{name}{{{label}="{_quoted(key)}"}} {value}')

        family("matches_total", "Events that a rule matched.", dict(self.matches), "rule")
        family("alerts_total", "Alerts that were shown.", dict(self.alerts), "priority")
        family("repeated_total", "Alerts that were counted and not shown.", self.repeated)
        family("lost_alerts_total", "Alerts that did not get where they should.", dict(self.lost), "place")
        for name, value in dict(self.watch()).items():
            family(f"{_name(name)}_total", "Counted while watching.", value)
        name = "kernscope_detect_alert_latency_seconds"
        lines += [f"# HELP {name} From the event to the stored alert.", f"# TYPE {name} histogram"]
        so_far = 0
        for bound, count in zip((*map(str, _BOUNDS_S), "+Inf"), list(self.latency.counts)):
            so_far += count
            lines.append(f'{name}_bucket{{le="{bound}"}} {so_far}')
        lines += [f"{name}_sum {self.latency.sum_s:.6f}", f"{name}_count {so_far}"]
        return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    shown = text.encode("utf-8", "backslashreplace").decode()
    return shown.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _name(text: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in text)

"""Scores of processes: each window is compared with what its executable usually does."""

from __future__ import annotations

from collections import OrderedDict

from kernscope.detector.anomaly.baseline import Baseline
from kernscope.detector.anomaly.model import MOST_GRAMS
from kernscope.detector.anomaly.window import MOST_DIFFERENT, Window, Windows
from kernscope.detector.evaluate import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["Judged", "Scorer"]

_MOST_SCORED = 4096
_REMEMBERED_NS = 60_000_000_000
"""How long a process keeps its score."""
_DAY_NS = 86_400 * 10**9
_NOTHING = (0.0, "")


class Judged:
    """A window and what came out."""

    __slots__ = ("reason", "score", "window")

    def __init__(self, window: Window, score: float, reason: str) -> None:
        self.window, self.score, self.reason = window, score, reason


class Scorer:
    """Counts what processes do, and judges it by a baseline.

    While it learns, everything counts as usual. While it does not, only windows without a score do; who changes in
    steps that are small enough can still teach it. So a score is a hint, not a verdict.

    Args:
        learning: whether this is the time of learning.
        names: system calls' names by number.
    """

    def __init__(
        self, baseline: Baseline, *, learning: bool = False, names: dict[int, str] | None = None
    ) -> None:
        self.baseline, self.learning = baseline, learning
        self.windows = Windows()
        self.names = names or {}
        self._scores: OrderedDict[Hashable, tuple[float, str, int]] = OrderedDict()
        self.judged = 0

    def observe(self, event: Event, process: Hashable = None) -> None:
        """Count the files and ports that an event names. `process` tells who it was, where the event does not."""
        exe = event.get("proc.exepath")
        process = _process(event) if process is None else process
        if process is None or not isinstance(exe, str):
            return
        window = self.windows.of(process, exe)
        port = event.get("fd.rport") or event.get("fd.sport")
        if port is not None:
            address = event.get("fd.rip") or event.get("fd.sip")
            if len(window.ports) < MOST_DIFFERENT:
                window.ports.add(hash((address, port)))
            return
        name = event.get("fs.path.name") or event.get("fd.name")
        if name and len(window.files) < MOST_DIFFERENT:
            window.files.add(hash(name))

    def gram(self, process: Hashable, exe: str, gram: int, day: int) -> None:
        """A run of three calls that this executable had not made since watching began."""
        model = self.baseline.get(exe)
        if model is not None and gram in model.grams:
            model.grams[gram] = day
        elif self.learning:
            self.baseline.learn_gram(exe, gram, day)
        elif model is not None and 0 < len(model.grams) < MOST_GRAMS:
            self.windows.of(process, exe).unknown += 1

    def close(self, now_ns: int, duration_ns: int, keep: Callable[[Judged], bool]) -> list[Judged]:
        """End all windows, `duration_ns` long; those that `keep` wants."""
        day = now_ns // _DAY_NS
        found = []
        for window in self.windows.close(duration_ns):
            judged = self.judge(window, day, now_ns)
            if judged.score:
                self._remember(judged, now_ns)
            if keep(judged):
                found.append(judged)
        return found

    def judge(self, window: Window, day: int, period: object = None) -> Judged:
        """Score a window, and learn from it where it may be learned from."""
        self.judged += 1
        if self.learning:
            self.baseline.of(window.exe).learn(window, day, period)
            return Judged(window, *_NOTHING)
        model = self.baseline.get(window.exe)
        parts = [] if model is None else model.parts(window, self.names)
        score = round(min(sum(points for points, _ in parts), 100.0), 1)
        if model is not None and not parts:
            model.learn(window, day, period)
        return Judged(window, score, "; ".join(reason for _, reason in parts))

    def score(self, event: Event, now_ns: int = 0) -> tuple[float, str]:
        """Of the process of an event: its latest score of the last minute; (0, "") where there is none."""
        process = _process(event)
        return _NOTHING if process is None else self.score_of(process, now_ns)

    def score_of(self, process: Hashable, now_ns: int) -> tuple[float, str]:
        found = self._scores.get(process)
        if found is None or now_ns > found[2] + _REMEMBERED_NS:
            return _NOTHING
        return found[0], found[1]

    def _remember(self, judged: Judged, now_ns: int) -> None:
        process = judged.window.process
        self._scores[process] = (judged.score, judged.reason, now_ns)
        self._scores.move_to_end(process)
        if len(self._scores) > _MOST_SCORED:
            self._scores.popitem(last=False)


def _process(event: Event) -> tuple[object, object] | None:
    pid = event.get("proc.pid")
    return None if pid is None else (pid, event.get("proc.pid.ts"))

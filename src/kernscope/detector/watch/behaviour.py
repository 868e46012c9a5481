"""Windows and scores of live processes: what the program counts goes to `anomaly`, what comes out becomes events.

A process that did something unusual, or very much, gives an event of the type `window` at the end of the window. A
score stays with its process for a minute, for rules about other events.
"""

from __future__ import annotations

import os
import time

from kernscope.detector.anomaly import (
    WINDOW_NS,
    Baseline,
    BaselineError,
    Judged,
    Scorer,
    Window,
    baseline_path,
)
from kernscope.detector.private_files import UnsafePath
from kernscope.detector.watch.behaviour_program import (
    GRAM_KIND,
    MAP_NAMES,
    SAMPLE,
    SAMPLED_BIT,
    behaviour_text,
)
from kernscope.tables.syscalls import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kernscope.detector.check import CheckedRule
    from kernscope.detector.watch.live_event import LiveEvent
    from kernscope.detector.watch.processes import Process
    from kernscope.detector.watch.records import Records

__all__ = ["EXACT", "SAMPLED", "Behaviour", "usual_baseline", "wanted_behaviour"]

SAMPLED, EXACT = "sampled", "exact"
REMEMBERED_NS = 60 * 10**9
"""How long a process keeps its score."""
# Windows that are events though nothing is unusual in them, so that rules can be about much of something.
_MANY_CALLS, _MANY_ERRORS, _MANY_FORKS, _MANY_FILES, _MANY_PORTS = 5000, 500, 50, 100, 20
_DAY_NS = 86_400 * 10**9
_MOST_NAMES = 3
_MOST_EXECUTABLES = 1000
"""Inodes whose paths are remembered, for calls of processes that have executed another program since."""


def wanted_behaviour(rules: Iterable[CheckedRule]) -> str:
    """What rules need: `EXACT` for scores, `SAMPLED` for windows alone, "" for neither."""
    wanted = ""
    for rule in rules:
        if any(name.startswith("anomaly.") for name in rule.fields):
            return EXACT
        windows = rule.event_types is not None and "window" in rule.event_types
        if windows or any(name.startswith("window.") for name in rule.fields):
            wanted = SAMPLED
    return wanted


def usual_baseline(notes: list[str]) -> Baseline:
    """The baseline of this host; an empty one, and a note that says why, where it cannot be used."""
    path = baseline_path()
    try:
        return Baseline.load(path)
    except FileNotFoundError:
        why = "no baseline yet"
    except (BaselineError, UnsafePath) as problem:
        why = f"`{path}`: {problem}"
    except OSError as problem:
        why = f"cannot read `{path}`: {problem.strerror}"
    notes.append(f"{why}: `anomaly.score` is 0 until `kernscope detect learn` has learned what is usual")
    return Baseline()


class Behaviour:
    """Feeds a scorer from records and from the program's map.

    Args:
        feed: what to do with an event of the type `window`.
        baseline: what is usual; learned from where `learning`.

    Attributes:
        text: the part of the program that counts.
    """

    def __init__(
        self,
        way: str,
        feed: Callable[[LiveEvent], None],
        *,
        baseline: Baseline | None = None,
        learning: bool = False,
    ) -> None:
        self.text = behaviour_text(exact=way == EXACT)
        self.baseline = baseline if baseline is not None else Baseline()
        self.names = dict(names(os.uname().machine))
        self.scorer = Scorer(self.baseline, learning=learning, names=self.names)
        self._feed = feed
        self._executables: dict[int, str] = {}
        self._records: Records | None = None
        self._began_ns = _now_ns()

    def join(self, records: Records) -> None:
        """Take part in what records tell."""
        self._records = records
        records.add_kind(GRAM_KIND, self._take_run)
        records.on_fork = self._take_fork
        self._began_ns = _now_ns()

    def observe(self, event: LiveEvent) -> None:
        """Count what an event names."""
        process = event.process
        if process is not None and event.type in ("execve", "execveat") and process.exe_inode >= 0:
            self._executables[process.exe_inode] = process.exe
            if len(self._executables) > _MOST_EXECUTABLES:
                del self._executables[next(iter(self._executables))]
        if event.process is not None and event.type not in ("window", "lost"):
            self.scorer.observe(event, _key(event.process))

    def take_map(self, name: str, mapping: Mapping[object, object]) -> None:
        """Counts of the last second."""
        if name not in MAP_NAMES or self._records is None:
            return
        known: dict[tuple[int, int], Window | None] = {}
        for key, count in mapping.items():
            assert isinstance(key, tuple) and isinstance(count, int)
            pid, inode, call, failed = key
            if (pid, inode) not in known:
                known[pid, inode] = self._window_of(pid, inode)
            window = known[pid, inode]
            # -1 and the like: a call that a signal interrupted is begun anew.
            if window is not None and call < SAMPLED_BIT << 1:
                seen = count // SAMPLE if call & SAMPLED_BIT else count
                window.add(call & (SAMPLED_BIT - 1), count, bool(failed), seen)
        now = _now_ns()
        if now - self._began_ns >= WINDOW_NS - 10**8:
            self._close(now)

    def _window_of(self, pid: int, inode: int) -> Window | None:
        """The window of a process while it runs, or ran, the executable with this inode."""
        assert self._records is not None
        process = self._records.tree.get(pid)
        if process is None:
            return None
        exe = process.exe or process.comm
        if process.exe_inode >= 0 and process.exe_inode != inode:
            exe = self._executables.get(inode, "")
        return self.scorer.windows.of(_key(process), exe) if exe else None

    def _close(self, now_ns: int) -> None:
        assert self._records is not None
        duration, self._began_ns = now_ns - self._began_ns, now_ns
        for judged in self.scorer.close(time.time_ns(), duration, _worth_telling):
            key = judged.window.process
            assert isinstance(key, tuple)
            process = self._records.tree.get(*key)
            if process is None:
                continue
            event = self._records.event("window", process, now_ns)
            event.tid = process.pid
            self._fill(event, judged)
            if judged.score:
                process.marks["anomaly"] = (judged.score, judged.reason, event.time_ns + REMEMBERED_NS)
            self._feed(event)

    def _fill(self, event: LiveEvent, judged: Judged) -> None:
        window = judged.window
        event.set("anomaly.score", judged.score)
        event.set("anomaly.reason", judged.reason or None)
        event.set("window.calls", window.total)
        event.set("window.rate", round(window.rate))
        event.set("window.errors", window.failed)
        event.set("window.error_share", round(100 * window.error_share))
        event.set("window.forks", window.forks)
        event.set("window.files", len(window.files))
        event.set("window.ports", len(window.ports))
        event.set("window.duration", window.duration_ns)
        most = sorted(window.calls.items(), key=lambda item: (-item[1], item[0]))[:_MOST_NAMES]
        shares = [
            f"{self.names.get(number, str(number))} {100 * count / window.total:.0f} %"
            for number, count in most
        ]
        event.set("window.top", ", ".join(shares) or None)

    def _take_run(self, record: Sequence[int]) -> None:
        assert self._records is not None
        _, _, pid, start, run = record
        process = self._records.tree.get(pid, start)
        if process is not None and process.exe:
            self.scorer.gram(_key(process), process.exe, run, time.time_ns() // _DAY_NS)

    def _take_fork(self, parent: Process | None) -> None:
        if parent is not None:
            self.scorer.windows.of(_key(parent), parent.exe or parent.comm).forks += 1


def _key(process: Process) -> tuple[int, int]:
    return process.pid, process.start_ns


def _now_ns() -> int:
    """Since boot, as records have it."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _worth_telling(judged: Judged) -> bool:
    window = judged.window
    return bool(
        judged.score
        or window.total >= _MANY_CALLS
        or window.failed >= _MANY_ERRORS
        or window.forks >= _MANY_FORKS
        or len(window.files) >= _MANY_FILES
        or len(window.ports) >= _MANY_PORTS
    )

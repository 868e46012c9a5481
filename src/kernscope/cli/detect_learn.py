"""`kernscope detect learn`: what executables usually do on this host."""

import time

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.detect_rules import read_baseline, rules_to_watch, session_of, tell
from kernscope.cli.options import Arguments, Option, UsageError, seconds
from kernscope.cli.terminal import StopOnSignals, write

__all__ = ["COMMAND"]

_SAVE_EVERY = 60
"""Ticks of a second."""
_MOST_SHOWN = 100


def _load(path: str) -> "kernscope.detector.Baseline":
    """The baseline that goes on growing, an empty one where there is none yet."""
    try:
        return read_baseline(path)
    except FileNotFoundError:
        return kernscope.detector.Baseline()


def _save(baseline: "kernscope.detector.Baseline", path: str) -> str:
    """What went wrong, or ""."""
    try:
        baseline.save(path, today=int(time.time() // 86_400))
    except kernscope.detector.UnsafePath as problem:
        return f"not saved: {problem}; {problem.help}"
    except OSError as problem:
        return f"not saved: cannot write `{path}`: {problem.strerror}"
    return ""


def _run(arguments: Arguments) -> int:
    path = arguments.text("baseline") or kernscope.detector.baseline_path()
    baseline = _load(path)
    if arguments.flag("show"):
        write(kernscope.detector.baseline_text(baseline, _MOST_SHOWN))
        return 0
    files = arguments.words + (arguments.rest or [])
    rules = rules_to_watch(files)
    watcher = kernscope.detector.Watcher(rules, lambda alert: None, baseline=baseline, learning=True)
    session = session_of(watcher, arguments)
    problem = _save(baseline, path)  # before hours are spent
    if problem:
        raise UsageError(problem)
    ticks, problem = 0, ""

    def tick() -> None:
        nonlocal ticks, problem
        ticks += 1
        if ticks % _SAVE_EVERY == 0:
            problem = _save(baseline, path)

    with session, StopOnSignals(session.stop):
        watcher.run(session, tick=tick, started=lambda: tell(f"learning into `{path}`; Ctrl-C ends"))
    problem = _save(baseline, path)
    for warning in [*watcher.warnings, problem]:
        if warning:
            tell(warning)
    tell(kernscope.detector.baseline_summary(baseline))
    return 1 if problem else 0


COMMAND = Command(
    "detect learn",
    ["[FILE ...] [OPTIONS]", "--show"],
    "Learn what each executable usually does on this host, for `anomaly.score`: until Ctrl-C, and on from what is\n"
    "known. Rules, those of the files or the default ones, only say which events are looked at. Needs root.",
    [
        Option("-d --duration", "TIME", "end after this time: 30m, 8h", convert=seconds),
        Option("--baseline", "FILE", "where it is kept; /var/lib/kernscope/baseline.json for root"),
        Option("--show", "", "show what is known, and end"),
    ],
    _run,
    examples=[("-d 1d", "a day of usual work"), ("--show", "which executables are known")],
)

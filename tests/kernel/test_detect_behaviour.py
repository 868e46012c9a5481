"""Windows and scores on the running kernel: what known work gives."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import needs_tracing

import kernscope
from kernscope.detector import check_rules
from kernscope.detector.anomaly import WARM_UP, Baseline, Window
from kernscope.detector.watch import behaviour
from kernscope.detector.watch.live_event import LiveEvent
from kernscope.detector.watch.watcher import Watcher
from kernscope.diagnostics import Source
from kernscope.tables.syscalls import names

pytest.importorskip("yaml", reason="rules are YAML")
pytestmark = needs_tracing

NUMBERS = {name: number for number, name in names(os.uname().machine).items()}


@pytest.fixture(autouse=True)
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behaviour, "WINDOW_NS", 1_000_000_000)


@contextmanager
def working(command: list[str]) -> Iterator[int]:
    """A command that does its work and then waits; its process."""
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGKILL)


def watch(
    condition: str,
    start: Callable[[], None],
    done: Callable[[list[LiveEvent]], bool],
    baseline: Baseline | None = None,
    learning: bool = False,
) -> list[LiveEvent]:
    """The events of a watcher with one rule, until there are enough of them, at most for a minute."""
    text = f"- {{rule: r, desc: d, output: x, priority: notice, condition: {condition}}}\n"
    events: list[LiveEvent] = []
    rules = check_rules([Source("r", text)])
    watcher = Watcher(rules, lambda _: None, on_event=events.append, baseline=baseline, learning=learning)
    session = kernscope.run(watcher.text, sinks=[watcher.sink], print_maps=False, duration=60)

    def tick() -> None:
        if done(events):
            session.stop()

    with session:
        watcher.run(session, started=start, tick=tick)
    return events


def windows_of(events: list[LiveEvent], pid: int) -> list[LiveEvent]:
    return [event for event in events if event.type == "window" and event.get("proc.pid") == pid]


def test_a_flood_is_counted_by_samples(tmp_path: Path) -> None:
    calls = 1_000_000
    text = f"import os, time\nfor _ in range({calls}): os.getppid()\ntime.sleep(600)"
    pids: list[int] = []

    def counted(events: list[LiveEvent]) -> int:
        return sum(int(str(event.get("window.calls"))) for event in windows_of(events, pids[0]))

    work = working([sys.executable, "-c", text])
    try:
        events = watch(
            "evt.type = window and window.rate > 1000",
            lambda: pids.append(work.__enter__()),
            lambda events: counted(events) > calls * 0.75,
        )
    finally:
        work.__exit__(None, None, None)
    # One call in 64 is counted, so 15,625 times: 25 % are more than 30 standard deviations.
    assert calls * 0.75 < counted(events) < calls * 1.25
    first = windows_of(events, pids[0])[0]
    assert str(first.get("window.top")).startswith("getppid ")
    assert first.get("window.error_share") == 0
    assert first.get("anomaly.score") == 0


def test_what_an_executable_never_did_has_a_score(tmp_path: Path) -> None:
    worker = tmp_path / "worker"
    shutil.copy("/bin/bash", worker)
    usual = Window((1, 0), str(worker))
    for name in ("read", "write", "openat", "close"):
        usual.add(NUMBERS[name], 30, False)
    baseline = Baseline()
    for period in range(WARM_UP):
        baseline.of(str(worker)).learn(usual, 1, period)
    script = "for n in {1..3000}; do kill -0 $$; done; read forever"
    pids: list[int] = []
    work = working([str(worker), "-c", script])
    try:
        events = watch(
            "evt.type = window and anomaly.score > 0",
            lambda: pids.append(work.__enter__()),
            lambda events: bool(windows_of(events, pids[0])),
            baseline=baseline,
        )
    finally:
        work.__exit__(None, None, None)
    first = windows_of(events, pids[0])[0]
    assert 0 < float(str(first.get("anomaly.score"))) <= 100
    reason = str(first.get("anomaly.reason"))
    assert "new calls: " in reason and "kill" in reason


def test_learning(tmp_path: Path) -> None:
    worker = tmp_path / "worker"
    shutil.copy("/bin/bash", worker)
    baseline = Baseline()
    script = "while :; do kill -0 $$; read -t 0.01 x < /dev/null; read -t 0.01 x; done"
    work = working([str(worker), "-c", script])

    def known(_: list[LiveEvent]) -> bool:
        model = baseline.models.get(str(worker))
        return model is not None and model.periods >= 2 and len(model.grams) > 5

    try:
        watch(
            "evt.type = openat", lambda: [work.__enter__()].clear(), known, baseline=baseline, learning=True
        )
    finally:
        work.__exit__(None, None, None)
    model = baseline.models[str(worker)]
    assert {NUMBERS["kill"], NUMBERS["openat"], NUMBERS["close"]} <= set(model.calls)
    assert not model.ready
    assert "files" in model.stats  # /dev/null, by the rule's events
    names_of = names(os.uname().machine)
    runs = {tuple(names_of.get(run >> shift & 1023) for shift in (20, 10, 0)) for run in model.grams}
    assert any(run[0] == "kill" for run in runs)

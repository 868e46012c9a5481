"""Attacks and harmless work as small programs, what each is, and how all are run below one detector.

A scenario is a file in `attacks/` or `benign/`, a shell or Python script that begins with comments:

    # what: what it does, and what it looks like
    # rules: Name of a rule; Name of another     which must fire; only of attacks
    # needs: gcc                                 programs without which it is left out

Each is run by `isolated.sh`, a few at once. An alert belongs to the scenario among whose descendants its process is.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

__all__ = ["HERE", "Found", "Outcome", "Scenario", "run_all", "scenarios", "table"]

HERE = Path(__file__).parent
_START_S, _SCENARIO_S, _DRAIN_S = 120, 60, 3
_AT_ONCE = 4
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Scenario:
    """One file."""

    def __init__(self, path: Path) -> None:
        self.path, self.name, self.kind = path, path.stem, path.parent.name
        head: dict[str, str] = {}
        for line in path.read_text("utf-8").splitlines():
            if not line.startswith("#"):
                break
            key, colon, value = line.lstrip("#! ").partition(": ")
            if colon:
                head[key] = value.strip()
        self.what = head["what"]
        self.rules = frozenset(name.strip() for name in head.get("rules", "").split(";") if name.strip())
        self.needs = head.get("needs", "").split()
        if "python3" in path.read_text("utf-8") or path.suffix == ".py":
            self.needs.append("python3")

    @property
    def missing(self) -> list[str]:
        """Programs that it needs and this machine has not."""
        return [name for name in self.needs if shutil.which(name, path=_PATH) is None]

    def command(self) -> list[str]:
        interpreter = "/usr/bin/python3" if self.path.suffix == ".py" else "/bin/bash"
        inside = [str(HERE / "isolated.sh"), str(self.path), interpreter]
        return ["unshare", "--mount", "--net", "--ipc", "--uts", "/bin/sh", *inside]


class Found:
    """An alert that belongs to a scenario."""

    def __init__(self, alert: dict[str, object]) -> None:
        self.rule, self.priority, self.output = (
            str(alert["rule"]),
            str(alert["priority"]),
            str(alert["output"]),
        )

    def __repr__(self) -> str:
        return f"{self.priority} {self.output}"


class Outcome:
    """What came of a scenario: its exit code, what it wrote, and its alerts."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.code, self.text = 0, ""
        self.pid = self.begin_ns = self.end_ns = 0
        self.found: list[Found] = []

    @property
    def fired(self) -> set[str]:
        return {found.rule for found in self.found}

    @property
    def unexpected(self) -> list[Found]:
        """Alerts of harmless work; what only informs is none."""
        return [found for found in self.found if found.priority not in ("informational", "debug")]


def scenarios(kind: str) -> list[Scenario]:
    """Those of `attacks` or `benign`, by name."""
    return [Scenario(path) for path in sorted((HERE / kind).iterdir()) if path.suffix in (".sh", ".py")]


class Detector:
    """`kernscope detect run` with the default rules, as a process of its own."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="scenarios-"))
        self.alerts, self.words = self._folder / "alerts", self._folder / "words"
        command = [sys.executable, "-m", "kernscope.cli", "detect", "run", "--no-store", "-f", "json"]
        with self.alerts.open("wb") as out, self.words.open("wb") as words:
            self._process = subprocess.Popen(command, stdout=out, stderr=words, start_new_session=True)

    def wait_until_watching(self) -> None:
        """Raises RuntimeError where it does not begin to watch."""
        end = time.monotonic() + _START_S
        while b"watching" not in self.words.read_bytes():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(
                    self.words.read_text("utf-8", "replace") or "the detector did not start in time"
                )
            time.sleep(0.1)

    def end(self) -> tuple[list[dict[str, object]], str]:
        """Its alerts, and what else it said."""
        time.sleep(_DRAIN_S)
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        alerts = [json.loads(line) for line in self.alerts.read_text("utf-8").splitlines()]
        words = self.words.read_text("utf-8", "replace")
        shutil.rmtree(self._folder)
        return alerts, words


def run_all(chosen: list[Scenario]) -> tuple[list[Outcome], str]:
    """Run them below one detector. The second value is what the detector said."""
    detector = Detector()
    outcomes = []
    try:
        detector.wait_until_watching()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            outcomes = list(pool.map(_run, chosen))
    finally:
        alerts, words = detector.end()
    for outcome in outcomes:
        outcome.found = [Found(alert) for alert in alerts if _belongs(alert, outcome)]
    return outcomes, words


def _run(scenario: Scenario) -> Outcome:
    outcome = Outcome(scenario)
    environment = {"PATH": _PATH, "LANG": "C", "TERM": "dumb"}
    outcome.begin_ns = time.time_ns()
    with tempfile.TemporaryFile() as text:
        process = subprocess.Popen(
            scenario.command(),
            stdin=subprocess.DEVNULL,
            stdout=text,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        outcome.pid = process.pid
        try:
            outcome.code = process.wait(_SCENARIO_S)
        except subprocess.TimeoutExpired:
            outcome.code = -1
        finally:
            _kill_session(process.pid)
            process.wait()
        text.seek(0)
        outcome.text = text.read().decode("utf-8", "replace")
    outcome.end_ns = time.time_ns()
    return outcome


def _kill_session(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _belongs(alert: dict[str, object], outcome: Outcome) -> bool:
    processes, time_ns = alert["process"], alert["time_ns"]
    assert isinstance(processes, list) and isinstance(time_ns, int)
    if not outcome.begin_ns <= time_ns <= outcome.end_ns + 1_000_000_000:
        return False
    return any(process.get("pid") == outcome.pid for process in processes)


def table(outcomes: list[Outcome]) -> str:
    """Markdown: scenario, what it does, the rules that fired."""
    lines = ["| scenario | what it does | rules that fired |", "| --- | --- | --- |"]
    for outcome in outcomes:
        rules = ", ".join(sorted(outcome.fired)) or "none"
        lines.append(f"| {outcome.scenario.name} | {outcome.scenario.what} | {rules} |")
    return "\n".join(lines) + "\n"

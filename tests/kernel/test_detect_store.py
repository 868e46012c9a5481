"""Alerts of the running kernel: stored before they are shown, counted, and there after a kill."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import KERNSCOPE, Tracer, eventually, needs_tracing

from kernscope.detector.store import AlertQuery, StoredAlerts

pytest.importorskip("yaml", reason="rules are YAML")
pytestmark = needs_tracing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rule = f"""
- rule: Opened
  desc: d
  condition: evt.type in (open, openat, creat) and fd.name startswith {tmp_path}/seen
  output: opened %fd.name
  priority: WARNING
"""
    (tmp_path / "rules.yaml").write_text(rule)
    return tmp_path


def watching(folder: Path) -> Tracer:
    words = ["detect", "run", str(folder / "rules.yaml"), "--store", str(folder / "state" / "alerts.db")]
    return Tracer(command=[*KERNSCOPE, *words], ready="watching by")


def opening(names: str) -> list[str]:
    """A process that creates the files that an expression over `n` names."""
    return [sys.executable, "-c", f"import sys\nfor n in range(int(sys.argv[1])): open({names}, 'w').close()"]


def stored(folder: Path) -> list[tuple[int, int, str, int]]:
    """Number, incident, output, count."""
    reader = StoredAlerts(str(folder / "state" / "alerts.db"))
    found = [(a.number, a.incident, a.output, a.count) for a in reader.alerts(AlertQuery())]
    reader.close()
    return found


def test_repetitions_and_different_ones(folder: Path) -> None:
    seen = f"{folder}/seen"
    with watching(folder) as tracer:
        subprocess.run([*opening(f"'{seen}-same'"), "25"], check=True)
        subprocess.run([*opening(f"f'{seen}-{{n}}'"), "3"], check=True)
        done = tracer.stop()
    assert done.code == 0, done.err
    rows = stored(folder)
    assert [(number, output, count) for number, _, output, count in rows] == [
        (1, f"opened {seen}-same", 25),
        *((number + 2, f"opened {seen}-{number}", 1) for number in range(3)),
    ]
    shown = [line for line in done.out.splitlines() if "-same" in line]
    assert [re.search(r", (\d+) times\]$", line) is not None for line in shown] == [False, True, True]


@pytest.fixture
def endless(folder: Path) -> Iterator[None]:
    """Creates different files until the test ends, at most 20,000."""
    child = subprocess.Popen([*opening(f"f'{folder}/seen-{{n % 5000}}'"), "20000"])
    watchdog = threading.Timer(180, child.kill)
    watchdog.start()
    yield
    watchdog.cancel()
    child.kill()
    child.wait()


def test_a_kill_loses_nothing_that_was_shown(folder: Path, request: pytest.FixtureRequest) -> None:
    with watching(folder) as tracer:
        request.getfixturevalue("endless")
        assert eventually(lambda: tracer.out.count("[#") >= 20, 120), tracer.err
        tracer.process.kill()
        tracer.process.wait()
        shown = {int(number) for number in re.findall(r"\[#(\d+), incident \d+\]\n", tracer.out)}
    assert len(shown) >= 20
    assert shown <= {number for number, *_ in stored(folder)}
    with watching(folder) as tracer:  # nothing is damaged, and numbers go on
        assert eventually(lambda: "watching by" in tracer.err, 60)
        done = tracer.stop()
    assert "damaged" not in done.err and "not in the store" not in done.err


def test_a_reader_that_goes_away_ends_it(folder: Path) -> None:
    words = [
        *KERNSCOPE,
        "detect",
        "run",
        str(folder / "rules.yaml"),
        "--store",
        str(folder / "state" / "alerts.db"),
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and child.stderr is not None
        watchdog = threading.Timer(180, child.kill)
        watchdog.start()
        while "watching by" not in child.stderr.readline():
            assert child.poll() is None
        subprocess.run([*opening(f"'{folder}/seen-0'"), "1"], check=True)
        assert "[#1, incident 1]" in child.stdout.readline()
        child.stdout.close()
        subprocess.run([*opening(f"f'{folder}/seen-{{n}}'"), "3"], check=True)
        err = child.stderr.read()
        watchdog.cancel()
    assert child.returncode == 0 and "Traceback" not in err
    assert len(stored(folder)) >= 2

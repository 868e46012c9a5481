"""What is usual and what is not, on windows that are made here; deterministic."""

import json
import os
import random
from pathlib import Path

import pytest

from kernscope.detector.anomaly import (
    WARM_UP,
    Baseline,
    BaselineError,
    Judged,
    Scorer,
    Window,
    baseline_summary,
    baseline_text,
)
from kernscope.detector.anomaly.window import Windows
from kernscope.detector.private_files import UnsafePath

SECOND = 10**9
READ, WRITE, OPEN, CLOSE, PTRACE, FSYNC = 0, 1, 257, 3, 101, 74
NAMES = {READ: "read", WRITE: "write", OPEN: "openat", PTRACE: "ptrace", FSYNC: "fsync"}
EXE = "/usr/bin/server"


def usual(dice: random.Random, exe: str = EXE, pid: int = 1) -> Window:
    """A server at work: 200 to 800 calls a second, mostly reading and writing, some that fail."""
    window = Window((pid, 0), exe)
    total = dice.randrange(1000, 4000)
    for number, share in ((READ, 0.5), (WRITE, 0.3), (OPEN, 0.1), (CLOSE, 0.1)):
        window.add(number, int(total * share * dice.uniform(0.7, 1.3)), False)
    window.add(OPEN, dice.randrange(0, total // 20), True)
    window.forks = dice.randrange(3)
    window.files = set(range(dice.randrange(5, 40)))
    window.ports = set(range(dice.randrange(1, 6)))
    return window


@pytest.fixture
def baseline() -> Baseline:
    learned = Baseline()
    scorer, dice = Scorer(learned, learning=True, names=NAMES), random.Random(1)
    for number in range(300):
        assert scorer.judge(usual(dice), 1, number).score == 0
    for gram in range(50):
        scorer.gram((1, 0), EXE, gram, 1)
    return learned


@pytest.fixture
def scorer(baseline: Baseline) -> Scorer:
    return Scorer(baseline, names=NAMES)


def test_what_was_learned_gives_no_score(scorer: Scorer) -> None:
    for seed in (1, 2, 3):
        dice = random.Random(seed)
        assert [judged.score for judged in (scorer.judge(usual(dice), 1) for _ in range(300))] == [0.0] * 300


def busy(window: Window) -> None:
    window.add(READ, 2_000_000, False)


def failing(window: Window) -> None:
    window.add(OPEN, window.total * 3, True)


def forking(window: Window) -> None:
    window.forks = 500


def scanning(window: Window) -> None:
    window.ports = set(range(1000))


def encrypting(window: Window) -> None:
    window.files = set(range(900))
    window.add(FSYNC, 3000, False)


def tracing(window: Window) -> None:
    window.add(PTRACE, 1, False)


def another_program(window: Window) -> None:
    window.calls.clear()
    window.total = window.failed = 0
    window.add(CLOSE, 2000, False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (busy, "calls a second, usually"),
        (failing, "of calls fail, usually"),
        (forking, "500 processes started, usually"),
        (scanning, "1,000 ports, usually"),
        (encrypting, "900 files, usually"),
        (encrypting, "new calls: fsync"),
        (tracing, "new calls: ptrace"),
        (another_program, "another mix of calls"),
    ],
)
def test_what_is_unusual_gives_a_score_and_its_reason(scorer: Scorer, change: object, reason: str) -> None:
    dice = random.Random(7)
    for _ in range(20):
        window = usual(dice)
        assert callable(change)
        change(window)
        judged = scorer.judge(window, 1)
        assert 5 < judged.score <= 100
        assert reason in judged.reason


def test_less_than_usual_is_nothing(scorer: Scorer) -> None:
    window = Window((1, 0), EXE)
    window.add(READ, 3, False)
    assert scorer.judge(window, 1).score == 0


def test_an_executable_that_is_not_known_has_no_score(scorer: Scorer) -> None:
    window = usual(random.Random(1), "/usr/bin/other")
    busy(window)
    assert scorer.judge(window, 1).score == 0
    assert list(scorer.baseline.models) == [EXE]


def test_nothing_is_scored_before_the_warm_up() -> None:
    learned, dice = Baseline(), random.Random(1)
    for number in range(WARM_UP - 1):
        learned.of(EXE).learn(usual(dice), 1, number)
    for _ in range(100):  # many processes at one time are one period
        learned.of(EXE).learn(usual(dice), 1, WARM_UP - 2)
    scorer, window = Scorer(learned), usual(dice)
    busy(window)
    assert scorer.judge(window, 1).score == 0
    learned.of(EXE).learn(usual(dice), 1, WARM_UP)
    assert scorer.judge(window, 1).score > 0


def test_unusual_windows_are_not_learned(scorer: Scorer) -> None:
    before = scorer.baseline.encode()
    window = usual(random.Random(1))
    tracing(window)
    for _ in range(50):
        assert scorer.judge(window, 1).score > 0
    assert scorer.baseline.encode() == before


def test_a_slow_change_is_followed(scorer: Scorer) -> None:
    dice = random.Random(5)
    scores = []
    for step in range(3000):
        window = usual(dice)
        window.add(READ, int(window.total * step / 300), False)  # ten times as much in the end
        scores.append(scorer.judge(window, 1).score)
    assert scores == [0.0] * 3000


class TestRunsOfCalls:
    def test_unknown_ones_count_from_the_fifth(self, scorer: Scorer) -> None:
        scores = []
        for unknown in (4, 5, 10, 100):
            for gram in range(unknown):
                scorer.gram((1, 0), EXE, 1000 + gram, 1)
            (judged,) = scorer.close(0, 5 * SECOND, lambda judged: True)
            scores.append((judged.score, judged.reason))
        assert scores == [
            (0.0, ""),
            (10.0, "5 unknown runs of calls"),
            (20.0, "10 unknown runs of calls"),
            (30.0, "100 unknown runs of calls"),
        ]

    def test_known_ones_do_not(self, scorer: Scorer) -> None:
        for gram in range(50):
            scorer.gram((1, 0), EXE, gram, 2)
        assert scorer.close(0, 5 * SECOND, lambda judged: True) == []
        assert set(scorer.baseline.of(EXE).grams.values()) == {2}

    def test_of_an_unknown_executable_nothing_is_known(self, scorer: Scorer) -> None:
        scorer.gram((1, 0), "/bin/other", 7, 1)
        assert scorer.close(0, 5 * SECOND, lambda judged: True) == []


class TestEvents:
    def test_files_and_ports_count_once(self) -> None:
        scorer = Scorer(Baseline())
        who = {"proc.pid": 5, "proc.pid.ts": 6, "proc.exepath": EXE}
        for name in ("/a", "/b", "/a"):
            scorer.observe(who | {"fd.name": name})
        for port in (80, 81, 80):
            scorer.observe(who | {"fd.rport": port, "fd.rip": "1.1.1.1", "fd.name": "x->y"})
        scorer.observe({"proc.pid": 5})
        scorer.observe({"fd.name": "/c"})
        ((window,),) = [[judged.window for judged in scorer.close(0, SECOND, lambda judged: True)]]
        assert (window.process, window.exe, len(window.files), len(window.ports)) == ((5, 6), EXE, 2, 2)

    def test_a_score_stays_for_a_minute(self, scorer: Scorer) -> None:
        event = {"proc.pid": 1, "proc.pid.ts": 0}
        window = scorer.windows.of((1, 0), EXE)
        busy(window)
        kept = scorer.close(100 * SECOND, 5 * SECOND, lambda judged: judged.score > 0)
        assert [judged.window for judged in kept] == [window]
        score, reason = scorer.score(event, 160 * SECOND)
        assert score == kept[0].score and "calls a second" in reason
        assert scorer.score(event, 161 * SECOND) == (0.0, "")
        assert scorer.score(event | {"proc.pid.ts": 1}, 101 * SECOND) == (0.0, "")
        assert scorer.score({}, 0) == (0.0, "")


class TestBounds:
    def test_ten_thousand_executables(self) -> None:
        learned = Baseline(most_grams=20_000)
        scorer, window = Scorer(learned, learning=True), usual(random.Random(1))
        for number in range(10_000):
            window.exe = f"/opt/{number}"
            scorer.judge(window, 1)
            for gram in range(number % 30):
                scorer.gram((1, 0), window.exe, gram, 1)
        assert 1000 < len(learned.models) <= 2000
        assert learned.grams == sum(len(model.grams) for model in learned.models.values()) <= 20_000
        assert learned.forgotten == 10_000 - len(learned.models)
        assert "/opt/9999" in learned.models and "/opt/0" not in learned.models
        assert len(learned.encode()) < 2 << 20

    def test_runs_and_calls_of_one_executable(self) -> None:
        scorer = Scorer(Baseline(), learning=True)
        window = Window((1, 0), EXE)
        for number in range(10_000):
            scorer.gram((1, 0), EXE, number, 1)
            window.add(number, 1, False)
        scorer.judge(window, 1)
        model = scorer.baseline.of(EXE)
        assert (len(model.grams), len(model.calls), len(model.shares)) == (2000, 512, 128)
        assert window.total == 10_000

    def test_processes_at_one_time(self) -> None:
        windows = Windows(most=3)
        for pid in range(5):
            windows.of((pid, 0), EXE).add(READ, 1, False)
        assert (len(windows.close(SECOND)), windows.forgotten) == (3, 2)
        assert windows.close(SECOND) == []


class TestFile:
    def test_it_comes_back_as_it_was(self, baseline: Baseline, tmp_path: Path) -> None:
        path = tmp_path / "b.json"
        baseline.save(str(path))
        assert path.stat().st_mode & 0o777 == 0o600
        again = Baseline.load(str(path))
        assert json.loads(again.encode()) == json.loads(baseline.encode())
        assert (again.grams, baseline_summary(again)) == (50, baseline_summary(baseline))
        # Learning goes on from there, and the file is replaced.
        Scorer(again, learning=True).judge(usual(random.Random(1), "/bin/new"), 1)
        again.save(str(path))
        assert list(Baseline.load(str(path)).models) == [EXE, "/bin/new"]
        assert os.listdir(tmp_path) == ["b.json"]

    def test_what_a_killed_one_left_is_in_nobodys_way(self, baseline: Baseline, tmp_path: Path) -> None:
        (tmp_path / "b.json.new").write_text("half")
        baseline.save(str(tmp_path / "b.json"))
        assert os.listdir(tmp_path) == ["b.json"]

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"", "not JSON"),
            (b"[" * 100_000, "not JSON"),
            (b"[]", "no baseline of kernscope"),
            (b'{"kernscope_baseline": 99, "executables": {}}', "of version 99"),
            (b'{"kernscope_baseline": 1}', "damaged"),
            (b'{"kernscope_baseline": 1, "executables": {"/a": {}}}', "damaged"),
            (b'{"kernscope_baseline": 1, "executables": []}', "damaged"),
            (
                b'{"kernscope_baseline": 1, "executables": {"/a": {"windows": 1, "periods": 1, "day": 1, "calls": {},'
                b' "shares": {}, "grams": {}, "stats": {"rate": [NaN, 1]}}}}',
                "damaged",
            ),
        ],
    )
    def test_one_that_is_damaged_is_refused(self, content: bytes, why: str, tmp_path: Path) -> None:
        (tmp_path / "b.json").write_bytes(content)
        with pytest.raises(BaselineError, match=why):
            Baseline.load(str(tmp_path / "b.json"))

    def test_a_link_is_not_followed(self, baseline: Baseline, tmp_path: Path) -> None:
        (tmp_path / "b.json").symlink_to("elsewhere")
        with pytest.raises(UnsafePath):
            Baseline.load(str(tmp_path / "b.json"))

    def test_what_did_not_come_for_long_is_forgotten(self, baseline: Baseline, tmp_path: Path) -> None:
        baseline.of("/old").learn(usual(random.Random(1)), 1)
        baseline.of(EXE).learn(usual(random.Random(1)), 100)
        baseline.learn_gram(EXE, 999, 100)
        baseline.save(str(tmp_path / "b.json"), today=100)
        assert list(baseline.models) == [EXE]
        assert list(baseline.models[EXE].grams) == [999]
        assert baseline.grams == 1


def test_a_list_for_people(baseline: Baseline) -> None:
    lines = baseline_text(baseline, 10).splitlines()
    assert lines[0].split() == ["WINDOWS", "CALLS/S", "ERRORS", "CALLS", "RUNS", "READY", "EXECUTABLE"]
    assert lines[1].split()[-2:] == ["yes", EXE]
    assert lines[-1] == "1 executables are known, 1 of them well enough for scores, with 50 runs of calls"
    assert baseline_text(Baseline(), 10).startswith("0 executables are known")


def test_judged_windows_tell_what_they_saw() -> None:
    window = Window((1, 2), EXE, 2 * SECOND)
    window.add(READ, 30, False)
    window.add(WRITE, 10, True)
    judged = Judged(window, 0.0, "")
    assert (judged.window.rate, judged.window.error_share) == (20.0, 0.25)

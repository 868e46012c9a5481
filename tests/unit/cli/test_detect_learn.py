"""`kernscope detect learn` as far as it needs no kernel."""

import random
from pathlib import Path

import pytest

from kernscope.cli import main
from kernscope.detector.anomaly import Baseline, Window


@pytest.fixture
def file(tmp_path: Path) -> Path:
    baseline, dice = Baseline(), random.Random(1)
    for number in range(50):
        window = Window((1, 0), "/usr/bin/a\x1b[2J")
        window.add(0, dice.randrange(100, 200), False)
        baseline.of(window.exe).learn(window, 1, number)
    path = tmp_path / "baseline.json"
    baseline.save(str(path))
    return path


def test_what_is_known_is_shown(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "learn", "--show", "--baseline", str(file)]) == 0
    out = capfd.readouterr().out
    assert "/usr/bin/a\\x1b[2J" in out and "\x1b" not in out
    assert out.endswith("1 executables are known, 1 of them well enough for scores, with 0 runs of calls\n")
    assert main(["detect", "learn", "--show", "--baseline", str(file.parent / "none")]) == 0
    assert capfd.readouterr().out.startswith("0 executables are known")


@pytest.mark.parametrize("command", [["learn"], ["learn", "--show"], ["run", "--no-store"]])
def test_a_baseline_that_cannot_be_used(
    command: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("yaml", reason="rules are YAML")
    damaged, link = tmp_path / "damaged", tmp_path / "link"
    damaged.write_text("{")
    link.symlink_to(damaged)
    rules = tmp_path / "r.yaml"
    rules.write_text("- {rule: r, desc: d, condition: evt.type = open, output: o, priority: info}\n")
    words = ["detect", *command, *(() if "--show" in command else (str(rules),)), "--baseline"]
    assert main([*words, str(damaged)]) == 2
    assert "cannot be used: not JSON; move it away" in capfd.readouterr().err
    assert main([*words, str(link)]) == 2
    assert "is a link" in capfd.readouterr().err


def test_run_does_not_begin_without_the_baseline_it_was_given(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("yaml", reason="rules are YAML")
    rules = tmp_path / "r.yaml"
    rules.write_text("- {rule: r, desc: d, condition: evt.type = open, output: o, priority: info}\n")
    assert main(["detect", "run", str(rules), "--baseline", str(tmp_path / "none")]) == 2
    assert "`kernscope detect learn --baseline" in capfd.readouterr().err

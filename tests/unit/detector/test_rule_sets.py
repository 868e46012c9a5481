"""Rules of a user beside the default ones."""

import re
from pathlib import Path

import pytest

from kernscope.cli import main
from kernscope.detector import check_rules, decode, default_rule_files
from kernscope.detector.rule_files import rule_files
from kernscope.diagnostics import Source

pytest.importorskip("yaml", reason="rules are YAML")


def test_default_names_the_default_rules(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert rule_files(["default", "x.yaml"]) == [*default_rule_files(), "x.yaml"]
    local = tmp_path / "local.yaml"
    local.write_text("- rule: Private keys read\n  enabled: false\n")
    assert main(["detect", "check", "default", str(local)]) == 0
    shown = capfd.readouterr().out
    assert "1 disabled" in shown and "Private keys read" in shown


DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.parametrize("page", ["detection.md", "detection-rules.md", "detection-behaviour.md"])
def test_documented_rules_are_right(page: str) -> None:
    """Behind the default rules, as some change these, and each other."""
    found = re.findall(r"^```yaml\n(- .*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    blocks = [block for block in found if "Decode Base64" not in block]  # that is SigmaHQ's
    sources = [decode(name, Path(name).read_bytes()) for name in default_rule_files()]
    rules = check_rules([*sources, *(Source(f"{page}-{i}", text) for i, text in enumerate(blocks))])
    assert blocks and [problem.message for problem in rules.diagnostics] == []

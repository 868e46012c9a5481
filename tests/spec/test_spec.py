"""Runs the Markdown tests of this folder; `pytest --update-golden` rewrites what they expect."""

from pathlib import Path

import pytest
from markdown_cases import read_cases, replace_block
from spec_stages import STAGES

from kernscope.diagnostics import Source

FOLDER = Path(__file__).parent


def _parameters() -> list[object]:
    found: list[object] = []
    for path in sorted(FOLDER.rglob("*.md")):
        for number, case in enumerate(read_cases(path.read_text(encoding="utf-8"))):
            for index, block in enumerate(case.expected):
                name = f"{path.relative_to(FOLDER).with_suffix('')}-{number}-{case.title}-{block.language}"
                found.append(pytest.param(path, number, index, id=name.replace(" ", "_")))
    return found


@pytest.mark.parametrize(("path", "number", "index"), _parameters())
def test_spec(path: Path, number: int, index: int, request: pytest.FixtureRequest) -> None:
    # Read again: an update of the block before may have moved the lines.
    case = read_cases(path.read_text(encoding="utf-8"))[number]
    block = case.expected[index]
    if block.language not in STAGES:
        pytest.skip(f"no stage `{block.language}` here")
    actual = STAGES[block.language](Source("<command line>", case.program.text.removesuffix("\n")))
    if request.config.getoption("--update-golden"):
        replace_block(path, block, actual)
    else:
        assert actual == block.text


def test_every_file_holds_programs() -> None:
    for path in FOLDER.rglob("*.md"):
        cases = read_cases(path.read_text(encoding="utf-8"))
        assert cases, f"{path} holds no program"
        assert all(case.expected for case in cases), f"{path} has a program without an expectation"

"""The page of each error code: its example must give the code, its correction must not be refused."""

import pytest
from markdown_cases import read_blocks
from spec_stages import CHECKS

from kernscope.diagnostics import CompileError, Source, code_names, explain
from kernscope.diagnostics.codes import UnknownCode, title


def _stage(page: str) -> str:
    lines = [line for line in page.split("\n") if line.startswith("Stage: ")]
    assert len(lines) == 1, "a page says once which stage reports its code"
    return lines[0].removeprefix("Stage: ")


def _codes(stage: str, text: str) -> set[str]:
    """The codes of the errors that checking up to this stage finds."""
    for name, check in CHECKS.items():
        try:
            check(Source("example", text))
        except CompileError as problem:
            return {diagnostic.code for diagnostic in problem.diagnostics}
        if name == stage:
            break
    return set()


@pytest.mark.parametrize("code", code_names())
def test_page(code: str) -> None:
    page = explain(code)
    assert page.startswith(f"# {code}: ")
    blocks = [(heading, block.text) for heading, block in read_blocks(page) if block.language == "bpftrace"]
    assert [heading for heading, _ in blocks] == ["Example", "Corrected"]
    stage = _stage(page)
    if stage not in CHECKS:
        pytest.skip(f"no stage `{stage}` here")
    assert code in _codes(stage, blocks[0][1])
    assert _codes(stage, blocks[1][1]) == set()


def test_title_is_the_heading() -> None:
    assert title("missing-semicolon") == "two statements without `;` between them"


def test_unknown_code_suggests() -> None:
    with pytest.raises(UnknownCode, match="did you mean `missing-sigil`") as caught:
        explain("missing-sigl")
    assert caught.value.suggestion == "missing-sigil"

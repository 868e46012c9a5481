"""The page of each error code: its example must give the code, its correction must not be refused."""

import ast
import re
from pathlib import Path

import pytest
from markdown_cases import read_blocks
from spec_stages import CHECKS

import kernscope
from kernscope.detector import check_rules, default_rule_files
from kernscope.diagnostics import CompileError, Source, code_names, explain
from kernscope.diagnostics.codes import UnknownCode, title

BESIDE_DEFAULTS = "detect, beside the default rules"


def _stage(page: str) -> str:
    lines = [line for line in page.split("\n") if line.startswith("Stage: ")]
    assert len(lines) == 1, "a page says once which stage reports its code"
    return lines[0].removeprefix("Stage: ")


def _codes(stage: str, text: str) -> set[str]:
    """The codes of what checking up to this stage finds."""
    found: set[str] = set()
    for name, check in CHECKS.items():
        try:
            warnings = check(Source("example", text))
        except CompileError as problem:
            return {diagnostic.code for diagnostic in problem.diagnostics}
        found |= {diagnostic.code for diagnostic in warnings}
        if name == stage:
            break
    return found


def _rule_codes(text: str, before: list[str]) -> set[str]:
    """The codes of what checking the detector's rules finds, behind other files."""
    pytest.importorskip("yaml", reason="rules are YAML")
    sources = [Source(name, Path(name).read_text("utf-8")) for name in before]
    return {problem.code for problem in check_rules([*sources, Source("example", text)]).diagnostics}


@pytest.mark.parametrize("code", code_names())
def test_page(code: str) -> None:
    page = explain(code)
    assert page.startswith(f"# {code}: ")
    languages = ("bpftrace", "yaml", "json")
    blocks = [(heading, block.text) for heading, block in read_blocks(page) if block.language in languages]
    assert [heading for heading, _ in blocks] == ["Example", "Corrected"]
    stage = _stage(page)
    if stage in ("detect", BESIDE_DEFAULTS):
        before = default_rule_files() if stage == BESIDE_DEFAULTS else []
        assert code in _rule_codes(blocks[0][1], before)
        assert _rule_codes(blocks[1][1], before) == set()
        return
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


_MAKERS = {"error", "warning", "note", "report", "Diagnostic"}


def _codes_in_sources() -> set[str]:
    """The first argument of every call that makes a diagnostic."""
    found: set[str] = set()
    for path in Path(kernscope.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0]
            if name in _MAKERS and isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.add(first.value)
    return {code for code in found if re.fullmatch("[a-z]+(-[a-z]+)+", code)}


def test_every_code_has_a_page() -> None:
    assert _codes_in_sources() <= set(code_names())

"""The project's own rules, checked by the tools that know them."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON_FOLDERS = ("src", "tests", "bench", "tools")
FILE_LINES, FUNCTION_LINES = 600, 80


def project_files() -> list[Path]:
    """What belongs to the project: what git tracks, or without git what is not hidden."""
    if shutil.which("git") is not None:
        listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True)
        if listed.returncode == 0:
            return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file() and not set(path.relative_to(ROOT).parts[:-1]) & {"build", "dist"}
        if not any(
            part.startswith(".") or part.endswith(".egg-info") for part in path.relative_to(ROOT).parts
        )
    ]


def python_files() -> list[Path]:
    return [path for folder in PYTHON_FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def run_tool(*command: str) -> None:
    bin_folder = Path(sys.executable).parent
    if not (bin_folder / command[0]).exists():
        pytest.skip(f"{command[0]} is not installed beside this Python")
    # Coloured or boxed output would hide the lines to read when this fails.
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        [bin_folder / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_lint() -> None:
    run_tool("ruff", "check", "--output-format", "concise", ".")


def test_format() -> None:
    run_tool("ruff", "format", "--check", "--output-format", "concise", ".")


def test_types() -> None:
    run_tool("mypy", "--strict")


def test_layers() -> None:
    run_tool("lint-imports")


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_sizes() -> None:
    too_long = []
    for path in python_files():
        text = path.read_text()
        name = path.relative_to(ROOT)
        if text.count("\n") > FILE_LINES:
            too_long.append(f"{name}: {text.count(chr(10))} lines")
        for function in functions(ast.parse(text)):
            lines = (function.end_lineno or 0) - function.lineno + 1
            if lines > FUNCTION_LINES:
                too_long.append(f"{name}:{function.lineno}: {function.name} has {lines} lines")
    assert too_long == []


def test_every_function_is_annotated() -> None:
    """Also in the tests, which strict mypy does not read."""
    bare = [
        f"{path.relative_to(ROOT)}:{function.lineno}: {function.name}"
        for path in python_files()
        for function in functions(ast.parse(path.read_text()))
        if function.returns is None
    ]
    assert bare == []


FORBIDDEN = {
    "a path of one machine": r"(?<![\w.{}])/(?:work|home/(?!(?:a|ann|somebody|u)/)\w+|Users)/",
    "the address of one package registry": r"https?://[\w.-]*(?:pypi|pythonhosted|artifactory|nexus)[\w.-]*",
    "a note to be dealt with later": r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = []
    for path in project_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(text.splitlines(), 1)
            if pattern.search(line) and path != Path(__file__)
        ]
    assert found == []


def test_no_module_is_named_after_nothing() -> None:
    empty_names = {"util", "utils", "misc", "common", "manager", "handler", "info", "data"}
    assert [str(p) for p in (ROOT / "src").rglob("*") if p.stem in empty_names] == []


def test_scripts_are_executable() -> None:
    assert [name for name in ("run", "test", ".ci/run") if not os.access(ROOT / name, os.X_OK)] == []


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "generate_docs.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_architecture_fits_its_limit() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 150

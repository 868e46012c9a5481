"""The tools as files: each has a head, a page, and a place in the index."""

import re
from pathlib import Path

import pytest

import kernscope
from kernscope import tools
from kernscope.diagnostics import Source
from kernscope.syntax import parse

ROOT = Path(__file__).resolve().parents[3]
NAMES = tools.names()


def test_there_are_tools() -> None:
    assert {"opensnoop", "execsnoop", "biolatency", "runqlat", "tcplife"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_tool_is_complete(name: str) -> None:
    tool = tools.find(name)
    assert tool.group in tools.GROUPS
    assert tool.title and not tool.title.endswith(".")
    program = parse(Source(f"{name}.bt", tool.text))
    assert program.probes
    # Each parameter of the program is an argument of the tool, and each argument is used.
    used = {int(number) for number in re.findall(r"\$(\d+)", tool.text)}
    assert used == set(range(1, len(tool.arguments) + 1))
    # What prints a line for each event has a head over its columns, whose names its page explains.
    page = tool.page
    assert page.startswith(f"# {name}\n")
    assert f"    sudo kernscope tool {tool.usage}\n" in page
    parts = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert parts == ["Columns" if '"TIME"' in tool.text or "TIME" in page else "Output", *parts[1:]]
    assert parts[1:] == ["Example", "Overhead", "Limits"]
    example = page.split("```text\n")[1].split("```")[0]
    assert example.count("\n") >= 1
    heads = (
        re.findall(r'"([A-Z][A-Za-z()/]*)"', tool.text.split("begin\n{")[1].split("\n}")[0])
        if '"TIME"' in tool.text
        else []
    )
    for head in heads:
        if head in example.split("\n")[0].split() and not head.endswith("/s"):
            assert re.search(rf"`[^`]*\b{re.escape(head)}(?!\w)", page), head


@pytest.mark.parametrize("name", NAMES)
def test_a_tool_is_formatted(name: str) -> None:
    text = tools.find(name).text
    assert kernscope.format_program(text, name=name) == text


def test_find_knows_what_was_meant() -> None:
    with pytest.raises(kernscope.UnknownTool, match="did you mean `opensnoop`") as caught:
        tools.find("opensnop")
    assert caught.value.near == "opensnoop"


def test_usage_shows_that_arguments_may_be_left_out() -> None:
    tool = tools.Tool(
        "x", "/*\ntitle: a: b\ngroup: files\nargument: A (number) one\nargument: B (text) two\n*/"
    )
    assert tool.usage == "x [A [B]]"
    assert tool.title == "a: b"
    assert [(a.name, a.number, a.meaning) for a in tool.arguments] == [
        ("A", True, "one"),
        ("B", False, "two"),
    ]


def test_the_index_is_fresh() -> None:
    """Made anew as its first line says."""
    assert (ROOT / "docs" / "tools.md").read_text() == tools.index()


def test_the_index_names_each_tool_once() -> None:
    text = tools.index()
    assert all(text.count(f"tools/{name}.md)") == 1 for name in NAMES)

"""Markdown files as tests: a fenced `bpftrace` block is a program, others what stages make of it."""

from pathlib import Path
from typing import NamedTuple

FENCE = "```"


class Block(NamedTuple):
    """A fenced block: its language, its content, and the index of its first content line in the file."""

    language: str
    text: str
    line: int


class Case(NamedTuple):
    title: str
    program: Block
    expected: list[Block]


def read_blocks(text: str) -> list[tuple[str, Block]]:
    """All fenced blocks, each with the heading above it."""
    blocks: list[tuple[str, Block]] = []
    heading = ""
    lines = text.split("\n")
    index = 0
    while index < len(lines):
        line = lines[index]
        if line.startswith("#"):
            heading = line.lstrip("#").strip()
        if line.startswith(FENCE):
            start = index + 1
            index = start
            while lines[index] != FENCE:
                index += 1
            content = "".join(f"{content}\n" for content in lines[start:index])
            blocks.append((heading, Block(line.removeprefix(FENCE).strip(), content, start)))
        index += 1
    return blocks


def read_cases(text: str) -> list[Case]:
    cases: list[Case] = []
    for heading, block in read_blocks(text):
        if block.language == "bpftrace":
            cases.append(Case(heading, block, []))
        elif cases:
            cases[-1].expected.append(block)
    return cases


def replace_block(path: Path, block: Block, text: str) -> None:
    """Write a new content into a block of a file."""
    lines = path.read_text(encoding="utf-8").split("\n")
    lines[block.line : block.line + block.text.count("\n")] = (
        text.removesuffix("\n").split("\n") if text else []
    )
    path.write_text("\n".join(lines), encoding="utf-8")

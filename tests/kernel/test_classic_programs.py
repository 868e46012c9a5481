"""Programs of the kind that users have compile: classic tools and one-liners, in old and new spellings.

They stand in classic_programs.txt, one behind the other, each after `--- its name`. Where this kernel or this machine
lacks what a program is about, it is skipped.
"""

from pathlib import Path

import pytest
from command_line import needs_tracing

import kernscope

PROGRAMS = dict(
    part.split("\n", 1)
    for part in Path(__file__).with_name("classic_programs.txt").read_text(encoding="utf-8").split("--- ")[1:]
)
ABSENT = {"not-supported-here", "unknown-probe", "unknown-symbol", "bad-target"}
"""Findings about the machine; a pattern of functions that none has is one."""


@needs_tracing
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_compiles(name: str) -> None:
    try:
        bundle = kernscope.compile(PROGRAMS[name], settings={"unsafe": True})
    except kernscope.CompileError as refused:
        errors = [found for found in refused.diagnostics if found.severity == "error"]
        first = errors[0]
        if first.code in ABSENT or "control group" in first.message:
            pytest.skip(first.message)
        raise
    assert bundle.programs

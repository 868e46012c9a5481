"""What the fenced blocks of the Markdown tests stand for.

A block named like a key of `STAGES` holds what that function gives for the program above it. `CHECKS` are the
stages that can refuse a program, in order; the `diagnostics` block holds what the first that refuses says.
A room adds its stages here; blocks of a stage that is not here are skipped.
"""

from collections.abc import Callable

from kernscope.diagnostics import CompileError, Source, render_text
from kernscope.syntax import dump, parse, print_program

STAGES: dict[str, Callable[[Source], str]] = {}
CHECKS: dict[str, Callable[[Source], object]] = {"syntax": parse}


def stage(name: str) -> Callable[[Callable[[Source], str]], Callable[[Source], str]]:
    """Register the function as the stage of this name."""

    def register(function: Callable[[Source], str]) -> Callable[[Source], str]:
        STAGES[name] = function
        return function

    return register


@stage("ast")
def ast_stage(source: Source) -> str:
    return dump(parse(source))


@stage("source")
def source_stage(source: Source) -> str:
    """The program as the printer writes it."""
    return print_program(parse(source))


@stage("diagnostics")
def diagnostics_stage(source: Source) -> str:
    for check in CHECKS.values():
        try:
            check(source)
        except CompileError as problem:
            return render_text(problem.diagnostics, width=100)
    return ""

"""What the fenced blocks of the Markdown tests stand for.

A block named like a key of `STAGES` holds what that function gives for the program above it. `CHECKS` are the
stages that can refuse a program, in order; the `diagnostics` block holds what the first that refuses says.
A room adds its stages here; blocks of a stage that is not here are skipped.
"""

from collections.abc import Callable

from fixed_kernel import FixedKernel

from kernscope.compiler.pipeline import compile_source
from kernscope.diagnostics import CompileError, Diagnostic, Source, render_text
from kernscope.syntax import dump, parse, print_program

STAGES: dict[str, Callable[[Source], str]] = {}


def _parse(source: Source) -> list[Diagnostic]:
    parse(source)
    return []


CHECKS: dict[str, Callable[[Source], list[Diagnostic]]] = {"syntax": _parse}
"""Each raises CompileError, or returns its warnings."""


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
    warnings: list[Diagnostic] = []
    for check in CHECKS.values():
        try:
            warnings += check(source)
        except CompileError as problem:
            return render_text(problem.diagnostics, width=100)
    return render_text(warnings, width=100)


def _check_compilation(source: Source) -> list[Diagnostic]:
    return compile_source(source, FixedKernel(), verify=True).warnings


def _compiled_stage(name: str) -> Callable[[Source], str]:
    def run(source: Source) -> str:
        stages: dict[str, str] = {}
        compile_source(source, FixedKernel(), verify=True, dump=stages.__setitem__)
        return stages[name].rstrip("\n") + "\n"

    return run


CHECKS["sema"] = _check_compilation
for _name in ("types", "ir", "registers", "asm", "bundle"):
    STAGES[_name] = _compiled_stage(_name)


@stage("output")
def output_stage(source: Source) -> str:
    """What the program prints on the user-space machine, its maps at the end included; messages after `!`."""
    from vm_session import run

    result = run(source.text, print_maps=True)
    messages = "".join(f"! {line}\n" for line in result.messages.splitlines())
    return result.text + messages

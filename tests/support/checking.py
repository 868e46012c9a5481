"""Shortcuts for tests of sema and the compiler: what a program means, what is wrong with it."""

from collections.abc import Sequence
from typing import Any

from fake_kernel import FakeKernel

from kernscope import sema, syntax
from kernscope.bundle import Bundle, ProgramSpec
from kernscope.compiler import compile_source
from kernscope.diagnostics import CompileError, Source
from kernscope.sema import Checked
from kernscope.types import Type

__all__ = ["assembly", "bundle_of", "check", "findings", "type_of"]


def check(text: str, kernel: Any = None, parameters: Sequence[str] = ()) -> Checked:
    """A program after sema."""
    return sema.check(syntax.parse(Source("test", text)), kernel or FakeKernel(), parameters=parameters)


def type_of(expression: str, before: str = "", probe: str = "begin", parameters: Sequence[str] = ()) -> Type:
    """The type of an expression, after the statements `before`."""
    checked = check(f"{probe} {{ {before} print({expression}); }}", parameters=parameters)
    clause = checked.clauses[0]
    statement: Any = clause.block.statements[-1]
    return clause.types[statement.expr.args[0]]


def findings(text: str, kernel: Any = None, parameters: Sequence[str] = ()) -> list[tuple[str, str]]:
    """`(code, source text that it points to)` of each error in a program; empty where there is none."""
    try:
        compile_source(Source("test", text), kernel or FakeKernel(), parameters=parameters)
    except CompileError as problem:
        return [
            (d.code, d.span.text if d.span is not None else "")
            for d in problem.diagnostics
            if d.severity == "error"
        ]
    return []


def bundle_of(text: str, kernel: Any = None, parameters: Sequence[str] = ()) -> Bundle:
    """A compiled program, every intermediate form checked."""
    return compile_source(Source("test", text), kernel or FakeKernel(), parameters=parameters, verify=True)


def assembly(program: ProgramSpec) -> str:
    """A program's instructions as text."""
    from kernscope.asm.disassemble import disassemble

    return disassemble(program.code, program.relocations)

"""CPython's code objects: what is read from memory, beside what this interpreter says of itself."""

import os
import sys
from types import CodeType

import pytest

from kernscope.symbols import UserSymbols
from kernscope.symbols.python import PythonCode, PythonProcesses, read_code


def example(n: int) -> int:
    total = 0
    for i in range(n):
        total += (
            i
            * n
        )  # fmt: skip

    return total


def lines_of(code: CodeType) -> dict[int, int]:
    """Instruction index → line, as the interpreter has it; a module begins in line 0, which we call its first."""
    places = enumerate(code.co_positions())
    return {i: line or code.co_firstlineno for i, (line, *_) in places if line is not None}


needs_location_table = pytest.mark.skipif(sys.version_info < (3, 11), reason="an older table of lines")


@needs_location_table
@pytest.mark.parametrize(
    "code", [example.__code__, lines_of.__code__, compile("\n\n\nx = 1\n\ny = x", "f", "exec")]
)
def test_lines(code: CodeType) -> None:
    read = PythonCode(code.co_qualname, code.co_filename, code.co_firstlineno, code.co_linetable)
    assert {i: read.line(i) for i in lines_of(code)} == lines_of(code)


def test_a_table_that_is_cut_off() -> None:
    table = example.__code__.co_linetable
    for length in range(len(table)):
        code = PythonCode("f", "f.py", 3, table[:length])
        assert code.line(10_000) >= 0


@pytest.fixture
def processes() -> PythonProcesses:
    found = PythonProcesses()
    if found.find(os.getpid(), UserSymbols().mapped(os.getpid())) is None:
        pytest.skip("this interpreter has no symbols, or is not one that can be read")
    return found


@pytest.mark.parametrize("name", ["plain", "ünï", "名前", "🐍"])
def test_code_objects_of_this_process(processes: PythonProcesses, name: str) -> None:
    code = example.__code__.replace(co_qualname=name, co_filename=f"/tmp/{name}.py")
    found = processes.code(os.getpid(), id(code))
    assert found is not None
    assert (found.name, found.file, found.first_line) == (name, f"/tmp/{name}.py", code.co_firstlineno)


def test_what_is_no_code_object(processes: PythonProcesses) -> None:
    runtime = processes.find(os.getpid(), [])
    assert runtime is not None
    assert read_code(os.getpid(), 8, runtime.layout) is None


def test_a_process_that_is_gone() -> None:
    assert PythonProcesses().find(1 << 22, []) is None

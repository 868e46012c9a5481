"""CPython's code objects: what is read from memory, beside what this interpreter says of itself."""

import ctypes
import os
import struct
import sys
from random import Random
from types import CodeType

import pytest

from kernscope.kernel.mappings import read_memory
from kernscope.symbols import UserSymbols, python
from kernscope.symbols.python import PythonCode, PythonProcesses, read_code, sent_code
from kernscope.tables.cpython import SENT_OBJECTS, Layout


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


def test_a_number_without_end() -> None:
    code = PythonCode("f", "f.py", 3, (b"\xe8" + b"\x7f" * 1_000_000))
    assert code.line(0) == 3


@pytest.fixture
def processes() -> PythonProcesses:
    found = PythonProcesses()
    if found.find(os.getpid(), UserSymbols().mapped(os.getpid())) is None:
        pytest.skip("this interpreter has no symbols, or is not one that can be read")
    return found


def layout_of(processes: PythonProcesses) -> Layout:
    runtime = processes.find(os.getpid(), [])
    assert runtime is not None
    return runtime.layout


def what_is_sent(code: CodeType, layout: Layout) -> bytes:
    """What the kernel program reads of a code object."""
    sent = struct.pack("<q", code.co_firstlineno)
    for field, size in SENT_OBJECTS:
        (address,) = struct.unpack("<Q", read_memory(os.getpid(), id(code) + layout[field], 8))
        sent += read_memory(os.getpid(), address, size)
    return sent


@pytest.mark.parametrize("name", ["plain", "ünï", "名前", "🐍", "l" * 500, "名" * 500])
def test_code_objects_of_this_process(processes: PythonProcesses, name: str) -> None:
    layout = layout_of(processes)
    code = example.__code__.replace(co_qualname=name, co_filename=f"/tmp/{name}.py")
    sent = what_is_sent(code, layout)
    processes.learn(os.getpid(), 7, id(code), sent)
    found = processes.code(os.getpid(), 7)
    assert found is not None
    assert (found.name, found.file, found.first_line) == (name, f"/tmp/{name}.py", code.co_firstlineno)
    # Another one is in its place when we come to read it, or nothing that makes sense.
    for place in (id(lines_of.__code__), id(processes), 8):
        processes.learn(os.getpid(), 8, place, sent)
        found = processes.code(os.getpid(), 8)
        assert found is not None and found.name and name.startswith(found.name)
        assert f"/tmp/{name}.py".startswith(found.file)
        assert {i: found.line(i) for i in lines_of(code)} == lines_of(code)


def test_nonsense_that_is_sent(processes: PythonProcesses) -> None:
    """A process may write into its own objects what it likes."""
    layout, random = layout_of(processes), Random(1)
    sent = what_is_sent(example.__code__, layout)
    for _ in range(3000):
        damaged = bytearray(sent[: random.choice([len(sent)] * 20 + [0, 5, 300])])
        for _ in range(random.randrange(1, 30)):
            if damaged:
                damaged[random.randrange(len(damaged))] = random.choice([0, 255, random.randrange(256)])
        code = sent_code(bytes(damaged), layout)
        if code is not None:
            assert len(code.name) <= 192 and len(code.file) <= 256
            assert isinstance(code.line(random.randrange(1 << 19)), int)


def test_memory_that_makes_no_sense(processes: PythonProcesses) -> None:
    layout, random = layout_of(processes), Random(2)
    memory = ctypes.create_string_buffer(1 << 12)
    start = ctypes.addressof(memory)
    places = [0, 8, start, start + 100, (1 << 64) - 8, 1 << 63, id(processes), id("text")]
    for _ in range(2000):
        words = [random.choice([*places, random.getrandbits(64), random.getrandbits(20)]) for _ in range(512)]
        struct.pack_into("<512Q", memory, 0, *words)
        code = read_code(os.getpid(), start, layout)
        if code is not None:
            code.line(random.randrange(1 << 19))


def test_what_is_no_code_object(processes: PythonProcesses) -> None:
    runtime = processes.find(os.getpid(), [])
    assert runtime is not None
    assert read_code(os.getpid(), 8, runtime.layout) is None


def test_a_process_that_is_gone() -> None:
    assert PythonProcesses().find(1 << 22, []) is None


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"xdebugpy" + struct.pack("<QQ", 0x030D00F0, 1), "Python 3.13 without a global lock"),
        (b"xdebugpy" + struct.pack("<QQ", 0x030E00F0, 1), "Python 3.14 without a global lock"),
        (b"xdebugpy" + struct.pack("<QQ", 0x030F00F0, 0), "Python 3.15"),
        (
            b"xdebugpy" + struct.pack("<QQ", 0x030D00F0, 0) + b"\xff" * 2000,
            "Python 3.13 with strange offsets",
        ),
        (b"", "Python before 3.11"),
    ],
)
def test_interpreters_whose_functions_are_not_read(
    head: bytes, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real interpreter's file, over memory in which another one says what it is."""
    pid, memory = os.getpid(), head.ljust(1 << 13, b"\0")
    monkeypatch.setattr(python, "read_memory", lambda pid, start, size: memory[:size])
    found, mapped = PythonProcesses(), UserSymbols().mapped(pid)
    if found.find(pid, mapped) is not None or not found._unread:
        pytest.skip("this interpreter has no symbols")
    ((name, loops),) = found._unread.values()
    assert name == kind and loops
    assert found.not_read(pid, loops[0][0]) == kind and found.not_read(pid, loops[0][0] - 1) == ""
    assert not found.in_loop(pid, loops[0][0])

"""Processes of which single mappings are told: they may have ended before their addresses are named."""

import os
import sys

import pytest

from kernscope.kernel.mappings import Mapping, mapping_at, read_mappings
from kernscope.symbols import UserSymbols
from kernscope.symbols.files import MappedFile
from kernscope.symbols.python import PythonProcesses

GONE = 1 << 22
"""No process has this number: PID_MAX_LIMIT."""


@pytest.fixture
def libc() -> tuple[UserSymbols, Mapping, MappedFile]:
    symbols = UserSymbols()
    for mapping, file in symbols.mapped(os.getpid()):
        if "libc.so" in mapping.path and file is not None:
            return symbols, mapping, file
    pytest.skip("this Python has no libc of its own")


def moved(mapping: Mapping, to: int) -> Mapping:
    return Mapping(to, to + mapping.end - mapping.start, mapping.offset, "", 0, mapping.path)


def test_addresses_of_a_process_that_is_gone(libc: tuple[UserSymbols, Mapping, MappedFile]) -> None:
    symbols, mapping, file = libc
    ours = [symbols.lookup(os.getpid(), mapping.start + at) for at in range(0x1000, 0x40000, 0x777)]
    named = [one for one in ours if one is not None and one.name]
    assert named
    symbols.learn(GONE, "1", moved(mapping, 0x10000000), file)
    for one in named:
        at = one.file_address - (file.elf.address_of(mapping.offset) if file.elf else 0)  # type: ignore[operator]
        theirs = symbols.lookup(GONE, 0x10000000 + at)
        assert theirs is not None and (theirs.name, theirs.offset) == (one.name, one.offset)
    assert symbols.lookup(GONE, 0x20000000) is None


def test_what_is_mapped_later_comes_beside_or_in_its_place(
    libc: tuple[UserSymbols, Mapping, MappedFile],
) -> None:
    symbols, mapping, file = libc
    first, second = moved(mapping, 0x10000000), moved(mapping, 0x30000000)
    for _ in range(3):
        symbols.learn(GONE, "1", second, file)
        symbols.learn(GONE, "1", first, file)
    process = symbols._processes[GONE]
    assert [one.start for one in process.generations[0].mappings] == [0x10000000, 0x30000000]
    assert len(process.generations) == 1
    over = Mapping(0x10001000, 0x10002000, 0, "", 0, "/other")
    symbols.learn(GONE, "1", over, MappedFile(b"no ELF", "/other"))
    assert [one.start for one in process.generations[0].mappings] == [0x10001000, 0x30000000]
    found = process.find(0x10000010)
    assert found is not None and found[1].path == mapping.path  # what was there before is still known


def test_another_process_with_the_same_number(libc: tuple[UserSymbols, Mapping, MappedFile]) -> None:
    symbols, mapping, file = libc
    symbols.learn(GONE, "1", moved(mapping, 0x10000000), file)
    symbols.learn(GONE, "2", moved(mapping, 0x50000000), file)
    process = symbols._processes[GONE]
    assert process.started == "2"
    assert [one.start for one in process.generations[0].mappings] == [0x50000000]


def test_one_mapping_of_a_process() -> None:
    every = read_mappings(os.getpid())
    for mapping in every:
        found = mapping_at(os.getpid(), mapping.start, mapping.end, mapping.offset)
        assert found is not None and found.path == mapping.path
    assert mapping_at(os.getpid(), 0x1000, 0x2000, 0) is None
    assert mapping_at(GONE, every[0].start, every[0].end, 0) is None


def test_python_is_found_by_the_mapping_that_has_it() -> None:
    symbols, python = UserSymbols(), PythonProcesses()
    mapped = symbols.mapped(os.getpid())
    whole = PythonProcesses().find(os.getpid(), mapped)
    found = [python.met(os.getpid(), mapping, file) for mapping, file in mapped if file is not None]
    if whole is None:
        pytest.skip(f"{sys.executable} has no symbols")
    assert [one for one in found if one is not None] == [whole]
    assert all(python.met(GONE, mapping, file) is None for mapping, file in mapped if file is not None)

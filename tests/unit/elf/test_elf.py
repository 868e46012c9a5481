"""The ELF reader against pyelftools, on files of this machine, and on damaged ones."""

import os
import sys
from pathlib import Path

import pytest

from kernscope.elf import ElfError, ElfFile

elftools = pytest.importorskip("elftools.elf.elffile")


def _mapped_files() -> list[str]:
    """The Python program and the libraries that it has mapped."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    paths = {
        line.split(maxsplit=5)[5] for line in lines if line.count("/") and ".so" in line and "r-xp" in line
    }
    ordered = sorted(paths, key=lambda path: ("libc.so" not in path, os.path.getsize(path)))
    return [os.path.realpath(sys.executable), *ordered[:10]]


@pytest.mark.parametrize("path", _mapped_files())
def test_symbols_are_those_that_pyelftools_finds(path: str) -> None:
    data = Path(path).read_bytes()
    ours = ElfFile(data)
    with open(path, "rb") as file:
        theirs = elftools.ELFFile(file)
        section = theirs.get_section_by_name(".symtab") or theirs.get_section_by_name(".dynsym")
        functions: dict[int, set[str]] = {}
        sizes: dict[int, int] = {}
        for symbol in section.iter_symbols() if section is not None else ():
            kind, value = symbol["st_info"]["type"], symbol["st_value"]
            if kind in ("STT_FUNC", "STT_LOOS") and value and symbol["st_shndx"] != "SHN_UNDEF":
                functions.setdefault(value, set()).add(symbol.name)
                sizes[value] = max(sizes.get(value, 0), symbol["st_size"])
        notes = theirs.get_section_by_name(".note.gnu.build-id")
        described = [note["n_desc"] for note in notes.iter_notes()] if notes is not None else []
        build_id = described[0] if described else ""
        loads = [s for s in theirs.iter_segments() if s["p_type"] == "PT_LOAD"]
        assert [(s.offset, s.address, s.size) for s in ours.segments] == [
            (s["p_offset"], s["p_vaddr"], s["p_filesz"]) for s in loads
        ]
    assert ours.build_id() == build_id
    table = ours.symbols()
    for address in list(functions)[:400]:
        found = table.lookup(address)
        assert found is not None and found[1] == 0
        assert found[0] in functions[address]
        if sizes[address] > 1:
            inside = table.lookup(address + 1)
            assert inside is not None


def test_the_plainest_of_several_names() -> None:
    libc = next(path for path in _mapped_files() if "libc.so" in path)
    table = ElfFile(Path(libc).read_bytes()).symbols()
    found = table.find("read")
    assert found is not None
    assert table.lookup(found[0]) == ("read", 0)


@pytest.mark.parametrize("size", [0, 3, 63, 64, 100, 4000])
def test_what_is_cut_off_is_refused(size: int) -> None:
    data = Path(os.path.realpath(sys.executable)).read_bytes()[:size]
    with pytest.raises(ElfError):
        ElfFile(data).symbols()


def test_random_damage_is_no_other_error() -> None:
    data = bytearray(Path(os.path.realpath(sys.executable)).read_bytes()[: 1 << 16])
    for at in range(16, 64):
        for value in (0, 0x7F, 0xFF):
            damaged = bytearray(data)
            damaged[at] = value
            try:
                ElfFile(damaged).symbols().lookup(0x401000)
            except ElfError:
                continue


def test_other_files_are_refused() -> None:
    with pytest.raises(ElfError):
        ElfFile(b"#!/bin/sh\n" * 20)

"""Unwind tables, beside pyelftools' reading of the same files, and what hostile files do."""

import random
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile as OracleFile

from kernscope.elf import ElfError, ElfFile
from kernscope.elf.eh_frame import UnwindTable, read_unwind_table
from kernscope.elf.eh_rules import CFA_AT_RBP, CFA_RBP, CFA_RSP, END, NOTHING, PLT, SIGNAL, UNSUPPORTED

RSP, RBP, RETURN = 7, 6, 16

SOURCE = r"""
#include <stdlib.h>
#include <string.h>
#define OWN __attribute__((noinline, noclone))
OWN int leaf(int x) { return x * 3; }
OWN int big(int n) { char space[30000]; memset(space, n, sizeof space); return space[n % 30000] + leaf(n); }
OWN int aligned(int n) {
    __attribute__((aligned(64))) char wide[256];
    memset(wide, n, sizeof wide);
    char *more = __builtin_alloca(n);
    memset(more, 1, n);
    return wide[n & 255] + more[0];
}
OWN int many(int a, int b, int c, int d, int e, int f, int g, int h) { return big(a + b + c + d + e + f + g + h); }
int main(int argc, char **argv) { return big(argc) + aligned(argc) + many(1, 2, 3, 4, 5, 6, 7, 8); }
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small program without frame pointers."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    folder = tmp_path_factory.mktemp("program")
    (folder / "p.c").write_text(SOURCE)
    subprocess.run(
        ["gcc", "-O2", "-g", "-fomit-frame-pointer", "-o", folder / "p", folder / "p.c"], check=True
    )
    return folder / "p"


def table_of(path: Path) -> UnwindTable:
    return read_unwind_table(ElfFile(path.read_bytes()))


def agree(table: UnwindTable, path: Path, functions: int) -> int:
    """Compare the rules of some functions, evenly taken; how many rules were compared."""
    compared = 0
    with path.open("rb") as file:
        entries = [e for e in OracleFile(file).get_dwarf_info().EH_CFI_entries() if isinstance(e, FDE)]
        for entry in entries[:: max(1, len(entries) // functions)]:
            end = entry["initial_location"] + entry["address_range"]
            for line in entry.get_decoded().table:
                if line["pc"] < end:
                    check(table.rule(line["pc"]), line)
                    compared += 1
    return compared


def check(rule: tuple[int, int, int], line: dict[object, object]) -> None:
    kind, offset, rbp = rule
    cfa, kept, back = line["cfa"], line.get(RBP), line.get(RETURN)
    if back is not None and back.type == "UNDEFINED":
        assert kind == END
    elif kind == SIGNAL:
        assert cfa.expr is not None
    elif cfa.expr is not None:
        assert kind in (PLT, CFA_AT_RBP, UNSUPPORTED)
    elif cfa.reg not in (RSP, RBP):
        assert kind == UNSUPPORTED
    else:
        assert (kind, offset) == ({RSP: CFA_RSP, RBP: CFA_RBP}[cfa.reg], cfa.offset), line
        if kept is None or kept.type in ("SAME_VALUE", "UNDEFINED"):
            assert rbp == 0
        elif kept.type == "OFFSET":
            assert rbp == -kept.arg // 8


def test_a_program(program: Path) -> None:
    assert agree(table_of(program), program, 1000) >= 15


@pytest.mark.parametrize("path", ["/bin/bash", "/lib/x86_64-linux-gnu/libc.so.6"])
def test_installed_files(path: str) -> None:
    if not Path(path).exists():
        pytest.skip(f"there is no {path} here")
    assert agree(table_of(Path(path)), Path(path), 400) > 1000


def test_rows_are_sorted_and_end_with_nothing(program: Path) -> None:
    rows = table_of(program).rows
    addresses = [row & 0xFFFFFFFF for row in rows]
    assert addresses == sorted(set(addresses))
    assert rows[-1] >> 56 == NOTHING
    assert all(first >> 32 != second >> 32 for first, second in pairwise(rows))


def test_before_and_behind_everything(program: Path) -> None:
    table = table_of(program)
    assert table.rule(0)[0] == NOTHING
    assert table.rule(table.base + (table.rows[-1] & 0xFFFFFFFF) + 1)[0] == NOTHING


def test_a_file_without_the_section(tmp_path: Path) -> None:
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0\x3e\0\x01" + bytes(43)
    assert len(read_unwind_table(ElfFile(header[:64])).rows) == 0


def test_hostile_sections_end_in_a_table_or_an_error(program: Path) -> None:
    data = bytearray(program.read_bytes())
    section = ElfFile(data).section(".eh_frame")
    assert section is not None
    choose = random.Random(1)
    outcomes = set()
    for _ in range(1500):
        changed = bytearray(data)
        for _ in range(choose.randint(1, 8)):
            changed[section.offset + choose.randrange(section.size)] = choose.randrange(256)
        try:
            outcomes.add(type(read_unwind_table(ElfFile(changed))))
        except ElfError:
            outcomes.add(ElfError)
    assert outcomes == {UnwindTable, ElfError}

"""Files, lines and inlined functions of compiled programs, beside what addr2line and llvm-symbolizer say of them;
damaged bytes end in DwarfError, soon.
"""

import contextlib
import random
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest
from damage import damaged

from kernscope.dwarf import (
    Dwarf,
    DwarfError,
    FunctionTable,
    SourceFrame,
    UnitIndex,
    UnitTable,
    read_function,
    read_unit,
)
from kernscope.dwarf.inlined import NO_SCOPE, Scopes, read_functions, read_scopes
from kernscope.dwarf.unit import Unit
from kernscope.elf import ElfFile

C_SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>
#include "deep.h"
static int plain(int a) { return a * 7 + 3; }
static inline __attribute__((always_inline)) int outer(int a) {
    int sum = 0;
    for (int i = 0; i < a; i++) sum += middle(i) ^ plain(sum);
    return sum;
}
__attribute__((noinline)) int work(int a) {
    int first = outer(a);
    if (first % 3 == 0) abort();
    return first + outer(a + 1);
}
int main(int count, char **arguments) { printf("%d\n", work(count) + middle(count)); return arguments[0] == 0; }
"""
C_HEADER = r"""
static inline __attribute__((always_inline)) int inner(int b) {
    __asm__ volatile("nop");
    return b * b + 1;
}
static inline __attribute__((always_inline)) int middle(int b) {
    int c = inner(b);
    return c + inner(c);
}
"""
CPP_SOURCE = r"""
#include <algorithm>
#include <map>
#include <string>
#include <vector>
namespace ns {
template <class T> struct Box { T value; T get() const { return value; } };
namespace { inline int hidden(int a) { return a * 3 + 1; } }
static inline int twice(int a) { auto times = [&](int b) { return b * a; }; return times(a) + hidden(a); }
}
struct Shape { virtual int area() const { return 1; } virtual ~Shape() {} };
struct Square : Shape { int side = 2; int area() const override { return side * side; } };
int main(int count, char **arguments) {
    std::map<std::string, std::vector<int>> found;
    for (int i = 0; i < count * 10; i++) found[arguments[0]].push_back(ns::twice(i));
    std::vector<int> all;
    for (auto &entry : found)
        for (int x : entry.second) all.push_back(ns::Box<int>{x}.get());
    std::sort(all.begin(), all.end(), [](int a, int b) { return a > b; });
    struct Local { int go(int z) const { return z * z; } } local;
    Square square; const Shape &shape = square;
    return local.go(all[0]) + shape.area();
}
"""

COMPILERS = [
    pytest.param(command, id=" ".join(command))
    for command in (
        ["gcc", "-O2", "-g"],
        ["gcc", "-O2", "-gdwarf-4", "-gz=zlib"],
        ["gcc", "-O1", "-gdwarf-3", "-gstrict-dwarf"],
        ["gcc", "-O0", "-gdwarf-2", "-gstrict-dwarf"],
        ["gcc", "-O2", "-g", "-flto", "-ffunction-sections", "-Wl,--gc-sections"],
        ["clang", "-O2", "-g"],
        ["clang", "-O2", "-gdwarf-4"],
        ["g++", "-O2", "-g"],
        ["g++", "-O2", "-gdwarf-4"],
        ["clang++", "-O2", "-g"],
    )
]
ADDRESSES = 1200


class Source:
    """A unit, all that is known of which is read when it is asked for."""

    def __init__(self, unit: Unit, code: tuple[int, int]) -> None:
        self.unit, self.code = unit, code
        self.table = read_unit(unit, code)
        self.functions: dict[int, FunctionTable] = {}

    def function(self, address: int) -> FunctionTable | None:
        offset = self.table.function_at(address)
        if offset >= 0 and offset not in self.functions:
            self.functions[offset] = read_function(self.unit, offset, self.code)
        return self.functions.get(offset)

    def lookup(self, address: int) -> list[SourceFrame]:
        return self.table.frames(address, self.function(address))


class Program:
    """A compiled program, and what we say of its code."""

    def __init__(self, path: Path) -> None:
        self.path, self.elf = path, ElfFile(path.read_bytes())
        segment = next(segment for segment in self.elf.segments if segment.executable)
        self.code = (segment.address, segment.address + segment.size)
        self.dwarf = Dwarf(self.elf.content)
        self.index = UnitIndex.read(self.dwarf, self.code)
        self.tables: dict[int, Source] = {}

    def table(self, unit: int) -> Source:
        if unit not in self.tables:
            self.tables[unit] = Source(self.dwarf.unit_starting(unit), self.code)
        return self.tables[unit]

    def lookup(self, address: int) -> list[SourceFrame]:
        for unit in self.index.units_at(address):
            found = self.table(unit).lookup(address)
            if found:
                return found
        return []

    def addresses(self) -> list[int]:
        """Spread over the code that some unit has."""
        first, end = self.code
        step = max(1, (end - first) // ADDRESSES)
        return [address for address in range(first, end, step) if self.index.units_at(address)]


def compiled(command: list[str], folder: Path) -> Program:
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]}")
    cpp = command[0].endswith("++")
    source = folder / ("t.cc" if cpp else "t.c")
    source.write_text(CPP_SOURCE if cpp else C_SOURCE)
    (folder / "deep.h").write_text(C_HEADER)
    done = subprocess.run(
        [*command, "-w", "-o", "t", source.name], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip((done.stderr or "it does not compile").splitlines()[0])
    return Program(folder / "t")


@pytest.fixture(scope="module", params=COMPILERS)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Program:
    return compiled(request.param, tmp_path_factory.mktemp("source"))


Told = list[tuple[str, str, str]]


def told_by(command: list[str], program: Program, addresses: list[int]) -> list[Told]:
    """(function, file's name, line) of each function at each address, the innermost first."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]}")
    text = "".join(f"{address:#x}\n" for address in addresses)
    done = subprocess.run([*command, program.path], input=text, capture_output=True, text=True, check=True)
    found: list[Told] = []
    lines = [line for line in done.stdout.splitlines() if line]
    while lines:
        line = lines.pop(0)
        if line.startswith("0x"):
            found.append([])
            continue
        file, _, number = lines.pop(0).partition(" (discriminator")[0].rpartition(":")
        if command[0] == "llvm-symbolizer":
            file, _, number = file.rpartition(":")  # it tells the column, too
        found[-1].append((line, file.rpartition("/")[2], number.replace("?", "0")))
    return found


def plain(name: str) -> str:
    """Without what compilers add to the names of changed copies, and which of an object's constructors it is."""
    name = name.partition(".")[0]
    for number in "1245":
        name = name.replace(f"C{number}E", "CxE").replace(f"D{number}E", "DxE")
    return name


def ours(program: Program, address: int) -> Told:
    return [
        (frame.name, frame.file.rpartition("/")[2] or "??", str(frame.line))
        for frame in reversed(program.lookup(address))
    ]


def _is(name: str, theirs: str) -> bool:
    """Names that no symbol has are told here with those of what they lie in."""
    return plain(name) == plain(theirs) or name.endswith(f"::{theirs}")


def test_as_llvm_symbolizer_says(program: Program) -> None:
    addresses = program.addresses()
    command = ["llvm-symbolizer", "--functions=linkage", "--no-demangle", "--inlines", "-a", "-e"]
    theirs = told_by(command, program, addresses)
    assert len(theirs) == len(addresses) > 100
    different = []
    for address, expected in zip(addresses, theirs, strict=True):
        found = ours(program, address)
        same = [entry[1:] for entry in found] == [entry[1:] for entry in expected]
        # The compiled function's name it takes from the symbol table, which has `.isra.0` and the like.
        same = same and all(_is(a[0], b[0]) for a, b in zip(found[:-1], expected[:-1], strict=True))
        if not same:
            different.append((hex(address), found, expected))
    assert not different, f"{len(different)} of {len(addresses)}: {different[:3]}"


def test_as_addr2line_says(program: Program) -> None:
    """Of C without link-time optimisation: of others, binutils 2.40 leaves out functions and files."""
    with_lto = any(unit.root.name == "<artificial>" for unit in program.dwarf.units)
    if not program.path.with_suffix(".c").exists() or with_lto:
        pytest.skip("only of C, and of what is compiled file by file")
    addresses = program.addresses()
    theirs = told_by(["addr2line", "-a", "-i", "-f", "-e"], program, addresses)
    different = [
        (hex(address), found, expected)
        for address, expected in zip(addresses, theirs, strict=True)
        if (found := ours(program, address)) != expected
        if found[-1][0]  # what fills the room between two functions belongs to none
    ]
    assert not different, f"{len(different)} of {len(addresses)}: {different[:3]}"


def test_a_chain_of_inlined_functions_is_told_from_the_compiled_one_on(program: Program) -> None:
    chains = {tuple(frame.name for frame in program.lookup(address)) for address in program.addresses()}
    if program.path.with_suffix(".c").exists():
        if "main" in {chain[0] for chain in chains} and any(len(chain) > 1 for chain in chains):
            assert ("work", "outer", "middle", "inner") in chains
    else:
        assert any(len(chain) > 3 for chain in chains)
        local = {name for chain in chains for name in chain if "go" in name and "Local" in name}
        assert local, "the function of a class in a function has the names of both"


def test_paths_are_whole(program: Program) -> None:
    """As the compiler found the files: its own folder stands before those that were given without one."""
    files = {frame.file for address in program.addresses() for frame in program.lookup(address)} - {""}
    assert files and all(file.startswith("/") for file in files)
    assert any(Path(file).parent.samefile(program.path.parent) for file in files)


def test_what_is_kept_says_the_same(program: Program) -> None:
    index = UnitIndex.unpacked(program.index.packed())
    assert index is not None and len(index) == len(program.index)
    for address in program.addresses()[::7]:
        assert index.units_at(address) == program.index.units_at(address)
        for unit in index.units_at(address):
            table, function = program.table(unit).table, program.table(unit).function(address)
            again = UnitTable.unpacked(table.packed())
            assert again is not None and again.function_at(address) == table.function_at(address)
            function_again = FunctionTable.unpacked(function.packed()) if function is not None else None
            assert (function is None) == (function_again is None)
            assert repr(again.frames(address, function_again)) == repr(table.frames(address, function))


def test_what_was_kept_and_cut_off_is_not_used(program: Program) -> None:
    packed = program.table(program.index.units_at(program.addresses()[0])[0]).table.packed()
    assert UnitTable.unpacked(packed[:20]) is None
    assert UnitTable.unpacked(packed[: len(packed) // 3]) is None
    assert UnitTable.unpacked(b"") is None and FunctionTable.unpacked(b"1234") is None
    assert UnitIndex.unpacked(b"123") is None


NAMES = (
    ".debug_info", ".debug_abbrev", ".debug_line", ".debug_str", ".debug_line_str", ".debug_str_offsets",
    ".debug_addr", ".debug_ranges", ".debug_rnglists", ".debug_aranges",
)  # fmt: skip


def use(sections: dict[str, memoryview], code: tuple[int, int]) -> None:
    """All that is asked of a file."""
    dwarf = Dwarf(lambda name: sections.get(name, memoryview(b"")))
    with contextlib.suppress(DwarfError):
        UnitIndex.read(dwarf, code)
    for unit in dwarf.units:
        with contextlib.suppress(DwarfError):
            table = Source(unit, code)
            for address in (0, *range(*code, 997), (1 << 64) - 1):
                with contextlib.suppress(DwarfError):
                    table.lookup(address)


def test_damaged_bytes_end_in_an_error_or_in_less(program: Program) -> None:
    """No other exception, and no loop that does not end: changed bytes, a cut, a piece of 0xff or of zeros."""
    chance = random.Random(7)
    whole = {name: bytes(program.elf.content(name)) for name in NAMES}
    rounds, started = 60, time.process_time()
    for _ in range(rounds):
        sections = {name: memoryview(content) for name, content in whole.items()}
        names = [
            n for n in (".debug_line", ".debug_line", ".debug_info", ".debug_abbrev", *NAMES) if whole[n]
        ]
        for name in {chance.choice(names) for _ in range(2)}:
            sections[name] = memoryview(damaged(whole[name], chance))
        with contextlib.suppress(DwarfError):
            use(sections, program.code)
        if time.process_time() - started > 5:
            break  # a large program: what was tried will do


# --- made by hand -----------------------------------------------------------------------------------------


def _leb(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _made(tables: bytes, program: bytes, version: int = 4, range_: int = 14, base: int = 13) -> bytes:
    """`.debug_line` with one program."""
    lengths = bytes([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1])[: base - 1]
    after = bytes([1, *([1] if version >= 4 else []), 1, 0xFB, range_, base]) + lengths + tables
    head = struct.pack("<H", version) + (b"\x08\0" if version >= 5 else b"")
    body = head + struct.pack("<I", len(after)) + after + program
    return struct.pack("<I", len(body)) + body


ONE_FILE = b"/src\0\0a.c\0\x01\0\0\0"
SET = b"\0\x09\x02" + struct.pack("<Q", 0x1000)
END = b"\0\x01\x01"


def _with_lines(lines: bytes, code: tuple[int, int] = (0x1000, 0x9000)) -> Source:
    """The table of a unit of version 4 that has nothing but these lines."""
    abbreviations = b"\x01\x11\0\x10\x17\x1b\x08\0\0\0"
    content = b"\x01" + struct.pack("<I", 0) + b"/run\0"
    body = struct.pack("<HIB", 4, 0, 8) + content
    sections = {
        ".debug_info": struct.pack("<I", len(body)) + body,
        ".debug_abbrev": abbreviations,
        ".debug_line": lines,
    }
    dwarf = Dwarf(lambda name: memoryview(sections.get(name, b"")))
    return Source(dwarf.units[0], code)


def _places(table: Source, *addresses: int) -> list[tuple[str, int]]:
    found = [table.lookup(address) for address in addresses]
    return [(frames[0].file, frames[0].line) if frames else ("", 0) for frames in found]


def test_every_opcode() -> None:
    """Addresses and lines as section 6.2.5 of the standard has them: base -5, range 14, first special opcode 13."""
    program = (
        SET
        + b"\x03\x09\x01"  # advance_line 9, copy: 0x1000 line 10
        + bytes([13 + 5 + 1 + 14 * 4])  # special: 4 on, a line on: 0x1004 line 11
        + b"\x08\x01"  # const_add_pc: (255 - 13) // 14 = 17 on; a row of the same line: 0x1015
        + b"\x02\x0b\x03\x7d\x01"  # advance_pc 11, advance_line -3: 0x1020 line 8
        + b"\x09\x10\0\x05\x07\x06\x07\x0a\x0b\x0c\x03"  # fixed_advance_pc 16, what only concerns columns and the like
        + b"\0\x02\x04\x05"  # discriminator
        + b"\0\x03\x80ab"  # an opcode of a vendor
        + b"\x04\x02\x03\x05\x01"  # set_file 2, advance_line 5: 0x1030 line 13
        + b"\x03\x7f\x02\x10\x01"  # 0x1040 line 12
        + b"\x02\x10"
        + END
    )
    table = _with_lines(_made(b"/src\0sub\0\0a.c\0\x01\0\0b.c\0\x02\0\0\0", program))
    found = _places(
        table, 0xFFF, 0x1000, 0x1003, 0x1004, 0x101F, 0x1020, 0x102F, 0x1030, 0x103F, 0x1040, 0x104F, 0x1050
    )
    a, b = "/src/a.c", "/run/sub/b.c"
    assert found == [
        ("", 0), (a, 10), (a, 10), (a, 11), (a, 11), (a, 8), (a, 8), (b, 13), (b, 13), (b, 12), (b, 12), ("", 0),
    ]  # fmt: skip


def test_functions_that_a_linker_threw_away_are_left_out() -> None:
    gone = b"\0\x09\x02" + bytes(8) + b"\x03\x63\x01" + b"\x02\x80\x40" + END  # at 0, up to 0x2000
    table = _with_lines(_made(ONE_FILE, gone + SET + b"\x01\x02\x10" + END + gone))
    assert _places(table, 0x1000, 0x1010) == [("/src/a.c", 1), ("", 0)]


def test_sequences_in_any_order_and_rows_that_go_back() -> None:
    late = b"\0\x09\x02" + struct.pack("<Q", 0x2000) + b"\x03\x04\x01\x02\x08" + END
    back = (
        SET
        + b"\x01"
        + b"\x02\x10\x03\x01\x01"
        + SET.replace(b"\0\x10", b"\x08\x10", 1)
        + b"\x03\x05\x01\x02\x20"
        + END
    )
    table = _with_lines(_made(ONE_FILE, late + back))
    assert _places(table, 0x1000, 0x1008, 0x1010, 0x2000, 0x2008) == [
        ("/src/a.c", 1), ("/src/a.c", 7), ("/src/a.c", 2), ("/src/a.c", 5), ("", 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (_made(ONE_FILE, b"", range_=0), "makes no sense"),
        (_made(ONE_FILE, b"", version=6), "version 6"),
        (_made(ONE_FILE, SET)[:-4], "cut off"),
        (_made(ONE_FILE, b"\x02" + b"\xff" * 40), "cut off"),
        (_made(b"\x01\x01\x1d\x01" + bytes(4) + b"\x01\x01\x1d\x02" + bytes(8), SET + b"\x01" + END, 5), "strp_sup"),
        (_made(b"\0" + _leb(1 << 40), b"", 5), "without content"),
        (_made(b"\x01\x01\x19" + _leb(1 << 40), b"", 5), "too many files"),
        (_made(b"\x01\x01\x77\x01", b"", 5), "unknown form"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(lines: bytes, words: str) -> None:
    with pytest.raises(DwarfError, match=words):
        _with_lines(lines)


def test_a_list_of_ranges_that_is_used_again_and_again() -> None:
    """100,000 entries that share one list of 60,000 ranges: more than any program has."""
    abbreviations = b"\x01\x11\x01\0\0" + b"\x02\x2e\0\x55\x17\0\0\0"
    content = b"\x01" + (b"\x02" + bytes(4)) * 100_000 + b"\0"
    body = struct.pack("<HIB", 4, 0, 8) + content
    ranges = b"".join(struct.pack("<QQ", 0x100000, 0x100010) for _ in range(60_000)) + bytes(16)
    sections = {
        ".debug_info": struct.pack("<I", len(body)) + body,
        ".debug_abbrev": abbreviations,
        ".debug_ranges": ranges,
    }
    started = time.process_time()
    unit = Dwarf(lambda name: memoryview(sections.get(name, b""))).units[0]
    with pytest.raises(DwarfError, match="more ranges"):
        read_functions(unit, (0x1000, 0x2000))
    assert time.process_time() - started < 20


def _pieces(scopes: Scopes) -> list[tuple[int, int]]:
    return [(at, -1 if s == NO_SCOPE else s) for at, s in zip(scopes.starts, scopes.pieces, strict=True)]


def test_what_is_said_to_reach_beyond_what_it_lies_in_ends_with_it() -> None:
    """A function at 0x1000 of 0x20 bytes, with one inlined at 0x1010 of 0x100, and in that one at 0x1018 of 4."""
    abbreviations = b"\x01\x11\x01\0\0" + b"".join(
        bytes([code, tag, 1, 3, 8, 0x11, 1, 0x12, 7, 0, 0]) for code, tag in ((2, 0x2E), (3, 0x1D))
    ) + b"\0"  # fmt: skip
    content = (
        b"\x01" + b"\x02f\0" + struct.pack("<QQ", 0x1000, 0x20) + b"\x03g\0" + struct.pack("<QQ", 0x1010, 0x100)
        + b"\x03h\0" + struct.pack("<QQ", 0x1018, 4) + b"\0\0\0\0"
    )  # fmt: skip
    body = struct.pack("<HIB", 4, 0, 8) + content
    sections = {".debug_info": struct.pack("<I", len(body)) + body, ".debug_abbrev": abbreviations}
    unit = Dwarf(lambda name: memoryview(sections.get(name, b""))).units[0]
    scopes = read_scopes(unit, 12, (0x1000, 0x9000))
    assert scopes.names == ["f", "f::g", "f::h"] and list(scopes.parents) == [NO_SCOPE, 0, 1]
    assert _pieces(scopes) == [(0x1000, 0), (0x1010, 1), (0x1018, 2), (0x101C, 1), (0x1020, -1)]


def test_names_in_a_supplementary_file() -> None:
    """As `dwz -m` leaves them: an inlined function whose entry, and a name whose bytes, lie in another file."""
    other_unit = struct.pack("<HIB", 4, 0, 8) + b"\x01\x02" + struct.pack("<I", 4) + b"\0"
    other = {
        ".debug_info": struct.pack("<I", len(other_unit)) + other_unit,
        ".debug_abbrev": b"\x01\x3c\x01\0\0" + b"\x02\x2e\0\x03\x0e\0\0\0",
        ".debug_str": b"xyz\0shared\0other\0",
    }
    entry = 12  # behind the head of the unit, and the entry of the unit itself
    abbreviations = (
        b"\x01\x11\x01\0\0"
        + b"\x02\x2e\x01\x03\xa1\x3e\x11\x01\x12\x07\0\0"  # name: DW_FORM_GNU_strp_alt
        + b"\x03\x1d\0\x31\xa0\x3e\x11\x01\x12\x07\0\0\0"  # origin: DW_FORM_GNU_ref_alt
    )
    content = (
        b"\x01\x02" + struct.pack("<IQQ", 11, 0x1000, 0x20)
        + b"\x03" + struct.pack("<IQQ", entry, 0x1008, 8) + b"\0\0"
    )  # fmt: skip
    body = struct.pack("<HIB", 4, 0, 8) + content
    sections = {".debug_info": struct.pack("<I", len(body)) + body, ".debug_abbrev": abbreviations}

    def names(supplementary: Dwarf | None) -> list[str]:
        dwarf = Dwarf(lambda name: memoryview(sections.get(name, b"")), supplementary)
        return read_scopes(dwarf.units[0], 12, (0x1000, 0x9000)).names

    assert names(Dwarf(lambda name: memoryview(other.get(name, b"")))) == ["other", "shared"]
    assert names(None) == ["", ""]


def test_functions_that_never_end() -> None:
    """Each lies in the one before, so that all of them together would be read as often as there are functions."""
    abbreviations = b"\x01\x11\x01\0\0" + b"\x02\x2e\x01\x11\x01\x12\x07\0\0\0"
    entries = b"".join(b"\x02" + struct.pack("<QQ", 0x1000 + 16 * i, 16) for i in range(2000))
    body = struct.pack("<HIB", 4, 0, 8) + b"\x01" + entries
    sections = {".debug_info": struct.pack("<I", len(body)) + body, ".debug_abbrev": abbreviations}
    unit = Dwarf(lambda name: memoryview(sections.get(name, b""))).units[0]
    code, started = (0x1000, 0x90000), time.process_time()
    functions = read_functions(unit, code)
    offsets = list(functions.offsets)[:-1]
    assert offsets
    with pytest.raises(DwarfError, match="in each other"):
        for _ in range(60):
            for offset in offsets:
                read_scopes(unit, offset, code)
    assert time.process_time() - started < 20

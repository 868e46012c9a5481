"""Files that processes have mapped may hold anything: what is read of them ends in a name, or none, soon."""

import lzma
import random
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

from kernscope.elf import ElfError, ElfFile
from kernscope.elf.eh_frame import read_unwind_table
from kernscope.elf.function_parts import other_parts
from kernscope.symbols.files import MappedFile

SOURCE = """
#include <stdlib.h>
__attribute__((noinline)) static int hidden(int a) { __asm__(""); return a ? hidden(a - 1) + 1 : 0; }
static int by(const void *a, const void *b) { return *(int *)a - *(int *)b; }
int main(int count, char **arguments) {
    int n[] = {3, 1, 2}; (void)arguments; qsort(n, 3, sizeof *n, by); return hidden(count + n[0]);
}
"""

needs_gcc = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("objcopy")), reason="needs gcc and objcopy"
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """With all symbols, and with packed ones."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "p.c").write_text(SOURCE)
    subprocess.run(["gcc", "-O1", "-o", folder / "p", folder / "p.c"], check=True)
    (folder / "packed").write_bytes(lzma.compress((folder / "p").read_bytes()))
    add = ["--strip-all", f"--add-section=.gnu_debugdata={folder / 'packed'}"]
    subprocess.run(["objcopy", *add, folder / "p", folder / "q"], check=True)
    return [(folder / "p").read_bytes(), (folder / "q").read_bytes()]


def use(data: bytes) -> None:
    """Everything that is asked of a mapped file."""
    file = MappedFile(data, "/nowhere/program")
    elf = file.elf
    if elf is None:
        return
    for address in (0, 0x1000, 0x1139, 0x1180, 0x2000, 1 << 40, (1 << 64) - 1):
        file.lookup(address)
        file.start_of(address)
        try:
            other_parts(elf, address, address + 200)
        except ElfError:
            continue
    file.separate_functions("hidden")
    for read in (lambda: read_unwind_table(elf), lambda: elf.functions().named("hidden")):
        try:
            read()
        except ElfError:
            continue


@needs_gcc
@pytest.mark.parametrize("seed", range(4))
def test_damaged_files(files: list[bytes], seed: int) -> None:
    choose, began = random.Random(seed), time.process_time()
    for whole in files:
        elf = ElfFile(whole)
        places = [
            elf.section(name)
            for name in (".eh_frame", ".eh_frame_hdr", ".gnu_debugdata", ".symtab", ".dynsym")
        ]
        spots = [(place.offset, place.size) for place in places if place is not None]
        spots += [(0, 64), (64, 56 * 10), (len(whole) - 64 * 32, 64 * 32)]
        for _ in range(150):
            damaged = bytearray(whole)
            start, size = choose.choice(spots)
            for _ in range(choose.choice([1, 1, 2, 8, 40])):
                damaged[start + choose.randrange(size)] = choose.choice(
                    [0, 1, 0x7F, 0x80, 0xFF, choose.randrange(256)]
                )
            use(bytes(damaged[: choose.choice([len(damaged)] * 9 + [choose.randrange(len(damaged))])]))
    assert time.process_time() - began < 60


def _with_section(name: bytes, content: bytes) -> bytes:
    """A file that has one section of content."""
    names = b"\0" + name + b"\0.shstrtab\0"
    headers = bytes(64)
    for at, place, size in ((1, 64, len(content)), (len(name) + 2, 64 + len(content), len(names))):
        headers += struct.pack("<IIQQQQIIQQ", at, 1, 0, 0x1000, place, size, 0, 0, 1, 0)
    table = 64 + len(content) + len(names)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, 0, table, 0, 64, 56, 0, 64, 3, 2
    )
    return header + content + names + headers


def _entry(body: bytes) -> bytes:
    return struct.pack("<I", len(body)) + body


def test_rules_that_are_repeated_for_every_function() -> None:
    common = _entry(bytes(4) + b"\1\0" + b"\1\x78\x10" + b"\x41" * 100_000)
    functions = b""
    for number in range(2000):
        at = len(common) + len(functions) + 4
        functions += _entry(struct.pack("<IQQ", at, 0x1000 + 0x100 * number, 0x100))
    began = time.process_time()
    table = read_unwind_table(ElfFile(_with_section(b".eh_frame", common + functions + bytes(4))))
    assert not table.rows
    assert time.process_time() - began < 30


def test_a_function_of_millions_of_rules() -> None:
    common = _entry(bytes(4) + b"\1\0" + b"\1\x78\x10")
    function = _entry(struct.pack("<IQQ", len(common) + 4, 0x1000, 1 << 30) + b"\x41" * 1_500_000)
    table = read_unwind_table(ElfFile(_with_section(b".eh_frame", common + function + bytes(4))))
    assert len(table.rows) < 1 << 21


def test_packed_symbols_that_grow_without_end() -> None:
    bomb = lzma.compress(bytes((1 << 26) + 4096), preset=0)
    file = MappedFile(_with_section(b".gnu_debugdata", bomb), "/nowhere/program")
    assert file.lookup(0x1000) is None


def test_a_file_that_claims_to_be_huge(tmp_path: Path) -> None:
    """Sparse, and with a section as large as itself."""
    from kernscope.kernel.mappings import FileContent

    path = tmp_path / "huge"
    header = bytearray(_with_section(b".eh_frame", b"x" * 64))
    place = header.index(struct.pack("<QQ", 64, 64))
    header[place : place + 16] = struct.pack("<QQ", 64, 1 << 39)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(1 << 40)
    mapped = MappedFile(FileContent(str(path)), str(path))
    assert mapped.elf is not None
    with pytest.raises(OSError):
        read_unwind_table(mapped.elf)

"""What programs are told of files, with maps that are dicts."""

import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kernscope.elf import ElfFile
from kernscope.elf.eh_frame import read_unwind_table
from kernscope.kernel.errors import KernelError
from kernscope.runtime import unwind_tables
from kernscope.runtime.unwind_tables import UnwindTables, key_of
from kernscope.symbols.files import MappedFile, MappedFiles
from kernscope.tables.unwinding import FILE_BYTES, FILES_MAP, MOST_WORDS, ROWS_MAP, TOLD_MAP, VDSO_KEY

SELF = os.path.realpath("/proc/self/exe")


class Map:
    """A hash; `most` entries find room."""

    def __init__(self, most: int = 1000) -> None:
        self.content: dict[bytes, bytes] = {}
        self.most, self.cleared = most, 0

    def update(self, key: bytes, value: bytes) -> None:
        if key not in self.content and len(self.content) >= self.most:
            raise KernelError(7, "bpf", "update")
        self.content[key] = value

    def clear(self) -> None:
        self.content.clear()
        self.cleared += 1


class Rows:
    def __init__(self) -> None:
        self.bytes = bytearray(8 * MOST_WORDS)

    def mmap(self) -> memoryview:
        return memoryview(self.bytes)


def made(most: int = 1000) -> tuple[UnwindTables, dict[str, Any]]:
    maps: dict[str, Any] = {FILES_MAP: Map(most), TOLD_MAP: Map(), ROWS_MAP: Rows()}
    return UnwindTables(maps), maps


def value_of(maps: dict[str, Any], key: tuple[int, ...]) -> bytes:
    value = maps[FILES_MAP].content[struct.pack("=QQQ", *key)]
    assert isinstance(value, bytes) and len(value) == FILE_BYTES
    return value


def opened(path: str) -> MappedFile:
    file = MappedFiles().open(path)
    assert file is not None
    return file


def test_a_key_is_what_the_kernel_calls_the_file() -> None:
    status = os.stat(SELF)
    device = os.major(status.st_dev) << 20 | os.minor(status.st_dev)
    version = status.st_size ^ (int(status.st_mtime) << 32)
    assert key_of(opened(SELF)) == (device, status.st_ino, version)
    assert key_of(MappedFile(b"", "[vdso]")) == VDSO_KEY


def test_a_table_is_where_its_entry_says() -> None:
    tables, maps = made()
    file = opened(SELF)
    elf = file.elf
    assert elf is not None
    tables.want((1, 2, 3), file)
    tables.want((4, 5, 6), file)  # the same by another name
    tables.want((7, 8, 9), MappedFile(b"no ELF", "/x"))
    assert tables.finish(60)
    assert tables.file((1, 2, 3)) is file and tables.file((3, 2, 1)) is None
    value = value_of(maps, (1, 2, 3))
    assert value == value_of(maps, (4, 5, 6)) and value_of(maps, (7, 8, 9)) == bytes(FILE_BYTES)
    assert value_of(maps, (0, 0, 0)) == bytes(FILE_BYTES)
    first, blocks = struct.unpack_from("=II", value)
    expected = read_unwind_table(elf)
    rows = expected.rows
    entry = struct.unpack_from("=I", maps[ROWS_MAP].bytes, 8 * first)[0]
    start = 8 * (first + entry)
    assert maps[ROWS_MAP].bytes[start : start + 8 * len(rows)] == rows.tobytes()
    assert blocks == ((rows[-1] & 0xFFFFFFFF) >> 8) + 1
    for segment in elf.segments:
        if segment.executable:
            end, shift = struct.unpack_from("=Qq", value, 8)
            assert (end, shift) == (
                segment.offset + segment.size,
                segment.address - segment.offset - expected.base,
            )
            break
    tables.close()


def test_without_room_everything_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unwind_tables, "ROOM_SECONDS", 0.0)
    tables, maps = made(most=2)
    tables.want((1, 1, 1), MappedFile(b"a", "/a"))
    tables.want((2, 2, 2), MappedFile(b"b", "/b"))
    assert tables.finish(60)
    assert tables.full == {"files"} and maps[TOLD_MAP].cleared == 1
    assert tables.file((1, 1, 1)) is None and tables.file((2, 2, 2)) is None
    assert list(maps[FILES_MAP].content) == [bytes(24)]
    tables.want((2, 2, 2), MappedFile(b"b", "/b"))
    assert tables.finish(60)
    assert value_of(maps, (2, 2, 2)) == bytes(FILE_BYTES)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_code_in_two_parts_of_a_file(tmp_path: Path) -> None:
    """A second executable segment, whose addresses are elsewhere than its offset says."""
    (tmp_path / "p.c").write_text(
        '__attribute__((section(".far"))) int far(int n) { return n; } int main(void) { return far(0); }\n'
    )
    command = [
        "gcc",
        "-no-pie",
        "-Wl,--section-start=.far=0x10000000",
        "-o",
        tmp_path / "p",
        tmp_path / "p.c",
    ]
    subprocess.run(command, check=True)
    elf = ElfFile((tmp_path / "p").read_bytes())
    parts = [s for s in elf.segments if s.executable]
    assert len(parts) == 2
    tables, maps = made()
    tables.want((1, 1, 1), opened(str(tmp_path / "p")))
    assert tables.finish(60)
    base = read_unwind_table(elf).base
    found = struct.unpack_from("=QqQqQqQq", value_of(maps, (1, 1, 1)), 8)
    wanted = [n for s in parts for n in (s.offset + s.size, s.address - s.offset - base)]
    assert list(found) == wanted + 2 * wanted[2:]

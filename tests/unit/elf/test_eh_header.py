"""Where functions begin, by .eh_frame_hdr, beside the symbols of a file that is not stripped."""

import shutil
import subprocess
from pathlib import Path

import pytest

from kernscope.elf import ElfFile
from kernscope.elf.eh_header import FunctionStarts

SOURCE = """
__attribute__((noinline)) int one(int n) { return n * 3; }
__attribute__((noinline)) int two(int n) { return one(n) + one(n + 1); }
int main(int argc, char **argv) { return two(argc); }
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_a_stripped_program(tmp_path: Path) -> None:
    (tmp_path / "p.c").write_text(SOURCE)
    subprocess.run(["gcc", "-O1", "-o", tmp_path / "p", tmp_path / "p.c"], check=True)
    functions = ElfFile((tmp_path / "p").read_bytes()).functions()
    subprocess.run(["strip", tmp_path / "p"], check=True)
    stripped = ElfFile((tmp_path / "p").read_bytes())
    starts = FunctionStarts(stripped)
    assert not stripped.functions().named("one")
    for name in ("one", "two", "main"):
        (function,) = functions.named(name)
        assert starts.start_of(function.address) == function.address
        assert starts.start_of(function.address + function.size - 1) == function.address


def test_a_file_without_the_table() -> None:
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0\x3e\0\x01" + bytes(43)
    starts = FunctionStarts(ElfFile(header))
    assert len(starts) == 0 and starts.start_of(5) is None

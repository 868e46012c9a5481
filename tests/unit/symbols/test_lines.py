"""Lines of mapped files: wherever their debug information lies, from the cache, and of files that may hold anything."""

import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernscope.elf import ElfFile
from kernscope.kernel.mappings import FileContent
from kernscope.symbols import UserSymbols, lines
from kernscope.symbols.debug_files import supplementary_file
from kernscope.symbols.files import MappedFile
from kernscope.symbols.lines import NO_DEBUG_INFORMATION, SourceLines

pytestmark = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("objcopy")), reason="needs gcc and objcopy"
)

SOURCE = """
#include <stdio.h>
static inline __attribute__((always_inline)) int square(int a) { __asm__("nop"); return a * a; }

__attribute__((noinline)) int work(int a) {
    return square(a) + 1;
}
int main(void) { printf("%lx\\n", (unsigned long)work); fflush(stdout); getchar(); return work(3); }
"""

Told = list[tuple[str, str, int]]
EXPECTED = {
    (("work", "p.c", 6), ("square", "p.c", 3)),
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program")
    (folder / "p.c").write_text(SOURCE)
    subprocess.run(["gcc", "-O1", "-g", "-o", folder / "p", folder / "p.c"], check=True)
    return folder / "p"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own for each test, and nothing in memory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(lines, "_kept", lines._Kept())
    yield tmp_path / "cache" / "kernscope"


def told(path: Path) -> set[tuple[tuple[str, str, int], ...]]:
    """All chains of `work`, by a new reader of the file."""
    file = MappedFile(FileContent(str(path)), str(path))
    assert file.elf is not None
    symbols = ElfFile((path.parent / "p").read_bytes() if (path.parent / "p").exists() else path.read_bytes())
    start, size = symbols.symbols().find("work") or (0, 0)
    found = [file.source(address)[0] for address in range(start, start + size)]
    return {tuple((f.name, f.file.rpartition("/")[2], f.line) for f in frames) for frames in found}


def test_its_own(program: Path) -> None:
    assert told(program) >= EXPECTED


def test_compressed(program: Path, tmp_path: Path) -> None:
    shutil.copy(program, tmp_path / "p")
    packed = tmp_path / "packed"
    subprocess.run(["objcopy", "--compress-debug-sections=zlib", program, packed], check=True)
    assert told(packed) >= EXPECTED


def test_in_a_file_beside_it(program: Path, tmp_path: Path) -> None:
    shutil.copy(program, tmp_path / "p")
    subprocess.run(["objcopy", "--only-keep-debug", program, tmp_path / "p.debug"], check=True)
    link = f"--add-gnu-debuglink={tmp_path / 'p.debug'}"
    subprocess.run(["objcopy", "--strip-all", link, program, tmp_path / "stripped"], check=True)
    assert told(tmp_path / "stripped") >= EXPECTED
    (tmp_path / "p.debug").unlink()
    assert told(tmp_path / "stripped") >= EXPECTED, "what the cache has needs no file"


def test_by_its_build_id_where_the_process_has_its_files(program: Path, tmp_path: Path) -> None:
    build_id = ElfFile(program.read_bytes()).build_id()
    place = tmp_path / f"usr/lib/debug/.build-id/{build_id[:2]}"
    place.mkdir(parents=True)
    subprocess.run(["objcopy", "--only-keep-debug", program, place / f"{build_id[2:]}.debug"], check=True)
    subprocess.run(["objcopy", "--strip-all", program, tmp_path / "bare"], check=True)
    elf = ElfFile((tmp_path / "bare").read_bytes())
    start, _ = ElfFile(program.read_bytes()).symbols().find("work") or (0, 0)
    found = SourceLines(elf, "/app/bare", build_id, root=str(tmp_path))
    assert found.lookup(start)[0].name == "work" and not found.problem


def test_what_several_files_share(program: Path, tmp_path: Path) -> None:
    """The file that `.gnu_debugaltlink` names, beside the one that names it or by its build id, if it is that one."""
    build_id = bytes.fromhex(ElfFile(program.read_bytes()).build_id())
    (tmp_path / "link").write_bytes(b"../shared\0" + build_id)
    add = f"--add-section=.gnu_debugaltlink={tmp_path / 'link'}"
    (tmp_path / "folder").mkdir()
    user = tmp_path / "folder" / "user"
    subprocess.run(["objcopy", add, program, user], check=True)
    elf = ElfFile(user.read_bytes())
    assert supplementary_file(elf, str(user), FileContent) is None
    shutil.copy(program, tmp_path / "shared")
    found = supplementary_file(elf, str(user), FileContent)
    assert found is not None and found.build_id() == build_id.hex()
    assert supplementary_file(elf, "/folder/user", FileContent, str(tmp_path)) is not None
    (tmp_path / "shared").write_bytes(program.read_bytes().replace(build_id, bytes(len(build_id))))
    assert supplementary_file(elf, str(user), FileContent) is None
    assert supplementary_file(ElfFile(program.read_bytes()), str(program), FileContent) is None


def test_there_is_none(program: Path, tmp_path: Path) -> None:
    shutil.copy(program, tmp_path / "p")
    subprocess.run(["objcopy", "--strip-debug", program, tmp_path / "bare"], check=True)
    file = MappedFile(FileContent(str(tmp_path / "bare")), "/app/bare")
    assert file.source(0x1139) == ([], NO_DEBUG_INFORMATION)
    assert MappedFile(b"no ELF file", "/app/text").source(0x1139) == ([], "")


def test_what_an_earlier_run_has_read_is_not_read_again(
    program: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = told(program)
    assert [path.name.startswith("lines-") for path in cache.iterdir()] == [True]

    def refuse(*_: object) -> None:
        raise AssertionError("debug information was read")

    monkeypatch.setattr(lines, "Dwarf", refuse)
    monkeypatch.setattr(lines, "_kept", lines._Kept())
    assert told(program) == before


def test_a_damaged_cache_is_not_trusted(program: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = told(program)
    (path,) = cache.iterdir()
    whole, chance = path.read_bytes(), random.Random(3)
    for _ in range(40):
        content = bytearray(whole)
        for _ in range(4):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(bytes(content[: chance.choice((len(content), chance.randrange(len(content))))]))
        monkeypatch.setattr(lines, "_kept", lines._Kept())
        assert told(program) == before


def test_tables_in_memory_are_bounded(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_TABLE_BYTES", 1)
    for _ in range(5):
        assert told(program) >= EXPECTED
    assert len(lines._kept.tables) == 1 and lines._kept.bytes == next(iter(lines._kept.tables.values())).size
    assert len(lines._kept.open) <= lines.MOST_OPEN
    lines.close_debug_information()
    assert not lines._kept.open and told(program) >= EXPECTED


def test_of_a_process_that_has_ended(program: Path) -> None:
    symbols = UserSymbols(demangled=True)
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None and child.stdout is not None
        address = int(child.stdout.readline(), 16)
        symbols.remember(child.pid)
        child.stdin.close()
    frames, problem = symbols.source(child.pid, address)
    assert [frame.name for frame in frames][:1] == ["work"] and not problem
    assert symbols.source(child.pid, 0x10) == ([], "")
    symbols.release_source()


def test_damaged_files(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every part of the file may be anything: headers, names of sections, debug information."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/none")
    whole, chance, started = program.read_bytes(), random.Random(11), time.process_time()
    start, _ = ElfFile(whole).symbols().find("work") or (0, 0)
    for round_ in range(400):
        content = bytearray(whole)
        at = chance.randrange(len(content)) if round_ % 2 else chance.choice((0, len(content) - 2500))
        for _ in range(chance.randrange(1, 30)):
            content[min(len(content) - 1, at + chance.randrange(2500))] = chance.randrange(256)
        file = MappedFile(bytes(content[: chance.choice((len(content), at))]), "/nowhere/p")
        for address in (0, start, start + 3, (1 << 64) - 1):
            file.source(address)
    assert time.process_time() - started < 60

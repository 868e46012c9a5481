"""Names of functions of running programs: wherever their symbols lie, and whatever becomes of file and process."""

import lzma
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kernscope.kernel.mappings import FileContent, read_mappings
from kernscope.symbols import UserSymbols
from kernscope.symbols.files import MappedFiles
from kernscope.symbols.perf_map import PerfMap

needs_gcc = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("objcopy")), reason="needs gcc and objcopy"
)

SOURCE = """
#include <stdio.h>
#include <unistd.h>
__attribute__((noinline)) static int hidden(int a) { __asm__(""); return a; }
int main(int count, char **arguments) {
    printf("%lx\\n", (unsigned long)hidden); fflush(stdout);
    getchar();
    if (arguments[1]) execv(arguments[1], arguments + 1);
    return hidden(0);
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program")
    (folder / "p.c").write_text(SOURCE)
    subprocess.run(["gcc", "-O1", "-o", folder / "p", folder / "p.c"], check=True)
    return folder / "p"


@contextmanager
def running(path: Path, *arguments: str) -> Iterator[tuple[int, int, Callable[[], int]]]:
    """(pid, address of `hidden`, what lets it go on until it ends or says another address)"""
    with subprocess.Popen(
        [path, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as child:
        assert child.stdin is not None and child.stdout is not None

        def go_on() -> int:
            assert child.stdin is not None and child.stdout is not None
            child.stdin.write("\n")
            line = child.stdout.readline()
            if not line:
                child.wait()
            return int(line or "0", 16)

        yield child.pid, int(child.stdout.readline(), 16), go_on
        child.stdin.close()


def name_at(symbols: UserSymbols, pid: int, address: int) -> str:
    found = symbols.lookup(pid, address + 1)
    return "" if found is None else found.name


def stripped(program: Path, path: Path, *options: str) -> Path:
    subprocess.run(["objcopy", "--strip-all", *options, program, path], check=True)
    return path


@needs_gcc
def test_in_a_file_beside_it(program: Path, tmp_path: Path) -> None:
    symbols = tmp_path / "p.debug"
    subprocess.run(["objcopy", "--only-keep-debug", program, symbols], check=True)
    linked = stripped(program, tmp_path / "linked", f"--add-gnu-debuglink={symbols}")
    with running(linked) as (pid, address, _):
        assert name_at(UserSymbols(), pid, address) == "hidden"
    bare = stripped(program, tmp_path / "bare")
    with running(bare) as (pid, address, _):
        found = UserSymbols().lookup(pid, address + 1)
        assert found is not None and not found.name
        assert found.start == found.file_address - 1  # `.eh_frame_hdr` says where it begins


@needs_gcc
def test_a_debug_file_of_another_build_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "p.c").write_text(SOURCE)
    command = ["gcc", "-O1", "-Wl,--build-id=none", "-o", tmp_path / "p", tmp_path / "p.c"]
    subprocess.run(command, check=True)
    symbols = tmp_path / "p.debug"
    subprocess.run(["objcopy", "--only-keep-debug", tmp_path / "p", symbols], check=True)
    linked = stripped(tmp_path / "p", tmp_path / "linked", f"--add-gnu-debuglink={symbols}")
    with running(linked) as (pid, address, _):
        assert name_at(UserSymbols(), pid, address) == "hidden"
        symbols.write_bytes(symbols.read_bytes() + b"\0")  # the sum in the link is another one now
        assert name_at(UserSymbols(), pid, address) == ""


@needs_gcc
def test_packed_into_it(program: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.write_bytes(lzma.compress(program.read_bytes()))
    with running(stripped(program, tmp_path / "p", f"--add-section=.gnu_debugdata={packed}")) as (
        pid,
        address,
        _,
    ):
        assert name_at(UserSymbols(), pid, address) == "hidden"


@needs_gcc
def test_a_process_and_its_file_that_are_gone(program: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copy(program, copy)
    symbols = UserSymbols()
    with running(copy) as (pid, address, go_on):
        copy.unlink()
        copy.write_bytes(b"another file in its place")
        symbols.remember(pid)
        go_on()
    assert not Path(f"/proc/{pid}/maps").exists()
    assert name_at(symbols, pid, address) == "hidden"


@needs_gcc
def test_a_process_that_becomes_another_program(program: Path, tmp_path: Path) -> None:
    (tmp_path / "q.c").write_text(SOURCE.replace("hidden", "other"))
    subprocess.run(["gcc", "-O1", "-o", tmp_path / "q", tmp_path / "q.c"], check=True)
    symbols = UserSymbols()
    with running(program, str(tmp_path / "q")) as (pid, first, go_on):
        symbols.remember(pid)
        second = go_on()
        symbols.remember(pid)
        assert name_at(symbols, pid, second) == "other"
        assert name_at(symbols, pid, first) == "hidden"


def test_more_files_than_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernscope.symbols.files.MOST_OPEN", 2)
    files, pid = MappedFiles(), os.getpid()
    found = [files.get(pid, mapping) for mapping in read_mappings(pid)]
    assert len(files._open) <= 2
    for file in found:
        if file is not None and file.path.startswith("/usr/lib"):
            assert file.elf is not None
            assert file.lookup(0) is None


def test_a_file_that_is_cut_off_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "library"
    shutil.copy(os.path.realpath("/proc/self/exe"), path)
    content = FileContent(str(path))
    os.truncate(path, 5000)
    assert len(content[4000:6000]) == 1000
    content.park()
    with pytest.raises(OSError):
        content[0:10]  # it is another file now


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError):
        FileContent(str(tmp_path / "pipe"))


def test_the_kernels_own_library() -> None:
    symbols, pid = UserSymbols(), os.getpid()
    vdso = [mapping for mapping in read_mappings(pid) if mapping.path == "[vdso]"]
    if not vdso:
        pytest.skip("there is no vDSO")
    names = {name_at(symbols, pid, address) for address in range(vdso[0].start, vdso[0].end, 16)}
    assert any("gettime" in name for name in names)


def test_generated_code_is_named_by_what_was_written_last(tmp_path: Path) -> None:
    path = Path(f"/tmp/perf-{os.getpid()}.map")
    names = PerfMap(os.getpid())
    assert names.lookup(0x1000) is None
    try:
        path.write_text("1000 10 first\nnonsense\n-5 3 no\n1020 zz no\n1010 10 second one\n1030 10 unfini")
        assert names.lookup(0x100F) == ("first", 15)
        assert names.lookup(0x1010) == ("second one", 0)
        assert names.lookup(0x1020) is None
        assert names.lookup(0x1031) is None
        with path.open("a") as file:
            file.write("shed\n1008 20 again\n")
        assert names.lookup(0x1031) == ("unfinished", 1)
        assert names.lookup(0x1010) == ("again", 8)
        assert names.lookup(0x1004) == ("first", 4)
        path.write_text("2000 8 new\n")
        assert names.lookup(0x1004) is None
        assert names.lookup(0x2000) == ("new", 0)
        path.unlink()
        os.mkfifo(path)
        assert names.lookup(0x2000) == ("new", 0)
    finally:
        path.unlink(missing_ok=True)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare")
def test_in_its_own_namespaces(tmp_path: Path) -> None:
    """The map is called by the number that the process has itself, and lies in the /tmp that it sees."""
    script = (
        "mount -t tmpfs none /tmp && exec python3 -c 'import os, time\n"
        'open("/tmp/perf-1.map", "w").write("1000 10 inside\\n")\nprint(os.getpid(), flush=True)\ninput()\''
    )
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "sh", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        if child.stdout.readline() != "1\n":
            pytest.skip("namespaces cannot be made here")
        inner = int(Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text())
        assert PerfMap(inner).lookup(0x1001) == ("inside", 1)
        child.communicate("\n")

"""Stripped programs whose symbols lie elsewhere: in a file beside them, or packed into them."""

import lzma
import shutil
import subprocess
from pathlib import Path

import pytest
from fake_kernel import FakeKernel

from kernscope.probes.user_target import open_user_file

SOURCE = """
__attribute__((noinline)) static int hidden(int a) { __asm__(""); return a; }
int main(int count, char **arguments) { (void)arguments; return hidden(count); }
"""

pytestmark = pytest.mark.skipif(
    not (shutil.which("gcc") and shutil.which("objcopy")), reason="needs gcc and objcopy"
)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    source = tmp_path / "server.c"
    source.write_text(SOURCE)
    subprocess.run(["gcc", "-O1", "-o", tmp_path / "server", source], check=True)
    return tmp_path / "server"


def functions(path: Path) -> list[str]:
    kernel = FakeKernel()
    return [
        f.name for f in open_user_file(kernel, kernel.user_files(str(path))[0]).functions().named("hidden")
    ]


def test_in_a_file_of_their_own(program: Path) -> None:
    assert functions(program) == ["hidden"]
    symbols = program.with_name("server.debug")
    subprocess.run(["objcopy", "--only-keep-debug", program, symbols], check=True)
    subprocess.run(
        ["objcopy", "--strip-all", f"--add-gnu-debuglink={symbols}", program, program.with_name("stripped")],
        check=True,
    )
    stripped = program.with_name("stripped")
    assert functions(stripped) == ["hidden"]
    symbols.unlink()
    again = program.with_name("again")
    shutil.copy(stripped, again)
    assert functions(again) == []


def test_packed_into_it(program: Path) -> None:
    packed = program.with_name("packed")
    packed.write_bytes(lzma.compress(program.read_bytes()))
    stripped = program.with_name("stripped")
    subprocess.run(
        ["objcopy", "--strip-all", f"--add-section=.gnu_debugdata={packed}", program, stripped], check=True
    )
    assert functions(stripped) == ["hidden"]
    packed.write_bytes(b"not packed at all")
    broken = program.with_name("broken")
    subprocess.run(
        ["objcopy", "--strip-all", f"--add-section=.gnu_debugdata={packed}", program, broken], check=True
    )
    assert functions(broken) == []

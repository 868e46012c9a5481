"""`kernscope profile --lines` on a program whose lines are known: what was inlined, callers' lines, recordings."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import kernscope, needs_tracing
from profile_needs import needs_gcc, needs_tables

from kernscope.profiler import Profile, read_profile

pytestmark = [
    needs_tracing,
    needs_tables,
    needs_gcc,
]

# Each function's work is on one line: 7 of work.h, inlined into line 11 of work.c, which line 17 calls.
HEADER = """
static volatile long sink;
static inline __attribute__((always_inline)) void spin(long n)
{
    for (long i = 0; i < n; i++)
        /* here */
        sink += i * i;
}
"""
SOURCE = """
#include <time.h>
#include "work.h"
static double spent(void)
{
    return clock() / (double)CLOCKS_PER_SEC;
}

__attribute__((noinline)) void work(long n)
{
    spin(n);
    sink++;
}
int main(void)
{
    while (spent() < 0.7)
        work(100000);
    return 0;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lines")
    (folder / "work.h").write_text(HEADER)
    (folder / "work.c").write_text(SOURCE)
    command = ["gcc", "-O2", "-g", "-fno-unroll-loops", "-o", "work", "work.c"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "work"


def profiled(folder: Path, *command: str, lines: bool = True) -> Profile:
    path = folder / "out.json"
    options = ["--lines"] if lines else []
    done = kernscope("profile", "cpu", "-F", "499", *options, "-o", str(path), "--once", "--", *command)
    assert done.returncode == 0, done.stderr
    return read_profile(path.read_bytes())


def stacks(profile: Profile) -> dict[tuple[tuple[str, str, str, int], ...], int]:
    """(name, kind, file, line) of the functions of the program in each stack, with how many samples it has."""
    found: dict[tuple[tuple[str, str, str, int], ...], int] = {}
    for sample in profile.samples:
        frames = [frame for frame in profile.frames_of(sample) if frame.module.endswith("work")]
        key = tuple((f.name, f.kind, f.file.rpartition("/")[2], f.line) for f in frames)
        found[key] = found.get(key, 0) + sample.count
    return found


MAIN, WORK = ("main", "native", "work.c", 17), ("work", "native", "work.c", 11)
SPIN = {("spin", "inlined", "work.h", 5), ("spin", "inlined", "work.h", 7)}


def share_of_spin(profile: Profile) -> float:
    good = sum(
        count
        for stack, count in stacks(profile).items()
        if stack[-3:-1] == (MAIN, WORK) and stack[-1] in SPIN
    )
    return good / profile.count


def test_inlined_functions_and_the_lines_of_calls(program: Path, tmp_path: Path) -> None:
    profile = profiled(tmp_path, str(program))
    assert profile.lines and share_of_spin(profile) > 0.8, stacks(profile)
    text = kernscope("profile", "show", str(tmp_path / "out.json"), "--lines", "--flame", "-n", "999").stdout
    assert "spin (inlined)  (work.h:" in text and "main  (work.c:17)" in text
    plain = kernscope("profile", "show", str(tmp_path / "out.json"), "-n", "999").stdout
    assert "spin (inlined)  (work)" in plain and "work.c" not in plain


def test_without_being_asked_for_there_are_none(program: Path, tmp_path: Path) -> None:
    profile = profiled(tmp_path, str(program), lines=False)
    native = [frame for frame in profile.frames if frame.kind != "python"]
    assert not profile.lines and {frame.line for frame in native} == {0}
    assert all(frame.kind != "inlined" for frame in native)
    done = kernscope("profile", "show", str(tmp_path / "out.json"), "--lines")
    assert "`--lines` has to be given when it is recorded" in done.stderr


def test_of_a_stripped_program_by_its_debug_file(program: Path, tmp_path: Path) -> None:
    if shutil.which("objcopy") is None:
        pytest.skip("objcopy is not installed")
    symbols = tmp_path / "work.debug"
    subprocess.run(["objcopy", "--only-keep-debug", program, symbols], check=True)
    link = f"--add-gnu-debuglink={symbols}"
    subprocess.run(["objcopy", "--strip-all", link, program, tmp_path / "work"], check=True)
    assert share_of_spin(profiled(tmp_path, str(tmp_path / "work"))) > 0.8


def test_what_has_no_debug_information_is_told(program: Path, tmp_path: Path) -> None:
    if shutil.which("objcopy") is None:
        pytest.skip("objcopy is not installed")
    # Another build id, so that neither a cache nor a debug file has it.
    remove = ["--strip-debug", "--remove-section=.note.gnu.build-id"]
    subprocess.run(["objcopy", *remove, program, tmp_path / "bare-work"], check=True)
    profile = profiled(tmp_path, str(tmp_path / "bare-work"))
    assert "lines of bare-work are not known: no debug information is here" in profile.notes


def test_recorded_and_shown(program: Path, tmp_path: Path) -> None:
    folder = str(tmp_path / "parts")
    done = kernscope("profile", "record", "cpu", "-F", "499", "--lines", "--to", folder, "--", str(program))
    assert done.returncode == 0, done.stderr
    text = kernscope("profile", "show", folder, "--lines", "-n", "999").stdout
    assert "spin (inlined)  (work.h:" in text and "main  (work.c:17)" in text


def test_python_has_its_lines_either_way(tmp_path: Path) -> None:
    script = tmp_path / "busy.py"
    script.write_text(
        "import time\ndef busy():\n    while time.process_time() < 0.7:\n        pass\nbusy()\n"
    )
    profile = profiled(tmp_path, sys.executable, str(script))
    found = {(f.name, f.file.rpartition("/")[2], f.line) for f in profile.frames if f.kind == "python"}
    if not found:
        pytest.skip("functions of this Python are not walked on this kernel")
    assert ("busy", "busy.py", 3) in found and ("<module>", "busy.py", 5) in found
    rows = kernscope("profile", "show", str(tmp_path / "out.json"), "--lines", "-n", "999").stdout
    assert "busy  (busy.py:3)" in rows and "<module>  (busy.py:5)" in rows

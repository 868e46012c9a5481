"""Compiled programs in the cache folder."""

import os
from pathlib import Path

import pytest

from kernscope.kernel.kept_programs import MOST_KEPT, keep_program, kept_program, program_key


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "kernscope"


def test_what_was_kept_is_found(folder: Path) -> None:
    key = program_key("begin { }", "1")
    assert kept_program(key) is None
    keep_program(key, b"compiled")
    assert kept_program(key) == b"compiled"
    assert (folder / key).stat().st_mode & 0o777 == 0o600


def test_another_text_or_version_is_another_program() -> None:
    assert (
        len({program_key("a", "1"), program_key("b", "1"), program_key("a", "2"), program_key("\udcff", "1")})
        == 4
    )


def test_the_oldest_make_room(folder: Path) -> None:
    keys = [program_key(str(number), "1") for number in range(MOST_KEPT + 3)]
    for age, key in enumerate(keys):
        keep_program(key, b"x")
        os.utime(folder / key, (age, age))
    keep_program(program_key("last", "1"), b"x")
    assert [kept_program(key) is not None for key in keys] == [False] * 4 + [True] * (MOST_KEPT - 1)


def test_what_others_may_write_is_not_trusted(folder: Path) -> None:
    key = program_key("begin { }", "1")
    keep_program(key, b"compiled")
    (folder / key).chmod(0o666)
    assert kept_program(key) is None

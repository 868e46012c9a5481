"""Python code of rules, kept between runs."""

import os
from pathlib import Path

import pytest

from kernscope.detector.kept_code import MOST_KEPT, compiled_code


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "kernscope"


def text_of(number: int) -> str:
    return f"value = {number}\n" + "# long enough to be kept\n" * 200


def value(text: str) -> object:
    names: dict[str, object] = {}
    exec(compiled_code(text), names)
    return names["value"]


def kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("rules-*.code"))


def test_it_is_compiled_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert value(text_of(7)) == 7
    assert len(kept(folder)) == 1

    def refuse(*_: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr("kernscope.detector.kept_code.compile", refuse, raising=False)
    assert value(text_of(7)) == 7


def test_other_text_is_other_code(folder: Path) -> None:
    assert [value(text_of(1)), value(text_of(2))] == [1, 2]
    assert len(kept(folder)) == 2


def test_short_texts_are_not_kept(folder: Path) -> None:
    assert value("value = 3") == 3
    assert kept(folder) == []


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_a_damaged_file_is_made_anew(folder: Path, damage: str) -> None:
    assert value(text_of(7)) == 7
    (path,) = kept(folder)
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:-9], "changed": whole[:-1] + b"\xff", "empty": b""}[damage])
    assert value(text_of(7)) == 7
    assert path.read_bytes() == whole


def test_what_others_may_write_is_not_trusted(folder: Path) -> None:
    assert value(text_of(7)) == 7
    (seven,) = kept(folder)
    assert value(text_of(8)) == 8
    (eight,) = (path for path in kept(folder) if path != seven)
    # A whole file, with other code in it, which a group may have put there.
    eight.write_bytes(seven.read_bytes())
    os.chmod(eight, 0o620)
    assert value(text_of(8)) == 8


def test_the_oldest_make_room(folder: Path) -> None:
    for number in range(MOST_KEPT + 3):
        value(text_of(number))
    assert len(kept(folder)) == MOST_KEPT


def test_what_is_no_python_is_told(folder: Path) -> None:
    with pytest.raises(SyntaxError):
        compiled_code("if " + text_of(1))

"""The cache trusts only what nobody else could have written, and fails without harm."""

import os
from pathlib import Path

import pytest

from kernscope.kernel import cache


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "kernscope"


def test_write_then_read(folder: Path) -> None:
    assert cache.read_cached("x") is None
    assert cache.write_cached("x", b"one")
    assert cache.write_cached("x", b"two")
    assert cache.read_cached("x") == b"two"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [entry.name for entry in folder.iterdir()] == ["x"]


def test_files_others_may_write_are_not_trusted(folder: Path) -> None:
    cache.write_cached("x", b"one")
    (folder / "x").chmod(0o622)
    assert cache.read_cached("x") is None


def test_symbolic_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    cache.write_cached("x", b"one")
    (folder / "y").symlink_to(folder / "x")
    assert cache.read_cached("y") is None
    (tmp_path / "elsewhere").mkdir(mode=0o700)


def test_a_folder_others_may_write_is_not_used(folder: Path) -> None:
    cache.write_cached("x", b"one")
    folder.chmod(0o777)
    assert cache.read_cached("x") is None


def test_another_users_folder_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write_cached("x", b"one")
    real = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: real + 1)
    monkeypatch.setenv("HOME", str(folder))
    assert cache.read_cached("x") is None


def test_nothing_works_and_nothing_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_bases", lambda: ["/proc/nowhere"])
    assert not cache.write_cached("x", b"one")
    assert cache.read_cached("x") is None


def test_dropping_those_of_earlier_boots(folder: Path) -> None:
    for name in ("a-1", "a-2", "b-1"):
        cache.write_cached(name, b"")
    cache.drop_others("a-", "a-2")
    assert sorted(entry.name for entry in folder.iterdir()) == ["a-2", "b-1"]

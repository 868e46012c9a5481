"""Files of the cache that grow: what was added is there for the next one, whatever happened to the file meanwhile."""

import os
from pathlib import Path

import pytest

from kernscope.kernel import cache_log
from kernscope.kernel.cache_log import CacheLog


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "kernscope"


def test_what_was_added_is_there_for_the_next() -> None:
    log = CacheLog("lines-", "a")
    assert log.get(1) is None
    log.add(1, b"one")
    log.add((1 << 64) - 1, b"")
    log.add(1, b"another")  # the first counts
    for again in (log, CacheLog("lines-", "a")):
        assert again.get(1) == b"one" and again.get((1 << 64) - 1) == b"" and again.get(2) is None
    assert CacheLog("lines-", "b").get(1) is None


def test_two_that_add_at_the_same_time() -> None:
    first, second = CacheLog("lines-", "a"), CacheLog("lines-", "a")
    first.add(1, b"one")
    second.add(1, b"the same")
    second.add(2, b"two")
    first.add(3, b"three")
    again = CacheLog("lines-", "a")
    assert [again.get(key) for key in (1, 2, 3)] == [b"one", b"two", b"three"]


@pytest.mark.parametrize("cut", [1, 5, 27, 30])
def test_a_record_that_was_cut_off_makes_room_for_others(folder: Path, cut: int) -> None:
    log = CacheLog("lines-", "a")
    log.add(1, b"one")
    log.add(2, b"x" * 10)
    path = folder / "lines-a"
    os.truncate(path, path.stat().st_size - cut)
    log = CacheLog("lines-", "a")
    assert log.get(1) == b"one" and log.get(2) is None
    log.add(3, b"three")
    log.add(2, b"two")
    again = CacheLog("lines-", "a")
    assert [again.get(key) for key in (1, 2, 3)] == [b"one", b"two", b"three"]


def test_changed_bytes_are_not_given_out(folder: Path) -> None:
    CacheLog("lines-", "a").add(1, b"content")
    path = folder / "lines-a"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"content", b"kontent"))
    assert CacheLog("lines-", "a").get(1) is None
    path.write_bytes(b"something else that is long enough for a head")
    log = CacheLog("lines-", "a")
    assert log.get(1) is None
    log.add(1, b"anew")
    assert CacheLog("lines-", "a").get(1) == b"anew"


def test_it_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_log, "MOST_BYTES", 1000)
    monkeypatch.setattr(cache_log, "MOST_BYTES_IN_ALL", 2500)
    for number in range(6):
        log = CacheLog("lines-", str(number))
        for key in range(20):
            log.add(key, bytes(100))
        os.utime(folder / f"lines-{number}", (number, number))
    assert all(path.stat().st_size <= 1200 for path in folder.iterdir())
    assert {path.name for path in folder.iterdir()} >= {"lines-5", "lines-4"}
    assert not (folder / "lines-0").exists()


def test_without_a_cache_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/nowhere")
    log = CacheLog("lines-", "a")
    log.add(1, b"one")
    assert log.get(1) is None


def test_another_owners_or_a_removed_file_is_none(folder: Path) -> None:
    log = CacheLog("lines-", "a")
    log.add(1, b"one")
    (folder / "lines-a").chmod(0o666)
    assert log.get(1) is None and CacheLog("lines-", "a").get(1) is None
    (folder / "lines-a").unlink()
    assert log.get(1) is None
    log.add(2, b"two")
    assert CacheLog("lines-", "a").get(2) == b"two"

"""Recordings: parts in a folder of bounded size, what is not lost between two of them, and adding them up."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from kernscope.output.symbolic import SymbolFacts
from kernscope.profiler import (
    BadProfileFile,
    Busy,
    Folder,
    Frame,
    Options,
    Profile,
    Recorder,
    Sample,
    merge,
    mode_named,
    read_profile,
    recorded_parts,
)
from kernscope.tables.unwinding import ROWS_MAP

SECOND_NS = 1_000_000_000
START_NS = 1_700_000_000 * SECOND_NS


def part(number: int, *, text: str = "f", value: int = 3) -> Profile:
    profile = Profile("cpu", "samples", period_ns=10, command="all")
    profile.start_ns, profile.duration_ns = START_NS + number * SECOND_NS, SECOND_NS
    profile.add(
        Sample(profile.stack([Frame("main", "native"), Frame(text, "native")]), 1, 2, "c", value, value)
    )
    return profile


def random_text(size: int) -> str:
    return os.urandom(size // 2).hex()  # packs to half


def test_parts_are_files_that_can_be_read_again(tmp_path: Path) -> None:
    told: list[str] = []
    with Folder(str(tmp_path / "r"), 1 << 20, told.append) as folder:
        folder.add(part(0))
        folder.add(part(1))
        assert (folder.parts, folder.unwritten) == (2, 0)
        assert folder.bytes == sum(file.stat().st_size for file in (tmp_path / "r").iterdir())
    found = recorded_parts(str(tmp_path / "r"))
    assert [(start, mode) for start, mode, _ in found] == [(1_700_000_000.0, "cpu"), (1_700_000_001.0, "cpu")]
    assert [os.path.basename(path) for *_, path in found] == [
        "cpu-20231114T221320.000Z.json.gz",
        "cpu-20231114T221321.000Z.json.gz",
    ]
    again = read_profile(Path(found[1][2]).read_bytes())
    assert again.start_ns == START_NS + SECOND_NS and again.count == 3 and not told
    assert recorded_parts(str(tmp_path / "r"), "offcpu") == []


def test_the_oldest_go_and_never_more_is_kept_than_allowed(tmp_path: Path) -> None:
    limit = 64 << 10
    with Folder(str(tmp_path), limit, pytest.fail) as folder:
        for number in range(12):
            folder.add(part(number, text=random_text(20_000)))
            assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= limit
    starts = [start for start, *_ in recorded_parts(str(tmp_path))]
    assert starts == sorted(starts) and starts[-1] == 1_700_000_011 and 3 <= len(starts) < 12


def test_a_part_that_is_too_large_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    with Folder(str(tmp_path), 4096, told.append) as folder:
        folder.add(part(0, text=random_text(20_000)))
        assert folder.unwritten == 1
        folder.add(part(1))
    (left,) = recorded_parts(str(tmp_path))
    assert len(told) == 1 and "left out" in told[0]
    assert read_profile(Path(left[2]).read_bytes()).notes == [
        "parts before this one that could not be kept: 1"
    ]


def failing(times: int) -> Callable[[int], None]:
    left = [times]

    def fsync(fd: int) -> None:
        if left[0]:
            left[0] -= 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return fsync


def test_a_full_disk_is_said_once_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(os, "fsync", failing(3))
    with Folder(str(tmp_path), 1 << 20, told.append) as folder:
        for number in range(3):
            folder.add(part(number))
            assert list(tmp_path.iterdir()) == [], "nothing half written stays"
        folder.add(part(3))
    assert len(recorded_parts(str(tmp_path))) == 4
    assert len(told) == 2 and "No space left" in told[0] and told[1] == "recording goes on"


def test_what_a_killed_process_left_is_removed_and_others_are_kept_out(tmp_path: Path) -> None:
    (tmp_path / "cpu-20231114T221320.000Z.json.gz.unfinished").write_bytes(b"half")
    (tmp_path / "mine.json.gz").write_bytes(b"not ours")
    with Folder(str(tmp_path), 1 << 20, pytest.fail) as folder:
        assert [file.name for file in tmp_path.iterdir()] == ["mine.json.gz"] and folder.parts == 0
        with pytest.raises(Busy):
            Folder(str(tmp_path), 1 << 20, pytest.fail)
    Folder(str(tmp_path), 1 << 20, pytest.fail).close()


def test_two_parts_that_begin_in_the_same_millisecond(tmp_path: Path) -> None:
    with Folder(str(tmp_path), 1 << 20, pytest.fail) as folder:
        folder.add(part(0))
        folder.add(part(0, value=4))
    assert [read_profile(Path(path).read_bytes()).count for *_, path in recorded_parts(str(tmp_path))] == [
        3,
        4,
    ]


class Maps:
    """A session whose map is taken, as `MapView.take` does."""

    def __init__(self) -> None:
        self.facts = SymbolFacts()
        self.facts.cgroup_path = lambda id, pattern: ""
        self.bundle = SimpleNamespace(maps=[SimpleNamespace(name=ROWS_MAP)])
        self.rest_s, self.stopped_ns = 0.0, 0
        self.content: dict[object, int] = {}
        self.maps = {"@samples": self}
        self.stacks_taken = 0

    def take(self) -> dict[object, int]:
        taken, self.content = self.content, {}
        return taken

    def take_stacks(self) -> None:
        self.stacks_taken += 1


def test_each_sample_is_in_one_part() -> None:
    session = Maps()
    recorder = Recorder(mode_named("cpu"), Options())
    session.content = {(1, 1, "a", "", "\n401000\n", 0): 3}
    first = recorder.part(session)
    second = recorder.part(session)
    session.content = {(1, 1, "a", "", "\n401000\n", 0): 4}
    third = recorder.part(session)
    assert [profile.count for profile in (first, second, third)] == [3, 0, 4]
    assert first.start_ns <= second.start_ns <= third.start_ns and session.stacks_taken == 3


def test_profiles_are_added_up() -> None:
    timed = part(1, text="g")
    timed.samples[0].time_ns = 5
    whole = merge([part(2), part(0), timed, timed])
    assert whole.start_ns == START_NS and whole.duration_ns == 4 * SECOND_NS and whole.period_ns == 10
    found = sorted((whole.frames_of(s)[-1].name, s.value, s.count, s.time_ns) for s in whole.samples)
    assert found == [("f", 6, 6, 0), ("g", 3, 3, 5), ("g", 3, 3, 5)]
    with pytest.raises(ValueError, match="cannot be added up"):
        merge([part(0), Profile("faults", "events")])
    with pytest.raises(ValueError, match="nothing"):
        merge([])


@pytest.mark.parametrize("cut", [2, 10, 60])
def test_a_part_that_ends_too_early(tmp_path: Path, cut: int) -> None:
    with Folder(str(tmp_path), 1 << 20, pytest.fail) as folder:
        folder.add(part(0))
    content = Path(recorded_parts(str(tmp_path))[0][2]).read_bytes()
    with pytest.raises(BadProfileFile):
        read_profile(content[:cut])
    with pytest.raises(BadProfileFile):
        read_profile(content[:20] + b"\xff\xff\xff" + content[23:])


def test_stacks_by_frame_pointers_are_told() -> None:
    session = Maps()
    session.bundle = SimpleNamespace(maps=[])
    session.content = {(1, 1, "a", "", "\n401000\n", 0): 3}
    assert any(
        "frame pointers" in note for note in Recorder(mode_named("cpu"), Options()).part(session).notes
    )

"""Profiles as tables."""

import sys

import pytest
from made_profiles import HOSTILE, hostile, work

from kernscope.profiler import Profile, to_arrow
from kernscope.profiler.formats.labels import as_utf8


def test_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ModuleNotFoundError):
        to_arrow(work())


def test_a_row_per_sample() -> None:
    pytest.importorskip("pyarrow")
    table = to_arrow(work(timed=True))
    assert table.column_names == [
        "pid", "tid", "comm", "value", "count", "time", "cgroup", "cpu", "function", "stack",
    ]  # fmt: skip
    rows = table.to_pydict()
    assert rows["pid"] == [10, 10, 20, 10] and rows["comm"] == ["work10", "worker", "work20", "work10"]
    assert rows["value"] == [30, 50, 20, 5] and rows["cpu"] == ["0", "1", "0", "1"]
    assert rows["function"] == ["a", "b", "b", "vfs_read"]
    assert [[frame["name"] for frame in stack] for stack in rows["stack"]][1] == ["main", "a", "b"]
    assert rows["stack"][0][1] == {
        "name": "a", "kind": "python", "module": "/x/a.py", "file": "/x/a.py", "line": 7,
    }  # fmt: skip
    assert table["time"].cast("int64").to_pylist()[1] == 1_700_000_000_250_000_000
    assert table.schema.metadata[b"unit"] == b"samples"


def test_what_has_no_time() -> None:
    pytest.importorskip("pyarrow")
    assert to_arrow(work()).to_pydict()["time"] == [None] * 4


def test_hostile_and_empty_ones() -> None:
    pytest.importorskip("pyarrow")
    assert to_arrow(hostile()).to_pydict()["function"] == [as_utf8(name) for name in HOSTILE]
    assert to_arrow(Profile("cpu", "samples")).num_rows == 0

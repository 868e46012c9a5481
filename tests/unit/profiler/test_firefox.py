"""The Firefox Profiler's processed format: the rules that its documentation gives for version 48."""

import json
from typing import Any

import pytest
from made_profiles import hostile, work

from kernscope.profiler.formats.firefox import encode
from kernscope.profiler.profile import Profile

COLUMNS = {
    "samples": "stack time weight",
    "markers": "data name startTime endTime phase category",
    "stackTable": "frame prefix category subcategory",
    "frameTable": "address inlineDepth category subcategory func nativeSymbol innerWindowID implementation line column",
    "funcTable": "name isJS relevantForJS resource fileName lineNumber columnNumber",
    "resourceTable": "lib name host type",
    "nativeSymbols": "libIndex address name functionSize",
}
REFERENCES = [  # (table, column, table that it refers to or `strings`, what stands for none)
    ("samples", "stack", "stackTable", (None,)),
    ("stackTable", "frame", "frameTable", ()),
    ("stackTable", "prefix", "stackTable", (None,)),
    ("frameTable", "func", "funcTable", ()),
    ("funcTable", "name", "strings", ()),
    ("funcTable", "fileName", "strings", (None,)),
    ("funcTable", "resource", "resourceTable", (-1,)),
    ("resourceTable", "name", "strings", ()),
]


def check(content: Any) -> None:
    """Every rule that can be stated of a file."""
    meta = content["meta"]
    assert meta["preprocessedProfileVersion"] == 48 and content["libs"] == []
    assert [c["name"] for c in meta["categories"] if c["color"] == "grey"] == ["Other"]
    for thread in content["threads"]:
        assert isinstance(thread["pid"], str) and isinstance(thread["isMainThread"], bool)
        sizes = {name: thread[name]["length"] for name in COLUMNS} | {"strings": len(thread["stringArray"])}
        for table, columns in COLUMNS.items():
            for column in columns.split():
                assert len(thread[table][column]) == sizes[table], (table, column)
        for table, column, target, none in REFERENCES:
            for value in thread[table][column]:
                assert value in none or 0 <= value < sizes[target], (table, column, value)
        for number, prefix in enumerate(thread["stackTable"]["prefix"]):
            assert prefix is None or prefix < number
        for table in ("stackTable", "frameTable"):
            assert set(thread[table]["category"]) <= set(range(len(meta["categories"])))
        times = thread["samples"]["time"]
        assert times == sorted(times) and all(time >= 0 for time in times)
        assert thread["samples"]["weightType"] in ("samples", "tracing-ms", "bytes")
        assert len(set(thread["stringArray"])) == sizes["strings"]


def stacks(thread: Any) -> list[tuple[list[str], float, float]]:
    """(functions from the root on, weight, time) of each sample, followed as the format's documentation does."""
    found = []
    for stack, weight, time in zip(
        *(thread["samples"][name] for name in ("stack", "weight", "time")), strict=True
    ):
        names: list[str] = []
        while stack is not None:
            func = thread["frameTable"]["func"][thread["stackTable"]["frame"][stack]]
            names.insert(0, thread["stringArray"][thread["funcTable"]["name"][func]])
            stack = thread["stackTable"]["prefix"][stack]
        found.append((names, weight, time))
    return found


@pytest.mark.parametrize(
    "profile", [work(), work(timed=True), work("nanoseconds"), hostile(), Profile("cpu", "samples")]
)
def test_rules(profile: Profile) -> None:
    check(json.loads(encode(profile)))


def test_threads_and_stacks() -> None:
    worker, main, other = json.loads(encode(work(timed=True)))["threads"]
    assert [(t["processName"], t["name"], t["pid"], t["tid"]) for t in (worker, main, other)] == [
        ("work10", "worker", "10", 11),
        ("work10", "work10", "10", 10),
        ("work20", "work20", "20", 20),
    ]
    assert stacks(worker) == [(["main", "a", "b"], 50, 250.0)]
    assert stacks(main) == [(["main", "a"], 30, 0.0), (["main", "a", "vfs_read"], 5, 750.0)]


def test_what_has_no_times_is_laid_out_one_after_the_other() -> None:
    _, main, _ = json.loads(encode(work()))["threads"]
    assert [time for *_, time in stacks(main)] == [0.0, 300.0]  # 30 samples, each of 10 ms


def test_frames_of_a_function_share_it() -> None:
    profile = Profile("cpu", "samples")
    for sample in work().samples:
        sample.pid = sample.tid = 1
        profile.add(sample)
    source = work()
    profile.frames, profile.stacks = source.frames, source.stacks
    (thread,) = json.loads(encode(profile))["threads"]
    assert thread["frameTable"]["length"] == 5 and thread["funcTable"]["length"] == 4

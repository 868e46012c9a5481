"""Profiles of programs whose answer is known (tests/workloads), in every mode.

What the programs say that their parts took is measured in their own processor time, or by the clock without it, so that
other load does not change the truth. The limits are wide: how near a profile comes on a quiet machine is measured by
bench/profiling.py.
"""

import shutil
import threading
from pathlib import Path

import pytest
from command_line import needs_tracing
from known_work import Work, build, python_work
from profile_needs import needs_tables

import kernscope
from kernscope.profiler import Filter, Options, Profile

pytestmark = [
    needs_tracing,
    needs_tables,
    pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed"),
]

POINTS = 0.06
"""How far a share may be from the truth with the few samples of a test; the bound of the benchmark is 0.02."""
PROCESSOR_S = 0.8


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


def profiled(mode: str, work: Work) -> tuple[Profile, dict[str, int]]:
    """The profile of all that a program does after it is ready, and what it says that it did."""
    options = Options(Filter(pid=work.pid), frequency=499)
    collector = kernscope.profiler.Collector(kernscope.profiler.mode_named(mode), options)
    truth: dict[str, int] = {}

    def watch() -> None:
        work.go()
        truth.update(work.finish())

    with kernscope.run(collector.text, sinks=[collector.sink], pid=work.pid, print_maps=False) as session:
        session.start()
        watching = threading.Thread(target=watch)
        watching.start()
        profile = collector.run(session)
        watching.join()
    return profile, truth


def value(profile: Profile, *names: str, tid: int = 0) -> int:
    """Sum over the stacks that have a function of each name, or one that begins so and has arguments."""
    total = 0
    for sample in profile.samples:
        found = {frame.name.partition("(")[0] for frame in profile.frames_of(sample)}
        if found.issuperset(names) and tid in (0, sample.tid):
            total += sample.value
    return total


def count(profile: Profile, *names: str) -> int:
    """The same, of events."""
    return sum(
        sample.count
        for sample in profile.samples
        if {frame.name for frame in profile.frames_of(sample)}.issuperset(names)
    )


def incomplete(profile: Profile) -> int:
    """Samples whose stack ends early."""
    return sum(
        sample.count
        for sample in profile.samples
        if any(frame.name.startswith("[incomplete") for frame in profile.frames_of(sample))
    )


def check_shares(profile: Profile, truth: dict[str, int]) -> None:
    """Each part has the share that it really had, and what is left over is little."""
    seen = {name: value(profile, name) for name in truth}
    assert sum(seen.values()) > 0.95 * profile.total, (seen, profile.total)
    for name, took in truth.items():
        share, really = seen[name] / sum(seen.values()), took / sum(truth.values())
        assert abs(share - really) < POINTS, (name, share, really, profile.notes)
    assert profile.lost == 0
    # About as many samples as the time that was taken has periods; a virtual processor that is taken away has fewer.
    expected = sum(truth.values()) * 499 / 1e9
    assert 0.6 * expected < profile.count < 1.2 * expected + 20, (profile.count, expected)


@pytest.mark.parametrize("name", ["split", "split-pointers", "split-c++"])
def test_processor_time_of_native_code(name: str, programs: Path) -> None:
    with Work([build(name, programs), PROCESSOR_S]) as work:
        profile, truth = profiled("cpu", work)
    truth.pop("elapsed")
    check_shares(profile, truth)
    assert incomplete(profile) <= 0.01 * profile.count + 2, profile.notes
    assert value(profile, "_start", "main") >= 0.98 * profile.total


def test_processor_time_of_a_stripped_program(programs: Path) -> None:
    with Work([build("split-stripped", programs), PROCESSOR_S]) as work:
        profile, truth = profiled("cpu", work)
    truth.pop("elapsed")
    assert incomplete(profile) <= 0.01 * profile.count + 2, profile.notes
    # Its functions are told by where they begin: the three with most are the parts.
    parts = [own for frame, own, _ in profile.functions() if frame.name.startswith("split-stripped+")]
    for own, took in zip(parts, sorted(truth.values(), reverse=True)):
        assert abs(own / profile.total - took / sum(truth.values())) < POINTS, (parts, truth)


def _needs_python_frames(profile: Profile) -> None:
    if not any(frame.kind == "python" for frame in profile.frames):
        pytest.skip("this interpreter has no symbols, or is not one whose frames can be read")


def test_processor_time_of_python() -> None:
    with Work(python_work("split.py", PROCESSOR_S)) as work:
        profile, truth = profiled("cpu", work)
    _needs_python_frames(profile)
    truth.pop("elapsed")
    check_shares(profile, truth)
    assert incomplete(profile) <= 0.02 * profile.count + 2, profile.notes
    assert value(profile, "_start", "main", "run") >= 0.95 * profile.total


def test_processor_time_of_c_called_by_python(programs: Path) -> None:
    with Work(python_work("mixed.py", PROCESSOR_S, build("libparts.so", programs))) as work:
        profile, truth = profiled("cpu", work)
    _needs_python_frames(profile)
    truth.pop("elapsed")
    check_shares(profile, truth)
    in_c = [[frame.name for frame in profile.frames_of(sample)] for sample in profile.samples]
    in_c = [names for names in in_c if "in_c" in names]
    assert in_c and all(names.index("through_c") < names.index("in_c") for names in in_c)
    assert value(profile, "through_c", "in_c") >= 0.9 * value(profile, "through_c")


def test_waiting(programs: Path, tmp_path: Path) -> None:
    with Work([build("waits", programs), 2, tmp_path / "file"]) as work:
        profile, truth = profiled("offcpu", work)
        waiter = work.pid
    assert profile.lost == 0
    total = sum(truth.values())
    for name, took in truth.items():
        # The clock runs a little before the thread stops and after it goes on. A busy kernel does not tell of every
        # switch to a thread: then the time that it waited for a processor is not seen.
        seen = value(profile, name, tid=waiter)
        assert 0.7 * took - 0.03 * total < seen < took + 0.03 * total, (name, took, seen, profile.notes)
    kinds = (("wait_in_sleep", "[sleep]"), ("wait_for_pipe", "[pipe]"), ("wait_for_lock", "[lock]"))
    for function, mark in kinds:
        waited = value(profile, function) - value(profile, function, "[waiting for a processor]")
        assert value(profile, function, mark) >= 0.9 * waited > 0
    assert incomplete(profile) <= 0.05 * profile.count, profile.notes


def test_what_has_not_come_back_counts() -> None:
    """A thread that waits from begin to end of the profile's last part is in it."""
    with Work(["sh", "-c", "echo ready; read line; exec sleep 1000"]) as work:
        options = Options(Filter(pid=work.pid))
        collector = kernscope.profiler.Collector(kernscope.profiler.mode_named("offcpu"), options)
        with kernscope.run(collector.text, sinks=[collector.sink], duration=1.5, print_maps=False) as session:
            session.start()
            work.go()
            profile = collector.run(session)
    assert 0.5e9 < value(profile, "[sleep]", "do_nanosleep") < 30e9, profile.tables


def test_wakers_are_those_who_ended_the_waiting(programs: Path) -> None:
    with Work([build("waits", programs), 1]) as work:
        options = Options(Filter(pid=work.pid), wakers=True)
        collector = kernscope.profiler.Collector(kernscope.profiler.mode_named("offcpu"), options)
        truth: dict[str, int] = {}
        watching = threading.Thread(target=lambda: (work.go(), truth.update(work.finish())))
        with kernscope.run(collector.text, sinks=[collector.sink], pid=work.pid, print_maps=False) as session:
            session.start()
            watching.start()
            profile = collector.run(session)
            watching.join()
    for waiting, waking in (("wait_for_pipe", "fill_pipe"), ("wait_for_lock", "hold_lock")):
        waited = value(profile, waiting) - value(profile, waiting, "[waiting for a processor]")
        assert value(profile, waiting, waking) > 0.8 * waited > 0, waiting


def test_system_calls(programs: Path) -> None:
    with Work([build("calls", programs)]) as work:
        profile, truth = profiled("syscalls", work)
    assert count(profile, "ask_priorities", "getpriority") == truth["ask_priorities"]
    assert count(profile, "ask_parents", "getppid") == truth["ask_parents"]
    assert count(profile, "sleep_often", "clock_nanosleep") == truth["sleep_often"]
    slept = value(profile, "sleep_often", "clock_nanosleep")
    assert truth["sleep_often"] * 5_000_000 <= slept <= truth["sleep_ns"]
    assert any(title.startswith("getppid: 700 times") for title, _ in profile.tables), profile.tables


def test_disk(programs: Path) -> None:
    folder = Path(__file__).parent  # on a disk, where the folder of temporary files may be in memory
    file = folder / ".disk-workload"
    try:
        with Work([build("disk", programs), file]) as work:
            profile, truth = profiled("io", work)
    finally:
        file.unlink(missing_ok=True)
    if work.code == 9 or not profile.samples:
        pytest.skip("this file system does not write to a disk directly")
    assert count(profile, "write_directly") >= truth["write_directly"]
    assert any("write" in title and "bytes" in title for title, _ in profile.tables), profile.tables
    assert 0 < value(profile, "write_directly") < 60e9


def test_page_faults(programs: Path) -> None:
    with Work([build("memory", programs)]) as work:
        profile, truth = profiled("faults", work)
    assert count(profile, "touch_pages", "[minor fault]") == truth["touch_pages"]


def test_memory_that_is_asked_for(programs: Path) -> None:
    with Work([build("memory", programs)]) as work:
        profile, truth = profiled("alloc", work)
    assert value(profile, "many_small") == truth["many_small"]
    assert value(profile, "many_small", "[kept]") == truth["many_small_kept"]
    assert value(profile, "many_small", "[given back]") == truth["many_small"] - truth["many_small_kept"]
    assert value(profile, "some_large", "[kept]") == truth["some_large"]
    assert value(profile, "some_large", "[given back]") == 0

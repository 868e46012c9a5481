"""Profiles with the time of each sample, wait, call and fault, on programs that are known."""

import json
import os
import re
import sys
import time
from pathlib import Path

import pytest
from command_line import kernscope, needs_tracing

from kernscope.profiler import Profile, read_profile

pytestmark = needs_tracing

BUSY = "import time\nwhile time.process_time() < 0.5: pass"


def busy(folder: Path, *arguments: str) -> Profile:
    command = ["-F", "199", "-o", str(folder / "x.json"), *arguments, "--", sys.executable, "-c", BUSY]
    done = kernscope("profile", "cpu", *command, timeout=120)
    assert done.returncode == 0, done.stderr
    return read_profile((folder / "x.json").read_bytes())


def test_each_sample_has_its_time_and_processor(tmp_path: Path) -> None:
    before = time.time_ns()
    profile = busy(tmp_path, "--timeline", "-o", str(tmp_path / "x.perf"))
    after = time.time_ns()
    assert profile.count == len(profile.samples) and profile.count > 20  # a hundred, if nothing held it up
    assert all(sample.value == sample.count == 1 for sample in profile.samples)
    assert all(before < sample.time_ns < after for sample in profile.samples)
    processors = {sample.labels["cpu"] for sample in profile.samples}
    assert processors <= {str(cpu) for cpu in range(os.cpu_count() or 1)}
    # On one processor samples are a period apart, so that not two of them have the same time.
    places = [(sample.labels["cpu"], sample.time_ns) for sample in profile.samples]
    assert len(set(places)) == len(places)
    shown = re.findall(r"\[(\d+)\] (\d+)\.(\d+):", (tmp_path / "x.perf").read_text())
    assert [(str(int(cpu)), int(seconds) * 1_000_000 + int(us)) for cpu, seconds, us in shown] == [
        (cpu, time_ns // 1000) for cpu, time_ns in places
    ]


def test_a_format_that_shows_time_asks_for_it(tmp_path: Path) -> None:
    profile = busy(tmp_path, "-o", str(tmp_path / "x.firefox.json"))
    assert all(sample.time_ns for sample in profile.samples)
    threads = json.loads((tmp_path / "x.firefox.json").read_text())["threads"]
    times = [time for thread in threads for time in thread["samples"]["time"]]
    assert len(times) == profile.count and max(times) <= profile.duration_ns / 1e6 + 1000


def test_without_it_samples_are_added_up(tmp_path: Path) -> None:
    profile = busy(tmp_path)
    assert profile.count > 20 and not any(sample.time_ns for sample in profile.samples)
    assert not any("cpu" in sample.labels for sample in profile.samples)


SLEEPING = """
import time
for n in range(4):
    before = time.time_ns()
    time.sleep(0.2)
    print(before, time.time_ns())
"""


@pytest.mark.parametrize("mode", ["offcpu", "syscalls"])
def test_waits_and_calls_are_where_they_were(mode: str, tmp_path: Path) -> None:
    """A sleep is one event, within the times that the program itself has taken."""
    file = tmp_path / "x.json"
    command = [sys.executable, "-S", "-c", SLEEPING]
    done = kernscope("profile", mode, "--timeline", "--minimum", "150ms", "-o", str(file), "--", *command)
    assert done.returncode == 0, done.stderr
    slept = [
        tuple(map(int, line.split())) for line in done.stdout.splitlines() if re.fullmatch(r"\d+ \d+", line)
    ]
    assert len(slept) == 4
    profile = read_profile(file.read_bytes())
    spans = [
        (s.time_ns, s.time_ns + s.value)
        for s in profile.samples
        if s.value >= 199_000_000 and profile.frames_of(s)[-1].name != "[waiting for a processor]"
    ]
    slack_ns = 1_000_000  # of the clocks, which are read one after the other
    found = [
        sum(before - slack_ns <= span[0] and span[1] <= after + slack_ns for span in spans)
        for before, after in slept
    ]
    # A busy kernel does not tell of every switch.
    assert max(found) == 1 and sum(found) >= (3 if mode == "offcpu" else 4), (slept, spans)


def test_each_fault_has_its_time(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    command = [
        sys.executable,
        "-S",
        "-c",
        "b = bytearray(1 << 22)\nfor n in range(0, 1 << 22, 4096): b[n] = 1",
    ]
    before = time.time_ns()
    done = kernscope("profile", "faults", "--timeline", "-o", str(file), "--", *command)
    after = time.time_ns()
    assert done.returncode == 0, done.stderr
    profile = read_profile(file.read_bytes())
    assert profile.count > 500 and all(sample.value == sample.count == 1 for sample in profile.samples)
    assert all(before < sample.time_ns < after for sample in profile.samples)

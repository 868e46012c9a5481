"""What is said of generated code that has no names."""

import pytest

from kernscope.profiler import Frame, Profile, Sample, tell_generated
from kernscope.profiler.stacks import GENERATED


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        (["/usr/lib/jvm/lib/server/libjvm.so"], "-XX:+PreserveFramePointer"),
        (["/usr/bin/node"], "--perf-basic-prof"),
        (["/usr/bin/qemu"], "/tmp/perf-PID.map"),
    ],
)
def test_how_names_can_be_had(modules: list[str], said: str) -> None:
    profile = Profile("cpu", "samples")
    callers = [Frame("main", "native", module) for module in modules]
    profile.add(Sample(profile.stack([*callers, Frame(GENERATED, "jit")]), 1, 1, "x", 30, 30))
    profile.add(Sample(profile.stack(callers), 1, 1, "x", 10, 10))
    tell_generated(profile)
    (note,) = profile.notes
    assert note.startswith("75.0 % of the samples") and said in note


def test_little_of_it_is_not_worth_a_word() -> None:
    profile = Profile("cpu", "samples")
    profile.add(Sample(profile.stack([Frame(GENERATED, "jit")]), 1, 1, "x", 1, 1))
    profile.add(Sample(profile.stack([Frame("main", "native")]), 1, 1, "x", 99, 99))
    tell_generated(profile)
    assert profile.notes == []

"""Two profiles beside each other."""

from kernscope.profiler.diff import changes, diff_lines
from kernscope.profiler.profile import Frame, Profile, Sample


def profile(**values: int) -> Profile:
    made = Profile("cpu", "samples", command="work")
    made.duration_ns = 10**9
    main = Frame("main", "native", "/bin/work")
    for name, value in values.items():
        made.add(Sample(made.stack([main, Frame(name, "native", "/bin/work")]), 1, 1, "work", value, value))
    return made


def test_shares_are_compared_not_counts() -> None:
    found = changes(profile(a=10, b=30), profile(a=100, b=300))
    assert all(abs(change.own) < 1e-9 for change in found)


def test_the_greatest_change_comes_first() -> None:
    found = changes(profile(a=50, b=30, c=20), profile(a=20, b=35, d=45))
    assert [(c.frame.name, round(100 * c.own)) for c in found] == [
        ("d", 45), ("a", -30), ("c", -20), ("b", 5), ("main", 0),
    ]  # fmt: skip


def test_lines() -> None:
    assert diff_lines(profile(a=3, b=1), profile(a=1, b=1), top=2) == [
        "before: cpu, work: 1.0 s, 4 samples",
        "after:  cpu, work: 1.0 s, 2 samples",
        "",
        "  BEFORE    AFTER   CHANGE  FUNCTION",
        "  75.0 %   50.0 %  -25.0 %  a  (work)",
        "  25.0 %   50.0 %  +25.0 %  b  (work)",
        "… and 1 more",
    ]


def test_empty_profiles() -> None:
    assert changes(profile(), profile()) == []

"""Profiles on a terminal."""

import itertools
import re

from made_profiles import hostile

from kernscope.output.quantities import display_width
from kernscope.profiler.profile import Frame, Profile, Sample
from kernscope.profiler.terminal import flame_lines, summary_lines


def example(name: str = "b") -> Profile:
    profile = Profile("cpu", "samples", period_ns=10_101_010, command="work")
    profile.duration_ns = 2_000_000_000
    main, a, b = (
        Frame("main", "native", "/bin/work"),
        Frame("a", "python", "a.py", "a.py", 7),
        Frame(name, "kernel"),
    )
    for stack, value in (((main, a), 30), ((main, a, b), 50), ((main, b), 20)):
        profile.add(Sample(profile.stack(stack), 1, 1, "work", value, value))
    return profile


def test_summary() -> None:
    assert summary_lines(example()) == [
        "cpu, work: 2.0 s, 100 samples, 99 Hz",
        "",
        "     OWN   TOTAL    AMOUNT  FUNCTION",
        "  70.0 %  70.0 %        70  b  (kernel)",
        "  30.0 %  80.0 %        30  a  (a.py:7)",
        "   0.0 % 100.0 %         0  main  (work)",
    ]


def test_summary_says_what_is_left_out() -> None:
    assert summary_lines(example(), top=1)[-1] == "… and 2 more"
    assert len(summary_lines(example(), height=6)) <= 6


def test_summary_fits_the_width() -> None:
    assert all(display_width(line) <= 30 for line in summary_lines(example("名" * 40), width=30))


def test_names_cannot_control_the_terminal() -> None:
    profile = example("evil\x1b[2J\n")
    for line in (*summary_lines(profile), *flame_lines(profile, colour=False)):
        assert line.isprintable()


def test_flame_has_the_root_at_the_bottom() -> None:
    lines = flame_lines(example(), width=40, colour=False)
    assert lines == [
        "[b                 ]",
        "[a                             ][b     ]",
        "[main                                  ]",
        "[all                                   ]",
        "cpu, work: 2.0 s, 100 samples, 99 Hz",
    ]


def test_flame_in_colour_has_the_same_width() -> None:
    for line in flame_lines(example("名前"), width=40)[:-1]:
        assert display_width(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= 40


def test_boxes_beside_one_another_differ() -> None:
    profile = Profile("cpu", "samples")
    for i in range(40):
        profile.add(Sample(profile.stack([Frame(f"f{i}", "native")]), 1, 1, "work", 1))
    colours = re.findall(r"48;5;(\d+)m", flame_lines(profile, width=200)[0])
    assert len(colours) == 40 and all(a != b for a, b in itertools.pairwise(colours))


def test_hostile_names_in_colour() -> None:
    for line in (*flame_lines(hostile(), width=60), *summary_lines(hostile(), width=60)):
        plain = re.sub(r"\x1b\[(48;5;\d+|38;5;16|0)m", "", line)
        assert plain.isprintable() and display_width(plain) <= 60


def test_an_empty_profile() -> None:
    assert len(summary_lines(Profile("cpu", "samples"))) == 1  # nothing to head a table for
    assert len(flame_lines(Profile("cpu", "samples"))) == 2


def test_names_of_generated_code_lose_their_ends() -> None:
    """They are no names of C++, whatever is in them."""
    profile = Profile("cpu", "samples")
    name = "JS:*fib /srv/fib.js:1:13 <anonymous> (native) long::enough"
    profile.add(Sample(profile.stack([Frame(name, "jit", "/tmp/perf-1.map")]), 1, 1, "node", 1, 1))
    assert "JS:*fib /srv/f" in summary_lines(profile, width=56)[-1]
    assert any("JS:*fib" in line for line in flame_lines(profile, width=20, colour=False))

"""Collapsed stacks, the text of `perf script`, SVG and our own JSON."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_profiles import HOSTILE, hostile, work

from kernscope.profiler.formats import FORMATS, format_for, write
from kernscope.profiler.formats.json_file import BadProfileFile, decode, encode
from kernscope.profiler.profile import Frame, Profile, Sample


def text(profile: Profile, format: str) -> str:
    return write(profile, format).decode("utf-8")  # strictly


def collapsed(content: str) -> dict[tuple[str, ...], int]:
    """As flame graph tools read it: the last word is the value, `;` parts the rest."""
    found = {}
    for line in content.split("\n")[:-1]:
        stack, _, value = line.rpartition(" ")
        found[tuple(stack.split(";"))] = int(value)
    return found


def perf_script(content: str) -> list[tuple[str, int, int, int, float, int, str, list[tuple[str, str]]]]:
    """(comm, pid, tid, cpu, seconds, period, event, [(function, module)]), as the manual of `perf script` has it."""
    head = re.compile(r"(\S.*?) +(\d+)/(\d+) +\[(\d+)\] +(\d+\.\d+): +(\d+) +([\w-]+): *")
    frame = re.compile(r"\t *[0-9a-f]+ (.+) \((.+)\)")
    found = []
    for block in content.split("\n\n")[:-1]:
        first, *rest = block.split("\n")
        match = head.fullmatch(first)
        assert match is not None, first
        comm, pid, tid, cpu, seconds, period, event = match.groups()
        frames = []
        for line in rest:
            place = frame.fullmatch(line)
            assert place is not None, line
            frames.append((place[1], place[2]))
        found.append((comm, int(pid), int(tid), int(cpu), float(seconds), int(period), event, frames))
    return found


def test_collapsed() -> None:
    assert collapsed(text(work(), "collapsed")) == {
        ("work10", "main", "a"): 30,
        ("worker", "main", "a", "b"): 50,
        ("work20", "main", "b"): 20,
        ("work10", "main", "a", "vfs_read_[k]"): 5,
    }


def test_perf_script() -> None:
    first, second, *rest = perf_script(text(work(timed=True), "perf"))
    assert first[:7] == ("work10", 10, 10, 0, 1_700_000_000.0, 30, "cpu-clock")
    assert first[7] == [("a", "/x/a.py"), ("main", "/bin/work")]
    assert second[:5] == ("worker", 10, 11, 1, 1_700_000_000.25)
    assert rest[-1][7][0] == ("vfs_read", "[kernel.kallsyms]")


@pytest.mark.parametrize("format", ["collapsed", "perf", "svg"])
def test_hostile_names_do_nothing_on_a_terminal(format: str) -> None:
    content = text(hostile(), format)
    assert all(line.replace("\t", "").isprintable() for line in content.split("\n"))


def test_hostile_names_stay_in_their_line() -> None:
    lines = collapsed(text(hostile(), "collapsed"))
    assert {len(stack) for stack in lines} == {4} and sum(lines.values()) == 2 * len(HOSTILE)
    samples = perf_script(text(hostile(), "perf"))
    assert [len(sample[7]) for sample in samples] == [3] * len(HOSTILE)


@pytest.mark.parametrize(
    "profile", [work(), hostile(), Profile("cpu", "samples")], ids=["work", "hostile", "empty"]
)
def test_svg_is_xml_and_has_no_script(profile: Profile) -> None:
    root = ElementTree.fromstring(text(profile, "svg"))
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"svg", "g", "rect", "text", "title"}
    assert not any(name.startswith("on") or "href" in name for e in root.iter() for name in e.attrib)


def test_svg_boxes_are_as_wide_as_their_share() -> None:
    space = "{http://www.w3.org/2000/svg}"
    root = ElementTree.fromstring(text(work(), "svg"))
    widths = {}
    for group in root.iter(space + "g"):
        title, rect = group.find(space + "title"), group.find(space + "rect")
        assert title is not None and rect is not None
        widths[title.text] = round(float(rect.attrib["width"]))
    assert widths["all: 105 (100.00 %)"] == 1199
    assert widths["a: 85 (80.95 %)"] == round(1200 * 85 / 105 - 1)
    assert widths["vfs_read_[k]: 5 (4.76 %)"] == round(1200 * 5 / 105 - 1)


texts = st.text(st.characters() | st.characters(categories=["Cs"]), max_size=12)
frames = st.builds(
    Frame, texts, st.sampled_from(["kernel", "native", "python", "mark"]), texts, texts, st.integers(0)
)
samples = st.tuples(
    st.lists(frames, max_size=4),
    *[st.integers(0, 1 << 22)] * 2,
    texts,
    *[st.integers(0, 1 << 62)] * 3,
    st.dictionaries(texts, texts, max_size=2),
)


def content(profile: Profile) -> list[object]:
    head = [getattr(profile, name) for name in ("mode", "unit", "period_ns", "command", "lost", "notes")]
    rows = [
        ([f.key for f in profile.frames_of(s)], s.pid, s.tid, s.comm, s.value, s.count, s.time_ns, s.labels)
        for s in profile.samples
    ]
    return [*head, rows]


@given(st.lists(samples, max_size=4), texts, st.lists(texts, max_size=2))
def test_json_keeps_everything(rows: list[tuple[object, ...]], command: str, notes: list[str]) -> None:
    profile = Profile("cpu", "bytes", period_ns=7, command=command)
    profile.notes, profile.lost = notes, 3
    for stack, *rest in rows:
        profile.add(Sample(profile.stack(stack), *rest))  # type: ignore[arg-type]
    assert content(decode(encode(profile))) == content(profile)


@given(st.lists(samples, max_size=3))
def test_every_format_takes_every_text(rows: list[tuple[object, ...]]) -> None:
    profile = Profile("cpu", "samples", period_ns=7)
    for stack, *rest in rows:
        *numbers, _ = rest
        profile.add(Sample(profile.stack(stack), *numbers))  # type: ignore[arg-type]
    for format in FORMATS:
        assert isinstance(write(profile, format), bytes)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b'{"kernscope_profile": 2}',
        b'{"kernscope_profile": 1}',
        b"[" * 99999,
    ],
)
def test_what_is_no_profile_is_refused(data: bytes) -> None:
    with pytest.raises(BadProfileFile):
        decode(data)


def test_a_damaged_profile_is_refused() -> None:
    data = encode(work())
    for end in range(0, len(data) - 1, 37):
        with pytest.raises(BadProfileFile):
            decode(data[:end])
    for old, new in ((b'"stacks":[[0', b'"stacks":[[99'), (b'"samples":[[0', b'"samples":[["x"')):
        assert old in data
        with pytest.raises(BadProfileFile):
            decode(data.replace(old, new))


def test_endings() -> None:
    assert {name: entry.suffixes[0] for name, entry in FORMATS.items()}.keys() == FORMATS.keys()
    for name, entry in FORMATS.items():
        for suffix in entry.suffixes:
            found = format_for(f"x{suffix.upper()}")
            assert found is not None and found.name == name
    assert format_for("x.exe") is None

"""Profiles with lines and inlined functions: what is told apart, how formats have it, what is said of files without."""

import gzip
import json
from html import unescape
from typing import Any

import pytest
from made_profiles import with_lines

from kernscope.output.symbolic import SymbolFacts
from kernscope.profiler.collect import tell_without_lines
from kernscope.profiler.diff import changes, diff_lines
from kernscope.profiler.formats import write
from kernscope.profiler.formats.json_file import decode
from kernscope.profiler.merging import merge
from kernscope.profiler.profile import Frame, Profile, Sample
from kernscope.profiler.stacks import Stacks
from kernscope.profiler.terminal import flame_lines, summary_lines

LONG = "std::vector<std::pair<int, long>, std::allocator<std::pair<int, long> > >::push_back(std::pair<int, long>&&)"


def test_lines_are_told_apart_only_where_they_are_wanted() -> None:
    apart = [(f.name, f.kind, f.line, own, whole) for f, own, whole in with_lines().functions()]
    assert apart == [
        ("inner", "inlined", 2, 85, 85),
        ("write", "native", 0, 15, 15),
        ("outer", "inlined", 3, 0, 85),
        ("work", "native", 5, 0, 85),
        ("main", "native", 10, 0, 75),
        ("main", "native", 12, 0, 25),
        ("work", "native", 7, 0, 15),
    ]
    together = [(f.name, own, whole) for f, own, whole in with_lines(lines=False).functions()]
    assert together == [
        ("inner", 85, 85),
        ("write", 15, 15),
        ("main", 0, 100),
        ("work", 0, 100),
        ("outer", 0, 85),
    ]
    assert len(with_lines().tree().children) == 2 and len(with_lines(lines=False).tree().children) == 1


def test_on_a_terminal() -> None:
    lines = summary_lines(with_lines())
    assert [line.split("  ", 1)[-1].strip() for line in lines[3:6]]
    text = "\n".join(lines)
    for expected in (
        "inner (inlined)  (deep.h:2)",
        "outer (inlined)  (work.c:3)",
        "main  (work.c:12)",
        "write  (libc.so.6)",
    ):
        assert expected in text
    text = "\n".join(summary_lines(with_lines(lines=False)))
    assert "inner (inlined)  (work)" in text and "main  (work)" in text
    text = "\n".join(flame_lines(with_lines(), width=120, colour=False))
    assert "inner (inlined) deep.h:2" in text and "main work.c:10" in text and "main work.c:12" in text
    assert "work.c" not in "\n".join(flame_lines(with_lines(lines=False), width=120, colour=False))


def test_long_names_are_shortened_on_a_terminal_and_whole_in_files() -> None:
    made = Profile("cpu", "samples")
    made.add(Sample(made.stack([Frame(LONG, "inlined", "/bin/long")]), 1, 1, "long", 3, 3))
    row = summary_lines(made, width=78)[-1]
    assert row.endswith("std::vector<…>::push_back(…) (inlined)  (long)") and len(row) <= 78
    assert LONG in summary_lines(made)[-1]
    assert "[std::vector<…>::push_back(…)" in flame_lines(made, width=40, colour=False)[0]
    for name in ("html", "svg", "collapsed", "speedscope", "firefox", "perf", "json"):
        content = unescape(write(made, name).decode()).replace("\\u003c", "<")
        assert LONG in content, name
    assert LONG.encode() in gzip.decompress(write(made, "pprof"))


def test_collapsed_stacks() -> None:
    assert write(with_lines(), "collapsed").decode().splitlines() == [
        "work;main work.c:10;work work.c:5;outer (inlined) work.c:3;inner (inlined) deep.h:2 60",
        "work;main work.c:10;work work.c:7;write 15",
        "work;main work.c:12;work work.c:5;outer (inlined) work.c:3;inner (inlined) deep.h:2 25",
    ]
    assert write(with_lines(lines=False), "collapsed").decode().splitlines() == [
        "work;main;work;outer (inlined);inner (inlined) 85",
        "work;main;work;write 15",
    ]


def test_speedscope_firefox_perf_and_the_page() -> None:
    frames = json.loads(write(with_lines(), "speedscope"))["shared"]["frames"]
    assert {"name": "inner (inlined)", "file": "/src/deep.h", "line": 2} in frames
    thread = json.loads(write(with_lines(), "firefox"))["threads"][0]
    depths = {
        thread["stringArray"][thread["funcTable"]["name"][function]]: depth
        for function, depth in zip(
            thread["frameTable"]["func"], thread["frameTable"]["inlineDepth"], strict=True
        )
    }
    assert depths == {"main": 0, "work": 0, "outer": 1, "inner": 2, "write": 0}
    text = write(with_lines(), "perf").decode()
    leaf = "\t             900 "
    assert f"{leaf}inner (inlined)\n{leaf}outer (inlined)\n{leaf}work (/bin/work)\n" in text
    page = write(with_lines(), "html").decode()
    content = json.loads(page.partition('id="profile"')[2].partition(">")[2].partition("</script>")[0])
    assert {frame["name"] for frame in content["frames"]} >= {
        "inner (inlined) deep.h:2",
        "main work.c:10",
        "main work.c:12",
    }
    assert "<title>outer (inlined) work.c:3: 60 (60.00 %)</title>" in write(with_lines(), "svg").decode()


def test_written_and_read_again() -> None:
    again = decode(write(with_lines(), "json"))
    assert again.lines and [f.key for f in again.frames] == [f.key for f in with_lines().frames]
    old = json.loads(write(with_lines(lines=False), "json"))
    del old["lines"]  # as versions without lines wrote it
    assert not decode(json.dumps(old).encode()).lines
    assert merge([with_lines(), with_lines()]).lines and merge([with_lines()]).count == 100


def test_differences_by_line() -> None:
    found = {(c.frame.name, c.frame.line): round(c.whole, 2) for c in changes(with_lines(), with_lines())}
    assert found[("main", 10)] == found[("main", 12)] == 0 and len(found) == 7
    assert any("work.c:12" in line for line in diff_lines(with_lines(), with_lines()))


def test_arrow() -> None:
    pytest.importorskip("pyarrow")
    from kernscope.profiler.arrow import to_arrow

    stack: list[dict[str, Any]] = to_arrow(with_lines()).column("stack")[0].as_py()
    assert [(f["name"], f["kind"], f["line"]) for f in stack][-2:] == [
        ("outer", "inlined", 3),
        ("inner", "inlined", 2),
    ]


# --- collecting -------------------------------------------------------------------------------------------


class Symbol:
    """What a process's symbols say of an address."""

    offset = 0

    def __init__(self, name: str, path: str, address: int) -> None:
        self.name, self.path, self.file_address, self.start = name, path, address, 0


class Source:
    """A function by debug information."""

    def __init__(self, name: str, file: str, line: int) -> None:
        self.name, self.file, self.line = name, file, line


def facts() -> SymbolFacts:
    made = SymbolFacts()
    names = {0x1000: "main", 0x2000: "work.isra.0", 0x3000: "write", 0x4000: ""}
    sources = {
        0x1000: [Source("main", "/a.c", 3)],
        0x2000: [Source("work", "/a.c", 9), Source("square", "/a.h", 1), Source("", "", 7)],
        0x4000: [Source("hidden", "", 5)],
    }
    made.user_symbol = lambda pid, address: Symbol(names[address & ~0xFFF], "/bin/a", address & ~0xFFF)
    made.user_source = lambda pid, address: (
        sources.get(address & ~0xFFF, []), "" if address & ~0xFFF in sources else "no debug information is here",
    )  # fmt: skip
    return made


def test_frames_of_addresses() -> None:
    """Callers are looked up before the address that they return to."""
    asked: list[int] = []
    made = facts()
    source = made.user_source
    made.user_source = lambda pid, address: (asked.append(address), source(pid, address))[1]  # type: ignore[func-returns-value]
    stacks = Stacks(made, lines=True)
    frames = stacks.frames(1, "", "2008\n1004\n")
    assert [(f.name, f.kind, f.file, f.line) for f in frames] == [
        ("main", "native", "/a.c", 3),
        ("work.isra.0", "native", "/a.c", 9),
        ("square", "inlined", "/a.h", 1),
        ("[unknown]", "inlined", "", 0),
    ]
    assert asked == [0x1003, 0x2008] and stacks.problems == {}
    frames = stacks.frames(1, "", "4004\n3008\n1004\n")
    assert [(f.name, f.line) for f in frames] == [("main", 3), ("write", 0), ("hidden", 0)]
    assert stacks.problems == {"/bin/a": "no debug information is here"}
    plain = Stacks(facts()).frames(1, "", "2008\n1004\n")
    assert [(f.name, f.line) for f in plain] == [("main", 0), ("work.isra.0", 0)]


def test_what_has_no_lines_is_told() -> None:
    made = with_lines()
    tell_without_lines(made, {"/lib/libc.so.6": "no debug information is here", "/bin/work": "damaged"})
    assert made.notes == ["lines of libc.so.6 are not known: no debug information is here"]

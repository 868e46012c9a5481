"""The summary's program, its rows and its three forms."""

import csv
import io
import json

import pytest

from kernscope.output.events import ErrorEvent, LostEvent
from kernscope.output.histogram import Stats
from kernscope.output.quantities import display_width, duration, fit, rate, share
from kernscope.syscalls import Filter, Row, Summary, Watcher
from kernscope.syscalls.summary_text import csv_text, json_text, table_lines

READ, OPENAT, EXIT_GROUP = 0, 257, 231  # x86_64

MAPS: dict[str, dict[object, object]] = {
    "@calls": {OPENAT: 10, READ: 100, EXIT_GROUP: 1},
    "@time": {OPENAT: Stats(9, 1000, 9000), READ: Stats(100, 50, 5000)},
    "@longest": {OPENAT: 4000, READ: 300},
    "@errors": {(OPENAT, -2): 3, (OPENAT, -13): 1},
}


def rows(sort: str = "calls") -> list[Row]:
    return Summary(machine="x86_64", sort=sort).rows(MAPS)


def test_rows_are_ranked() -> None:
    assert [row.label for row in rows()] == ["read", "openat", "exit_group"]
    assert [row.label for row in rows("time")] == ["openat", "read", "exit_group"]
    assert [row.label for row in rows("errors")] == ["openat", "read", "exit_group"]


def test_row_content() -> None:
    _, openat, exit_group = rows()
    assert openat.calls == 10 and openat.failed == 4 and openat.average_ns == 1000
    assert openat.errors_by_name() == [("ENOENT", 3), ("EACCES", 1)]
    assert exit_group.calls == 1 and exit_group.returned == 0 and exit_group.average_ns == 0


def test_unknown_numbers_have_a_name() -> None:
    summary = Summary(machine="x86_64")
    (row,) = summary.rows({"@calls": {999: 1}, "@time": {}, "@longest": {}, "@errors": {}})
    assert row.label == "syscall_999"


def test_by_pid_and_process() -> None:
    maps = {
        "@calls": {(7, "sh"): 5},
        "@time": {(7, "sh"): Stats(5, 1, 5)},
        "@longest": {(7, "sh"): 2},
        "@errors": {(7, "sh", -2): 1},
    }
    (row,) = Summary(by="pid", machine="x86_64").rows(maps)
    assert (row.label, row.pid, row.calls, row.errors) == ("sh", 7, 5, {2: 1})
    maps = {"@calls": {"sh": 5}, "@time": {}, "@longest": {}, "@errors": {("sh", -2): 1}}
    (row,) = Summary(by="process", machine="x86_64").rows(maps)
    assert (row.label, row.pid, row.errors) == ("sh", None, {2: 1})


def test_program() -> None:
    text = Summary(filter=Filter(ignore=(42,)), machine="x86_64").text
    assert "tracepoint:raw_syscalls:sys_enter /pid != 42/ {" in text
    assert "@calls[args.id] = count();" in text
    assert "args.ret < 0 && args.ret >= -4095" in text
    by_name = Summary(by="process", filter=Filter(command=True), machine="x86_64").text
    assert "begin { @tree[cpid] = 1; }" in by_name
    # The name at entry counts, for execve changes it.
    assert "@start[tid] = (nsecs, comm);" in by_name and "@time[$start.1]" in by_name
    with pytest.raises(ValueError):
        Summary(by="colour")
    with pytest.raises(ValueError):
        Summary(sort="colour")


def test_plain_table() -> None:
    lines = table_lines(rows(), by="syscall", elapsed_s=2.0)
    assert lines == [
        "2.0 s, 111 system calls, 56/s, 4 failed (3.6 %), 3 kinds",
        "",
        "SYSCALL     CALLS  CALLS/S  ERRORS  RATE     TIME      AVG      MAX  ERRORS BY NAME",
        "read          100       50                5.00 µs    50 ns   300 ns",
        "openat         10      5.0       4  40 %  9.00 µs  1.00 µs  4.00 µs  ENOENT 3, EACCES 1",
        "exit_group      1      0.5",
    ]


def test_top_rows() -> None:
    lines = table_lines(rows(), by="syscall", elapsed_s=2.0, top=1)
    assert lines[-1] == "… and 2 more" and len(lines) == 5


@pytest.mark.parametrize("width", [20, 40, 60, 79, 80, 120])
@pytest.mark.parametrize("height", [5, 6, 24])
def test_table_fits_the_terminal(width: int, height: int) -> None:
    many = [
        Row(f"call{i}한글한글", 1000 - i, errors={e: e for e in range(1, 20)}, returned=5, total_ns=10**10)
        for i in range(50)
    ]
    lines = table_lines(many, by="syscall", elapsed_s=1.0, width=width, height=height)
    assert len(lines) <= height
    assert max(map(display_width, lines)) <= width
    assert lines[3].startswith("call0")


def test_names_cannot_hurt_the_terminal() -> None:
    lines = table_lines([Row("\x1b[2J\n", 1)], by="process", elapsed_s=1.0)
    assert all(line.isprintable() for line in lines)
    assert "\\x1b[2J\\x0a" in lines[3]


def test_no_calls_at_all() -> None:
    assert table_lines([], by="syscall", elapsed_s=0.0)[0] == "0.0 s, 0 system calls, 0/s, 0 failed, 0 kinds"


def test_json() -> None:
    parsed = json.loads(json_text(rows(), by="syscall", elapsed_s=2.0, top=2, lost=5))
    assert parsed["calls"] == 111 and parsed["errors"] == 4 and parsed["lost"] == 5
    assert [row["syscall"] for row in parsed["rows"]] == ["read", "openat"]
    assert parsed["rows"][1] == {
        "syscall": "openat",
        "calls": 10,
        "returned": 9,
        "errors": {"ENOENT": 3, "EACCES": 1},
        "time_ns": 9000,
        "average_ns": 1000,
        "max_ns": 4000,
    }


def test_csv() -> None:
    hostile = Row('a,"b\x1b', 1, pid=7, errors={2: 1})
    parsed = list(csv.DictReader(io.StringIO(csv_text([hostile], by="pid", elapsed_s=1.0))))
    assert parsed[0]["process"] == 'a,"b\x1b' and parsed[0]["errors_by_name"] == "ENOENT:1"
    assert "\x1b" not in csv_text([hostile], by="pid", elapsed_s=1.0, escape=True)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (999.6, "1.00 µs"),
        (1_000, "1.00 µs"),
        (12_345, "12.3 µs"),
        (123_456, "123 µs"),
        (999_999, "1.00 ms"),
        (1_500_000_000, "1.50 s"),
        (5_000_000_000_000, "5,000 s"),
    ],
)
def test_durations(ns: float, text: str) -> None:
    assert duration(ns) == text


def test_rates_and_shares() -> None:
    assert rate(0) == "0" and rate(3.25) == "3.2" and rate(12345.6) == "12,346"
    assert (
        share(0, 5) == ""
        and share(1, 3) == "33 %"
        and share(1, 1000) == "0.1 %"
        and share(1, 10**6) == "<0.1 %"
    )


def test_width_counts_columns() -> None:
    assert display_width("한글") == 4 and display_width("e\u0301") == 1
    assert fit("한글한글", 5) == "한글…" and fit("abc", 3) == "abc" and fit("abcd", 3) == "ab…"


class FakeSession:
    """Ends after a number of waits."""

    def __init__(self, waits: int) -> None:
        self.waits = waits
        self.maps = MAPS
        self.timeouts: list[float | None] = []

    def start(self) -> None:
        pass

    def wait(self, timeout: float | None = None) -> bool:
        self.timeouts.append(timeout)
        self.waits -= 1
        return self.waits <= 0


def test_watcher_without_a_screen_waits_for_the_end() -> None:
    watcher = Watcher(Summary(machine="x86_64"))
    session = FakeSession(1)
    watcher.watch(session)
    assert session.timeouts == [None]
    assert "openat" in watcher.text("table")
    assert json.loads(watcher.text("json"))["calls"] == 111
    assert watcher.text("csv").startswith("syscall,calls,")


def test_watcher_reports_losses_and_errors() -> None:
    watcher = Watcher(Summary(machine="x86_64"))
    watcher.sink.event(LostEvent("", 2, 2))
    for _ in range(3):
        watcher.sink.event(ErrorEvent("map `@start` is full"))
    assert watcher.warnings == ["2 events lost: the ring buffer was full", "map `@start` is full (3 times)"]

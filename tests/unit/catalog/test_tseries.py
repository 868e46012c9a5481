"""Time series: what programs record, what is merged, and bpftrace's drawing of it."""

import json
import struct
import time
from collections.abc import Iterator

import pytest
from vm_output import errors_of, output_of

from kernscope.catalog.aggregations import AGGREGATIONS
from kernscope.output.json_text import json_text
from kernscope.output.timeseries import TimeSeries, series_json, series_lines

SERIES = AGGREGATIONS["tseries"]
SECOND = 1_000_000_000


@pytest.fixture(autouse=True)
def universal_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_drawing() -> None:
    """The reference's own example, shortened (its page on `tseries`)."""
    start = 1_700_000_000 * SECOND
    step = 100_000_000
    values = [-5, -4, 0, 5]
    series = TimeSeries(step, [(start + i * step, v) for i, v in enumerate(values)])
    assert series_lines(series) == (
        "             -5                                                  5\n"
        "hh:mm:ss.ms  |___________________________________________________|\n"
        "22:13:20.000 *                         .                         | -5\n"
        "22:13:20.100 |    *                    .                         | -4\n"
        "22:13:20.200 |                         *                         | 0\n"
        "22:13:20.300 |                         .                         * 5\n"
        "             v___________________________________________________v\n"
        "             -5                                                  5\n"
    )


@pytest.mark.parametrize(
    ("interval", "head", "first"),
    [
        (SECOND, "hh:mm:ss |", "22:13:20 *"),
        (1_500_000, "hh:mm:ss.ms  |", "22:13:20.000 *"),
        (1_000, "hh:mm:ss.μs    |", "22:13:20.000000 *"),
        (10, "hh:mm:ss.ns        |", "22:13:20.000000000 *"),
    ],
)
def test_starts_are_as_exact_as_the_interval(interval: int, head: str, first: str) -> None:
    start = 1_700_000_000 * SECOND
    lines = series_lines(TimeSeries(interval, [(start, 1), (start + 2 * interval, 3)])).splitlines()
    assert lines[1].startswith(head)
    assert lines[2].startswith(first)
    assert lines[3].endswith("|                                                   | -")
    assert lines[4].endswith("* 3")


def test_one_value_and_none() -> None:
    start = 1_700_000_000 * SECOND
    lines = series_lines(TimeSeries(SECOND, [(start, 5)])).splitlines()
    assert lines[0] == "                   4                                                   6"
    assert lines[2] == "22:13:20.000000000 |                         *                         | 5"
    assert series_lines(TimeSeries(SECOND, [])) == "<no data>\n"
    most = (1 << 64) - 1
    assert series_lines(TimeSeries(SECOND, [(start, most)])).splitlines()[2].endswith(f"* {most}")


def test_json() -> None:
    series = TimeSeries(SECOND, [(1_700_000_000 * SECOND, -3)])
    text = json_text(series_json(series))
    assert text == '[{"interval_start":"2023-11-14 22:13:20.000000000","value":-3}]'


def cell(*slots: tuple[int, int, int]) -> bytes:
    return b"".join(struct.pack("=QqQ", number + 1 if number >= 0 else 0, v, w) for number, v, w in slots)


@pytest.mark.parametrize(
    ("way", "expected"),
    [("avg", 3), ("max", 8), ("min", -5), ("sum", 11), (None, 8)],
)
def test_cells_of_several_cpus(way: str | None, expected: int) -> None:
    given: tuple[int | str, ...] = (SECOND, 2) if way is None else (SECOND, 2, way)
    agg = SERIES.type(SERIES.complete(given), True)
    if way in ("sum", "avg"):
        cells = [cell((7, 3, 2), (-1, 0, 0)), cell((7, 8, 1), (2, 99, 1))]
    else:
        cells = [cell((7, -5, 10), (-1, 0, 0)), cell((7, 8, 20), (2, 99, 1))]
    merged = SERIES.merge(agg, cells)
    assert isinstance(merged, TimeSeries)
    assert merged.points == [(7 * SECOND, expected)]  # interval 2 is too old to be one of the last two


def test_all_series_of_a_map_end_together() -> None:
    agg = SERIES.type((SECOND, 3, 0), True)
    a, b = TimeSeries(SECOND, [(1 * SECOND, 1), (4 * SECOND, 4)]), TimeSeries(SECOND, [(5 * SECOND, 5)])
    first, second = SERIES.together(agg, [a, b])
    assert isinstance(first, TimeSeries) and isinstance(second, TimeSeries)
    assert first.points == [(4 * SECOND, 4)]
    assert first.end_ns == second.end_ns == 5 * SECOND


@pytest.mark.parametrize(
    ("way", "expected"),
    [('"avg"', 2), ('"max"', 8), ('"min"', -5), ('"sum"', 11), ("", 8)],
)
def test_recording(way: str, expected: int) -> None:
    interval = "1000000000000000"
    more = f", {way}" if way else ""
    calls = "".join(f"@ = tseries({v}, {interval}, 5{more}); " for v in (8, -5, 0, 8))
    message = json.loads(output_of(f"begin {{ {calls} exit(); }}", json=True).splitlines()[0])
    assert message["type"] == "tseries"
    assert [point["value"] for point in message["data"]["@"]] == [expected]


def test_keyed_series_and_clearing() -> None:
    program = "begin { @[1] = tseries(5, 1000s, 5); @[2] = tseries(6, 1000s, 5); zero(@); print(@); clear(@); exit(); }"
    assert output_of(program) == "@[1]:\n<no data>\n\n@[2]:\n<no data>\n\n"


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("tseries(1, 0, 5)", "wrong-arguments"),
        ("tseries(1, 1s, 0)", "wrong-arguments"),
        ("tseries(1, 1s, 2000000)", "wrong-arguments"),
        ('tseries(1, 1s, 5, "foo")', "wrong-arguments"),
        ("tseries(1, 1s, 5, 3)", "wrong-arguments"),
        ("tseries(1, 1s)", "wrong-arguments"),
        ("tseries(1, pid, 2)", "constant-needed"),
        ('tseries("a", 1s, 2)', "type-mismatch"),
    ],
)
def test_wrong_arguments(call: str, code: str) -> None:
    assert code in errors_of(f"begin {{ @ = {call}; exit(); }}")

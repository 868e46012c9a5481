"""Maps as text and JSON, against bpftrace 0.27's observed output."""

import json
from typing import Any

import pytest

from kernscope.catalog.aggregations import AGGREGATIONS
from kernscope.output.escape import escape_text
from kernscope.output.histogram import Bucket, Histogram, Stats
from kernscope.output.json_text import json_text
from kernscope.output.maptext import MapShape
from kernscope.types import BOOL, INT64, UINT64, Buffer, Pointer, String, Tuple, Type

S = String(64)
NESTED = Tuple((INT64, S, Tuple((INT64, INT64))))


def shape(name: str, key: Type | None, value: Type) -> MapShape:
    return MapShape(name, key, value)


def aggregated(name: str, kind: str, key: Type | None = None, params: tuple[int, ...] = ()) -> MapShape:
    aggregation = AGGREGATIONS[kind]
    return MapShape(name, key, aggregation.type(params, True), aggregation)


def hist(*buckets: tuple[int | None, int | None, str, int]) -> Histogram:
    return Histogram([Bucket(*b) for b in buckets])


FOUR = hist((4, 8, "[4, 8)", 1))
BAR = "@" * 52


@pytest.mark.parametrize(
    ("map", "content", "text"),
    [
        (shape("@", None, INT64), {None: 5}, "@: 5\n"),
        (
            shape("@t", None, Tuple((INT64, S, Tuple((INT64, INT64))))),
            {None: (1, "abc", (2, -3))},
            "@t: (1, abc, (2, -3))\n",
        ),
        (shape("@s", None, S), {None: ""}, "@s: \n"),
        (shape("@", INT64, INT64), {1: 9, -5: 7, 300: 8, 7: 7}, "@[-5]: 7\n@[7]: 7\n@[300]: 8\n@[1]: 9\n"),
        (shape("@", S, S), {"b": "x", "aa": "a", "a": "y"}, "@[a]: y\n@[aa]: a\n@[b]: x\n"),
        (shape("@", Tuple((INT64, S)), INT64), {(1, "a"): 2}, "@[1, a]: 2\n"),
        (shape("@", Tuple((Tuple((INT64, S)), INT64)), INT64), {((1, "a"), 5): 2}, "@[(1, a), 5]: 2\n"),
        (shape("@g", BOOL, BOOL), {True: False, False: True}, "@g[false]: true\n@g[true]: false\n"),
        (
            shape("@", INT64, Tuple((INT64, INT64))),
            {3: (1, 2), 1: (2, 1), 10: (0, 1)},
            "@[1]: (2, 1)\n@[3]: (1, 2)\n@[10]: (0, 1)\n",
        ),
        (shape("@q", Pointer(INT64), INT64), {0xFFFFFFFF81000000: 1}, "@q[0xffffffff81000000]: 1\n"),
        (shape("@b", Buffer(4), Buffer(4)), {b"xy": b"a\x01b"}, "@b[xy]: a\\x01b\n"),
        (
            aggregated("@s", "stats", INT64),
            {1: Stats(1, 10, 10), 2: Stats(1, 1, 1), 3: Stats(3, 1, 3)},
            "@s[2]: { .count = 1, .average = 1, .total = 1 }\n"
            "@s[3]: { .count = 3, .average = 1, .total = 3 }\n"
            "@s[1]: { .count = 1, .average = 10, .total = 10 }\n",
        ),
        (aggregated("@m", "max", INT64), {1: -10, 2: 1, 4: 0}, "@m[1]: -10\n@m[4]: 0\n@m[2]: 1\n"),
        (
            aggregated("@", "hist", S, (0,)),
            {"z": hist((4, 8, "[4, 8)", 2)), "a": FOUR},
            f"@[a]:\n[4, 8)                 1 |{BAR}|\n\n@[z]:\n[4, 8)                 2 |{BAR}|\n\n",
        ),
        (aggregated("@h", "hist", None, (0,)), {None: Histogram([])}, "@h:\n\n"),
        (shape("@", INT64, INT64), {}, ""),
    ],
)
def test_text(map: MapShape, content: dict[Any, Any], text: str) -> None:
    assert map.text(content) == text


def test_top_and_div() -> None:
    x = shape("@x", INT64, INT64)
    content = {1: 5, 2: 3, 3: 9}
    assert x.text(content, 2) == "@x[1]: 5\n@x[3]: 9\n"
    assert x.text(content, 5, 2) == "@x[2]: 1\n@x[1]: 2\n@x[3]: 4\n"
    assert x.text(content, -1) == x.text(content) == x.text(content, 0, 1) == x.text(content, 0, 0)
    assert x.text({1: 1}, 1, -1) == "@x[1]: -1\n"
    stats = aggregated("@x", "stats", S)
    assert stats.text({"k": Stats(1, 5, 5), "j": Stats(1, 7, 7)}, 5, 2) == (
        "@x[k]: { .count = 1, .average = 2, .total = 5 }\n@x[j]: { .count = 1, .average = 3, .total = 7 }\n"
    )
    h = aggregated("@x", "hist", S, (0,))
    assert h.text({"k": FOUR}, 0, 2) == f"@x[k]:\n[4, 8)                 0 |{' ' * 52}|\n\n"


def test_untrusted_keys_and_values_are_escaped_on_request() -> None:
    assert shape("@", S, S).text({"\x1bc": "\r"}, escape=escape_text) == "@[\\x1bc]: \\x0d\n"
    assert shape("@", S, S).text({"\x1bc": "\r"}) == "@[\x1bc]: \r\n"


@pytest.mark.parametrize(
    ("map", "content", "text"),
    [
        (shape("@", INT64, INT64), {1: 5, -2: 6}, '{"type": "map", "data": {"@": {"1": 5, "-2": 6}}}'),
        (
            shape("@", Tuple((Tuple((INT64, S)), BOOL)), Tuple((INT64, S))),
            {((1, "a"), True): (5, "x")},
            '{"type": "map", "data": {"@": {"(1,a),true": [5,"x"]}}}',
        ),
        (aggregated("@a", "avg"), {None: 5}, '{"type": "stats", "data": {"@a": 5}}'),
        (
            aggregated("@st", "stats", S),
            {"x": Stats(1, 5, 5)},
            '{"type": "stats", "data": {"@st": {"x": {"count": 1, "average": 5, "total": 5}}}}',
        ),
        (
            aggregated("@h", "hist", None, (0,)),
            {None: hist((None, 0, "", 1), (0, 1, "", 2), (4, 8, "", 1))},
            '{"type": "hist", "data": {"@h": '
            '[{"max": -1, "count": 1},{"min": 0, "max": 0, "count": 2},{"min": 4, "max": 7, "count": 1}]}}',
        ),
        (
            aggregated("@l", "lhist", S, (0, 100, 10)),
            {"a": hist((100, None, "", 3))},
            '{"type": "hist", "data": {"@l": {"a": [{"min": 100, "count": 3}]}}}',
        ),
        (
            aggregated("@zh", "hist", None, (0,)),
            {None: Histogram([])},
            '{"type": "hist", "data": {"@zh": []}}',
        ),
        (shape("@b", None, Buffer(4)), {None: b"xy\x02"}, '{"type": "map", "data": {"@b": [120,121,2]}}'),
    ],
)
def test_json(map: MapShape, content: dict[Any, Any], text: str) -> None:
    assert json_text(map.json(content)) == text


def test_an_empty_map_has_no_json() -> None:
    assert shape("@", INT64, INT64).json({}) is None


def test_json_numbers_that_a_double_changes_are_strings() -> None:
    exact = [0, -1, (1 << 53), -(1 << 53), (1 << 53) + 2, 1 << 63, 0xFFFFFFFF81000000]
    assert [json_text(n) for n in exact] == [str(n) for n in exact]
    inexact = [(1 << 53) + 1, (1 << 64) - 1, (1 << 54) - 1, -(1 << 53) - 1]
    assert [json_text(n) for n in inexact] == [f'"{n}"' for n in inexact]
    assert shape("@u", None, UINT64).json({None: (1 << 64) - 1}) == {
        "type": "map",
        "data": {"@u": (1 << 64) - 1},
    }


def test_json_strings_are_lossless_and_harmless() -> None:
    raw = bytes(range(256))
    text = json_text(raw.decode("utf-8", "surrogateescape"))
    assert all(0x20 <= ord(c) < 0x7F for c in text)
    assert json.loads(text).encode("utf-8", "surrogateescape") == raw


def test_what_an_unassigned_scalar_reads_as() -> None:
    assert shape("@", None, INT64).default() == 0
    assert shape("@", None, S).default() == ""
    assert shape("@", None, Tuple((BOOL, S))).default() == (False, "")
    assert aggregated("@", "stats").default() == Stats(0, 0, 0)

"""Tables of rows as text, CSV and JSON; events as Arrow."""

import json
import sys

import pytest

from kernscope.output.arrow import to_arrow
from kernscope.output.events import EndEvent, PrintfEvent, ValueEvent
from kernscope.output.table import Column, csv_text, json_text, plain_text

COLUMNS = [
    Column("name"),
    Column("calls", align=">"),
    Column("time", "time_ns", align=">", show=lambda v: f"{v} ns"),
]
ROWS = [("read", 5, 100), ('a,"b"', 12345, 7)]


def test_plain() -> None:
    assert plain_text(COLUMNS, ROWS) == ('name   calls    time\nread       5  100 ns\na,"b"  12345    7 ns\n')
    assert plain_text(COLUMNS, [("\x1b[1m", 1, 1)], header=False) == "\\x1b[1m  1  1 ns\n"
    assert plain_text(COLUMNS, ROWS, max_width=4, header=False) == 'read\na,"b\n'
    assert plain_text(COLUMNS, []) == "name  calls  time\n"


def test_csv_and_json() -> None:
    assert csv_text(COLUMNS, [*ROWS, ("x", None, 1)]) == (
        'name,calls,time_ns\nread,5,100\n"a,""b""",12345,7\nx,,1\n'
    )
    assert json.loads(json_text(COLUMNS, ROWS)) == [
        {"name": "read", "calls": 5, "time_ns": 100},
        {"name": 'a,"b"', "calls": 12345, "time_ns": 7},
    ]


def test_arrow_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ModuleNotFoundError):
        to_arrow([])


def test_arrow() -> None:
    pytest.importorskip("pyarrow")
    events = [ValueEvent((1, "a", True)), EndEvent(0), PrintfEvent("x", (2, "\udcff", False)), ValueEvent(9)]
    table = to_arrow(events, ["n", "s", "b"])
    assert table.to_pydict() == {"n": [1, 2], "s": [b"a", b"\xff"], "b": [True, False]}

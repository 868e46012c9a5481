"""Structs, arrays, enums and records: bytes to values, and values to text and JSON."""

import ctypes
from struct import pack

import pytest

from kernscope.bundle import Record
from kernscope.output.decode import record_decoder, stored_decoder
from kernscope.output.json_text import json_text
from kernscope.output.lines import print_line, printf_line
from kernscope.output.structured import EnumValue, StructValue
from kernscope.output.symbolic import SymbolFacts
from kernscope.output.values import default_value, json_key, key_text, value_text
from kernscope.types import (
    BOOL,
    INT8,
    INT32,
    INT64,
    NONE,
    UINT32,
    Array,
    Enum,
    NamedTuple,
    Pointer,
    String,
    Struct,
    StructField,
    Tuple,
    Type,
)

COLOR = Enum("enum color", {1: "RED", 7: "BLUE"})
POINT = Struct("struct point", 8, {"x": StructField("x", INT32, 0), "y": StructField("y", INT32, 4)}, 4)
THING = Struct(
    "struct thing",
    48,
    {
        "a": StructField("a", UINT32, 0, bits=(0, 3)),
        "b": StructField("b", INT32, 0, bits=(3, 5)),
        "yes": StructField("yes", BOOL, 0, bits=(8, 1)),
        "shade": StructField("shade", COLOR, 4),
        "name": StructField("name", String(4), 8),
        "points": StructField("points", Array(POINT, 2), 12),
        "next": StructField("next", Pointer(NONE), 32),
        "in": StructField("in", POINT, 40),
    },
)
THING_BYTES = pack("=II4s4iIQii", 0b1_10111_101, 7, b"ab\0z", 1, -2, 3, -4, 0, 0xFFFF000012345678, 5, 6)
THING_TEXT = (
    "{ .a = 5, .b = -9, .yes = true, .shade = BLUE, .name = ab, "
    ".points = [{ .x = 1, .y = -2 },{ .x = 3, .y = -4 }], .next = 0xffff000012345678, .in = { .x = 5, .y = 6 } }"
)
RECORD = NamedTuple(("first", "second"), (INT64, String(8)))
NOTHING = SymbolFacts()


def test_struct_value() -> None:
    value = stored_decoder(THING)(THING_BYTES)
    assert isinstance(value, StructValue)
    assert value.names == tuple(THING.fields)
    assert (value["b"], value["name"], value["points"][1]["y"]) == (-9, "ab", -4)
    assert isinstance(value["shade"], EnumValue) and value["shade"] == 7 and str(value["shade"]) == "BLUE"
    assert hash(value) == hash(stored_decoder(THING)(THING_BYTES))
    with pytest.raises(KeyError):
        value["nothing"]


def test_struct_text_and_json() -> None:
    value = stored_decoder(THING)(THING_BYTES)
    assert value_text(THING, value) == THING_TEXT
    assert json_text(value) == (
        '{"a": 5, "b": -9, "yes": true, "shade": 7, "name": "ab", "points": [{"x": 1, "y": -2},{"x": 3, "y": -4}], '
        '"next": "18446462599038260856", "in": {"x": 5, "y": 6}}'
    )
    assert json_key(POINT, stored_decoder(POINT)(pack("=ii", 1, 2))) == "{.x=1,.y=2}"


def test_bit_fields_like_ctypes() -> None:
    class Bits(ctypes.Structure):
        _fields_ = (("a", ctypes.c_uint32, 3), ("b", ctypes.c_int32, 5))

    read = stored_decoder(Struct("struct s", 4, {name: THING.fields[name] for name in "ab"}))
    for byte in range(256):
        theirs = Bits.from_buffer_copy(bytes([byte, 0, 0, 0]))
        assert read(bytes([byte, 0, 0, 0])) == (theirs.a, theirs.b)


@pytest.mark.parametrize(
    ("type", "data", "text", "key", "json"),
    [
        (Array(INT8, 3), b"\x01\xff\x03", "[1,-1,3]", "[1,-1,3]", "[1,-1,3]"),
        (Array(Array(INT32, 2), 2), pack("=4i", 1, 2, 3, 4), "[[1,2],[3,4]]", "[[1,2],[3,4]]", "[[1,2],[3,4]]"),
        (Array(BOOL, 2), b"\x01\0", "[true,false]", "[true,false]", "[true,false]"),
        (Array(INT32, 0), b"", "[]", "[]", "[]"),
        (COLOR, pack("=I", 1), "RED", "RED", "1"),
        (COLOR, pack("=I", 2), "2", "2", "2"),
        (RECORD, pack("=q8s", 5, b"x"), "{ .first = 5, .second = x }", "{.first=5,.second=x}",
         '{"first": 5, "second": "x"}'),
        (Tuple((RECORD, COLOR)), pack("=q8sI4x", 5, b"x", 7), "({ .first = 5, .second = x }, BLUE)",
         "{.first=5,.second=x},BLUE", '[{"first": 5, "second": "x"},7]'),
        (Struct("struct none", 0, {}), b"", "{}", "{}", "{}"),
    ],
)  # fmt: skip
def test_stored(type: Type, data: bytes, text: str, key: str, json: str) -> None:
    value = stored_decoder(type)(data)
    assert value_text(type, value) == text
    assert json_key(type, value) == key
    assert json_text(value) == json


def test_key_of_an_array_keeps_its_brackets() -> None:
    value = stored_decoder(Array(INT8, 2))(b"\1\2")
    assert key_text(Array(INT8, 2), value) == "[1,2]"
    assert key_text(Tuple((Array(INT8, 2), INT64)), (value, 3)) == "[1,2], 3"


def test_records_hold_structs_arrays_and_enums() -> None:
    types = (INT32, THING, COLOR, Array(INT8, 3), RECORD)
    record = Record(3, "printf", types, text="%d|%s|%s %d|%s|%s|\n")
    layout = record.layout
    assert [offset for offset, _ in layout.leaves] == [0, 8, 56, 64, 72, 80]
    data = pack("=II i4x 48s I4x 3s5x q8s", 3, layout.size, -1, THING_BYTES, 7, b"\1\2\3", 9, b"end")
    assert record_decoder(types)(data)[1]["in"]["y"] == 6
    two = Record(3, "printf", (*types[:3], *types[2:]), text=record.text)
    again = pack("=II i4x 48s II 3s5x q8s", 3, two.layout.size, -1, THING_BYTES, 7, 7, b"\1\2\3", 9, b"end")
    line = printf_line(two, NOTHING, None)(again)
    assert line == f"-1|{THING_TEXT}|BLUE 7|[1,2,3]|{{ .first = 9, .second = end }}|\n".encode()
    assert print_line(record, NOTHING, None)(data) == b"{ .first = 9, .second = end }\n"


def test_strings_inside_structs_are_escaped() -> None:
    from kernscope.output.escape import escape_bytes

    holder = Struct("struct s", 8, {"name": StructField("name", String(8), 0)})
    record = Record(0, "print_value", (holder,))
    data = pack("=II8s", 0, 8, b"a\x1b[2J")
    assert b"\x1b" not in print_line(record, NOTHING, escape_bytes)(data)
    assert print_line(record, NOTHING, None)(data) == b"{ .name = a\x1b[2J }\n"


def test_defaults() -> None:
    assert value_text(POINT, default_value(POINT)) == "{ .x = 0, .y = 0 }"
    assert value_text(RECORD, default_value(RECORD)) == "{ .first = 0, .second =  }"
    assert value_text(Array(INT8, 2), default_value(Array(INT8, 2))) == "[0,0]"

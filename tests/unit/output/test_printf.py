"""printf against bpftrace 0.27's observed output (and C's, where bpftrace ignores part of the format)."""

from typing import Any

import pytest
from records import encode_record

from kernscope.bundle import Record
from kernscope.output.escape import escape_bytes
from kernscope.output.lines import join_line, print_line, printf_line
from kernscope.output.printf import Conversion, accepts, is_supported, parse_format
from kernscope.output.symbolic import SymbolFacts
from kernscope.types import (
    BOOL,
    INT8,
    INT16,
    INT32,
    INT64,
    UINT8,
    UINT32,
    UINT64,
    Buffer,
    Pointer,
    String,
    Symbolic,
    Tuple,
    Type,
)

FACTS = SymbolFacts(probes=("begin", "interval:s:1"), user_name=lambda uid: {0: "root"}.get(uid, str(uid)))
S = String(200)
B = Buffer(16)
P = Pointer(UINT8)
MAX64 = (1 << 64) - 1


def printf(format: str, *arguments: tuple[Type, Any], escape: Any = None) -> bytes:
    types = tuple(t for t, _ in arguments)
    record = Record(0, "printf", types, text=format)
    return printf_line(record, FACTS, escape)(encode_record(0, types, tuple(v for _, v in arguments)))


def ints(type: Type, *values: int) -> list[tuple[Type, int]]:
    return [(type, v) for v in values]


@pytest.mark.parametrize(
    ("format", "arguments", "expected"),
    [
        ("%d %i %u %x %X %o %c|", ints(INT64, -1, -2, 3, 255, 255, 8, 65), "-1 -2 3 ff FF 10 A|"),
        ("%d %u %x %X %o|", ints(INT8, -1, -1, -1, -1, -1), "-1 4294967295 ffffffff FFFFFFFF 37777777777|"),
        ("%d %u %x|", ints(INT16, -1, -1, -1), "-1 4294967295 ffffffff|"),
        ("%d %u %x|", ints(INT64, -1, -1, -1), "-1 4294967295 ffffffff|"),
        ("%d %u %x|", ints(UINT8, 255, 255, 255), "255 255 ff|"),
        ("%d %d|", [(UINT64, MAX64), (UINT32, 4294967295)], "-1 -1|"),
        (
            "%ld %lu %lx %lld %llu %llx|",
            ints(INT8, -1, -1, -1, -1, -1, -1),
            f"-1 {MAX64} {MAX64:x} -1 {MAX64} {MAX64:x}|",
        ),
        (
            "%hd %hu %hx %hhd %hhu %hhx|",
            ints(INT64, 70000, 70000, 70000, 300, 300, 300),
            "4464 4464 1170 44 44 2c|",
        ),
        ("%hhd %hd|", ints(INT64, 200, 40000), "-56 -25536|"),
        ("%jd %zd %td|", ints(INT64, -1, -1, -1), "-1 -1 -1|"),
        (
            "%5d|%-5d|%05d|%+d|%#x|%#o|",
            ints(INT64, 42, 42, 42, 42, 42, 42),
            "   42|42   |00042|+42|0x2a|052|",
        ),
        ("%-+8d|%#x|", ints(INT64, 42, 0), "+42     |0|"),
        ("%06x %+5d|%#10x|%-#10x|", ints(INT64, 255, 7, 255, 255), "0000ff    +7|      0xff|0xff      |"),
        ("%08d %5u|", ints(INT64, -42, 3), "-0000042     3|"),
        ("%10s|%-10s|%5.2s|%s|", [(S, b"abc")] * 4, "       abc|abc       |   ab|abc|"),
        ("%p %p|", [(INT64, 1234), (UINT64, 0)], "0x4d2 0|"),
        ("%20p|%-20p|", ints(INT64, 1234, 1234), "               0x4d2|0x4d2               |"),
        ("%c%c|", ints(INT64, 65, 0), "A\0|"),
        ("%5c|%-5c|", ints(INT64, 65, 65), "    A|A    |"),
        ("%%|%5%\n", [], "%|%\n"),
        ("100%\n", [], "100%\n"),
        ("100%, %d", ints(INT64, 3), "100%, 3"),
        ("%rx|%rh|", [(B, b"abcd")] * 2, r"\x61\x62\x63\x64|61 62 63 64|"),
        ("%r|", [(B, b'ab\x01\n\\"')], r"ab\x01\x0a\"|"),
        ("%10r|%10rx|%-12rh|", [(B, b"ab")] * 3, r"        ab|  \x61\x62|61 62       |"),
        ("%s %d", [(BOOL, True), (BOOL, True)], "true 1"),
        ("%5s|%-5s|%s", ints(INT64, 7, -7, 5), "    7|-7   |5"),
        ("%s %s", [(Tuple((INT64, S)), (1, b"a")), (BOOL, False)], "(1, a) false"),
        (
            "%s|%10s",
            [(Tuple((INT64, Tuple((INT64, S)))), (1, (2, b"x"))), (Tuple((INT64, INT64)), (1, 2))],
            "(1, (2, x))|    (1, 2)",
        ),
        ("%s %s", [(Symbolic("probe"), (1,)), (String(16), b"bash")], "interval:s:1 bash"),
        ("%s %s", [(Symbolic("username"), (0,)), (Symbolic("username"), (77,))], "root 77"),
        ("%p %s", [(P, 0xFFFFFFFF81000000)] * 2, "0xffffffff81000000 0xffffffff81000000"),
        ("%s|", [(B, b"a\x01")], r"a\x01|"),
        ("héllo %s", [(S, "wörld".encode())], "héllo wörld"),
        # Beyond 32 bits nothing is cut off, unlike in bpftrace and C.
        (
            "%d %u %x",
            [(INT64, 1 << 40), (UINT64, MAX64), (INT64, -(1 << 40))],
            f"{1 << 40} {MAX64} ffffff0000000000",
        ),
        # bpftrace ignores precisions without a width; here they mean what C says.
        ("%.2s|%.3d|%10.5d|% d|", [(S, b"abc"), *ints(INT64, 42, 42, 42)], "ab|042|     00042| 42|"),
    ],
)
def test_printf(format: str, arguments: list[tuple[Type, Any]], expected: str) -> None:
    assert printf(format, *arguments) == expected.encode()


def test_bytes_that_are_not_utf8_go_through_unchanged() -> None:
    assert printf("<%s>", (S, b"\xff\xfe\x1b[31m")) == b"<\xff\xfe\x1b[31m>"
    assert printf("\udcff%s", (S, b"")) == b"\xff"


def test_arguments_are_escaped_for_a_terminal_but_the_format_is_not() -> None:
    hostile = b"\x1b]0;pwned\x07\rfake"
    line = printf("\x1b[1m%s\x1b[0m\n", (S, hostile), escape=escape_bytes)
    assert line == b"\x1b[1m\\x1b]0;pwned\\x07\\x0dfake\x1b[0m\n"
    tuple_type = Tuple((INT64, S))
    record = Record(0, "print_value", (tuple_type,))
    line = print_line(record, FACTS, escape_bytes)(encode_record(0, (tuple_type,), ((1, b"a\nb"),)))
    assert line == b"(1, a\\x0ab)\n"


@pytest.mark.parametrize("format", ["%", "%q", "%*d", "%1$d", "%-*d|"])
def test_what_is_no_conversion_is_text(format: str) -> None:
    assert printf(format) == format.encode()


def test_parse_gives_positions() -> None:
    parts = parse_format("a %-5.3lld b %rx")
    assert [p if isinstance(p, str) else (repr(p), p.start, p.end) for p in parts] == [
        "a ",
        ("%-5.3lld", 2, 10),
        " b ",
        ("%rx", 13, 16),
    ]


def test_which_types_conversions_take() -> None:
    def one(format: str) -> Conversion:
        (conversion,) = parse_format(format)
        assert isinstance(conversion, Conversion)
        return conversion

    assert accepts(one("%d"), INT32) and accepts(one("%d"), BOOL) and not accepts(one("%d"), S)
    assert accepts(one("%s"), S) and accepts(one("%s"), INT32)
    assert accepts(one("%r"), B) and not accepts(one("%r"), S)
    assert not is_supported(one("%f")) and is_supported(one("%x"))


def test_join_takes_as_many_strings_as_there_are() -> None:
    types = (UINT32, S, S, S)
    record = Record(0, "join", types, text=", ")
    data = encode_record(0, types, (2, b"a", b"", b"left over"))
    assert join_line(record, FACTS, None)(data) == b"a, \n"

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernscope.syntax.literals import NumberError, StringError, decode_string, encode_string, read_number

CHARACTERS = st.characters(exclude_categories=["Cs"]) | st.integers(0xDC80, 0xDCFF).map(chr)


@pytest.mark.parametrize(
    ("text", "value", "suffix"),
    [
        ("0", 0, ""),
        ("00", 0, ""),
        ("42", 42, ""),
        ("1_000_123_000", 1000123000, ""),
        ("0755", 493, ""),
        ("0x10", 16, ""),
        ("0XfF", 255, ""),
        ("0xdead_beef", 0xDEADBEEF, ""),
        ("0x1dUL", 29, "ul"),
        ("2e3", 2000, ""),
        ("1E6", 1000000, ""),
        ("0e5", 0, ""),
        ("1_0e2", 1000, ""),
        ("123UL", 123, "ul"),
        ("123u", 123, "u"),
        ("123LL", 123, "ll"),
        ("123llu", 123, "llu"),
        ("017u", 15, "u"),
        ("3ns", 3, "ns"),
        ("3us", 3000, "us"),
        ("3ms", 3000000, "ms"),
        ("3s", 3000000000, "s"),
        ("3m", 180000000000, "m"),
        ("2h", 7200000000000, "h"),
        ("1d", 86400000000000, "d"),
        ("010s", 10000000000, "s"),
        ("1e3s", 1000000000000, "s"),
        ("18446744073709551615", 2**64 - 1, ""),
        ("0xffffffffffffffff", 2**64 - 1, ""),
        ("0" * 5000 + "7", 7, ""),
    ],
)
def test_read_number(text: str, value: int, suffix: str) -> None:
    assert read_number(text) == (value, suffix)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("12abc", "form"),
        ("0x", "form"),
        ("0xg", "form"),
        ("1e", "form"),
        ("1e2e3", "form"),
        ("5mss", "form"),
        ("1uu", "form"),
        ("0x10ms", "form"),
        ("089", "octal"),
        ("0b101", "binary"),
        ("18446744073709551616", "range"),
        ("0x10000000000000000", "range"),
        ("02000000000000000000000", "range"),
        ("1e20", "range"),
        ("1e99999999999", "range"),
        ("213504d", "range"),
        ("9" * 100000, "range"),
        ("0x" + "f" * 100000, "range"),
        ("1e" + "9" * 100000, "range"),
    ],
)
def test_read_number_refuses(text: str, reason: str) -> None:
    with pytest.raises(NumberError) as caught:
        read_number(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'""', ""),
        (r'"plain"', "plain"),
        (r'"a\nb\tc"', "a\nb\tc"),
        (r'"\\\"\r"', '\\"\r'),
        (r'"\0"', "\0"),
        (r'"\033[31m"', "\x1b[31m"),
        (r'"\1012"', "A2"),
        (r'"\x41\x4"', "A\x04"),
        (r'"\x412"', "A2"),
        (r'"\xff\377"', "\udcff\udcff"),
        ('"한글"', "한글"),
    ],
)
def test_decode_string(text: str, value: str) -> None:
    assert decode_string(text) == value


def test_bytes_of_escapes_are_kept() -> None:
    # The UTF-8 of U+D55C, written byte by byte.
    value = decode_string(r'"\xed\x95\x9c"')
    assert value.encode("utf-8", "surrogateescape") == "한".encode()


@pytest.mark.parametrize(
    ("text", "start", "end"), [(r'"ab\q"', 3, 5), (r'"\xg"', 1, 3), (r'"\400"', 1, 5), ('"\\\n"', 1, 3)]
)
def test_decode_string_refuses(text: str, start: int, end: int) -> None:
    with pytest.raises(StringError) as caught:
        decode_string(text)
    assert (caught.value.start, caught.value.end) == (start, end)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(CHARACTERS))
def test_strings_round_trip(value: str) -> None:
    text = encode_string(value)
    assert decode_string(text) == value
    assert "\n" not in text

"""Hostile strings do nothing on a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernscope.output.escape import escape_bytes, escape_text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"plain name.txt", b"plain name.txt"),
        ("한글 ü".encode(), "한글 ü".encode()),
        (b"\x1b]0;title\x07", rb"\x1b]0;title\x07"),
        (b"a\rb\nc\td", rb"a\x0db\x0ac\x09d"),
        (b"\x7f", rb"\x7f"),
        (b"\xc2\x9b31m", rb"\x9b31m"),  # C1 CSI
        (b"\xff\xc3", rb"\xff\xc3"),
        ("abc\u202ecba".encode(), rb"abc\u202ecba"),  # right-to-left override
        ("\u2028\u200b\ufeff".encode(), rb"\u2028\u200b\ufeff"),
        ("\U000e0041".encode(), rb"\U000e0041"),  # tag characters are invisible
    ],
)
def test_examples(raw: bytes, shown: bytes) -> None:
    assert escape_bytes(raw) == shown
    assert escape_text(raw.decode("utf-8", "surrogateescape")).encode() == shown


@given(st.binary())
def test_nothing_that_controls_a_terminal_is_left(raw: bytes) -> None:
    shown = escape_bytes(raw).decode()
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for c in shown)

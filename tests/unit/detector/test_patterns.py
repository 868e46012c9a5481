"""Patterns against Python's own matcher, and the ones that explode there."""

import random
import re
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernscope.detector.patterns import RefusedPattern, compile_glob, compile_regex

SMALL = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "(?:a|b)", "(?:ab)?", "^", "$", r"\d", "c"])
REPEATED = st.builds(
    lambda p, s: f"(?:{p}){s}", SMALL, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "*?"])
)
PATTERN = st.lists(SMALL | REPEATED, max_size=5).map("".join)


@settings(max_examples=120, deadline=None)
@given(PATTERN, PATTERN, st.text("abc1", max_size=7))
def test_matches_what_python_matches(one: str, other: str, text: str) -> None:
    pattern = f"(?:{one}|{other})*{one}"
    # `$` of Python also matches before a last line end; the texts have none.
    assert compile_regex(pattern).matches(text) == (re.fullmatch(pattern, text) is not None)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(a*)*b", "(.*)*x", "a?" * 200 + "a" * 200])
def test_nothing_explodes(pattern: str) -> None:
    compiled = compile_regex(pattern)
    started = time.process_time()
    assert not compiled.matches("a" * 150)
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"(a)\1", "refers back"),
        ("(?=a)a", "looks ahead or behind"),
        ("(?<!a)b", "looks ahead or behind"),
        ("(?>a*)b", "atomic"),
        ("a++", "possessive"),
        (r"\bword\b", "word boundary"),
        ("(a", "missing )"),
        ("(?:a{100}){100}", "more than 1000 places"),
        ("(?m)^a", "flag `m`"),
        ("(" * 500 + "a" + ")" * 500, "nested"),
        ("a" * 5000, "longer than"),
    ],
)
def test_refused(pattern: str, why: str) -> None:
    with pytest.raises(RefusedPattern, match=re.escape(why)):
        compile_regex(pattern)


@pytest.mark.parametrize(
    ("glob", "text", "matches"),
    [
        ("/home/*/.ssh/*", "/home/a-b/.ssh/id_rsa", True),
        ("/home/*/.ssh/*", "/home/a-b/.ssh", False),
        ("/home/*/.ssh/*", "/home/a-b/deep/.ssh/id", True),
        ("*../*../*", "../../etc/passwd", True),
        ("?at", "cat", True),
        ("?at", "at", False),
        ("[a-c]x", "bx", True),
        ("[!a-c]x", "bx", False),
        ("[]]x", "]x", True),
        ("[^a]", "b", True),
        (r"\*", "*", True),
        (r"\*", "a", False),
        ("[a", "[a", True),
        ("a.c", "abc", False),
        ("*", "a\nb", True),
    ],
)
def test_globs(glob: str, text: str, matches: bool) -> None:
    assert compile_glob(glob).matches(text) is matches


def test_case() -> None:
    assert compile_glob("*.SSH", ignore_case=True).matches("/root/.ssh")
    assert compile_regex("(?i)[a-c]+X").matches("AbCx")


def test_memory_is_bounded() -> None:
    pattern = compile_regex("(?:.{0,12}x)*")
    for number in range(4000):
        pattern.matches(f"{number:b}x" * 9)
    assert len(pattern._states) <= 1000


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=12), st.text(max_size=5))
def test_any_text_is_a_pattern_or_refused(pattern: str, text: str) -> None:
    compile_glob(pattern).matches(text)
    with suppress(RefusedPattern):
        compile_regex(pattern).matches(text)


LONG = (
    *(
        ".*x-ray.*",
        ".*[.](lock|enc|crypt)",
        "(?s:.*)z",
        "[a-q ]*[r-z ]*",
        "(.* )?-[a-z]*R( .*)?",
        "[^z]*z[^z]*",
    ),
    *(".*(ab|ba).*(cd|dc).*", "(?i)[a-z .-]*END", ".*a.{3}b.*"),
)


@pytest.mark.parametrize("pattern", LONG)
def test_long_texts(pattern: str) -> None:
    """Where most characters lead nowhere else, they are skipped together."""
    choose = random.Random(pattern)
    ours, theirs = compile_regex(pattern), re.compile(pattern)
    ends = ("", "z", ".lock", ".enc", " -aR", "END", "end", " x-ray", "dcab", "\n", "axyzb")
    for _ in range(300):
        alphabet = "".join(choose.sample("abcdefghijklmnopqrstuvwxyz -.R\u00e9", choose.randint(1, 31)))
        text = "".join(choose.choices(alphabet, k=choose.randint(0, 60))) + choose.choice(ends)
        assert ours.matches(text) is (theirs.fullmatch(text) is not None), text

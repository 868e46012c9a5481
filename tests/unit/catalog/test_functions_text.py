"""Functions on strings, bytes and types, run in the user-space machine; what is expected comes from Python."""

import errno
import os

import pytest
from vm_output import errors_of, output_of

WITHOUT_MAY_GOTO = {"without": ("may_goto",)}


def value(expression: str, before: str = "", **facts: object) -> str:
    return output_of(f"begin {{ {before} print(({expression}, 0)); exit(); }}", **facts)[1:-5]


@pytest.mark.parametrize("facts", [{}, WITHOUT_MAY_GOTO], ids=["may_goto", "walked"])
@pytest.mark.parametrize(
    ("hay", "needle"),
    [
        ("hello", "l"),
        ("hello", ""),
        ("hello", "lo"),
        ("", ""),
        ("he", "hello"),
        ("aaaaaaab", "aab"),
        ("x" * 40 + "needle in it", "needle in it"),
        ("abc", "d"),
    ],
)
def test_search(hay: str, needle: str, facts: dict[str, object]) -> None:
    expected = hay.find(needle)
    found = str(needle in hay).lower()
    assert value(f'strstr("{hay}", "{needle}")', **facts) == str(expected)
    variables = f'$h = "{hay}"; $n = "{needle}";'
    assert value("strstr($h, $n)", variables, **facts) == str(expected)
    assert value("strcontains($h, $n)", variables, **facts) == found


@pytest.mark.parametrize("text", ["", "a", "1234567", "12345678", "x" * 63, "x" * 200])
def test_lengths(text: str) -> None:
    assert value(f'strlen("{text}")') == str(len(text))
    assert value("strlen($s)", f'$s = "{text}";') == str(len(text))
    assert value("strcap($s)", f'$s = "{text}";') == str(len(text) + 1)


@pytest.mark.parametrize(
    ("left", "right", "length", "expected"),
    [
        ("abc", "abcdef", 3, 0),
        ("abc", "abcdef", 4, 1),
        ("abc", "abcdef", 10, 1),
        ("abc", "abd", 2, 0),
        ("abc", "abd", 3, 1),
        ("abc", "xyz", 0, 0),
        ("b", "a", 1, 1),
        ("0123456789abcdef!", "0123456789abcdef?", 16, 0),
        ("0123456789abcdef!", "0123456789abcdef?", 17, 1),
    ],
)
def test_strncmp(left: str, right: str, length: int, expected: int) -> None:
    assert value(f'strncmp("{left}", $r, {length})', f'$r = "{right}";') == str(expected)


@pytest.mark.parametrize("facts", [{}, WITHOUT_MAY_GOTO], ids=["may_goto", "walked"])
def test_memcmp_gives_the_difference_of_the_first_byte_that_differs(facts: dict[str, object]) -> None:
    cases = (
        'memcmp("abc", "abd", 3), memcmp("abd", "abc", 3), memcmp("zbc", "abc", 3), memcmp("abc", "abd", 2)'
    )
    expected = [ord("c") - ord("d"), ord("d") - ord("c"), ord("z") - ord("a"), 0]
    assert value(cases, **facts) == ", ".join(map(str, expected))
    assert value("memcmp($a, $b, $n)", '$a = "abc"; $b = "abcd"; $n = 4;', **facts) == str(-ord("d"))
    assert value("memcmp(5, 6, 8), memcmp(5, 5, 8)", **facts) == "-1, 0"


def test_bswap_keeps_the_width() -> None:
    for bits, number in ((16, 0x1234), (32, 0x12345678), (64, 0x0102030405060708)):
        expected = int.from_bytes(number.to_bytes(bits // 8, "little"), "big")
        assert value(f"bswap((uint{bits}){number})") == str(expected)
    assert value("bswap((uint8)0x12), bswap(-2)") == "18, 254"


@pytest.mark.parametrize("number", [0, errno.EPERM, -errno.ENOENT, errno.EPIPE, errno.EOWNERDEAD])
def test_strerror(number: int) -> None:
    expected = os.strerror(abs(number))
    assert value(f"strerror({number})") == expected
    assert value("strerror($e)", f"$e = {number};") == expected


def test_words_of_the_kernel() -> None:
    assert value("strerror(5), strerror(25)") == "I/O error, Not a typewriter"


def test_numbers_without_a_name() -> None:
    assert (
        value("strerror(9999), strerror(41), syscall_name(-1)")
        == "Unknown error, Unknown error, Unknown syscall"
    )
    assert value("syscall_name(0), syscall_name(231)") == "read, exit_group"  # x86_64's numbers


def test_predicates() -> None:
    assert value('is_str("a"), is_str(1), is_integer(1), is_integer("a")') == "true, false, true, false"
    assert value("is_unsigned_integer(pid), is_unsigned_integer(-1)") == "true, false"
    assert value("is_ptr(curtask), is_ptr(1), is_array(1)") == "true, false, false"
    assert value('is_literal(1), is_literal("a"), is_literal(pid)') == "true, true, false"


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("strlen(5)", "type-mismatch"),
        ('strlen("a", 1)', "wrong-arguments"),
        ('strncmp("a", "b", -1)', "wrong-arguments"),
        ('strncmp("a", "b", pid)', "constant-needed"),
        ('strncmp("a", "b")', "wrong-arguments"),
        ('strstr(1, "b")', "type-mismatch"),
        ('bswap("a")', "type-mismatch"),
        ('strerror("x")', "type-mismatch"),
        ('memcmp("a", "b")', "wrong-arguments"),
        ("assert_str(1)", "type-mismatch"),
        ('static_assert(0, "x")', "assertion-failed"),
        ('static_assert(pid, "x")', "constant-needed"),
        ('fail("no %d", 5)', "assertion-failed"),
        ('kptr("a")', "type-mismatch"),
    ],
)
def test_wrong_arguments(program: str, code: str) -> None:
    assert code in errors_of(f"begin {{ {program}; exit(); }}")


def test_searching_a_long_text_needs_a_bound_on_old_kernels() -> None:
    program = "begin { $p = curtask; print(strcontains(str($p), str($p))); exit(); }"
    assert errors_of(program) == []
    assert errors_of(program, without=("may_goto",)) == ["string-too-long"]


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ('if comptime (is_str("a")) { print(1); } else { fail("x"); }', "1\n"),
        ('if comptime (is_str(1)) { fail("x"); } else { print(2); }', "2\n"),
        ('if comptime (is_str(1)) { fail("x"); } print(3);', "3\n"),
        ("$x = 5; if comptime (is_integer($x)) { print(4); } else { print(strlen($x)); }", "4\n"),
        ("$a = if comptime (1) { 5 } else { 6 }; print($a);", "5\n"),
        ("if comptime (!is_str(1)) { print(6); }", "6\n"),
    ],
)
def test_the_other_side_of_a_choice_when_compiling_is_not_compiled(program: str, expected: str) -> None:
    assert output_of(f"begin {{ {program} exit(); }}") == expected


def test_a_choice_when_compiling_wants_a_constant() -> None:
    assert errors_of("begin { if comptime (pid == 1) { print(1); } exit(); }") == ["constant-needed"]

"""Statements, macros, imports, settings and parameters on the running kernel.

What is expected was read in the language's reference, or seen in bpftrace 0.27.1.
"""

import os
from pathlib import Path

import pytest
from command_line import kernscope, needs_tracing

pytestmark = needs_tracing


def lines(program: str, *arguments: str, **options: object) -> list[str]:
    """The lines that a program prints, empty ones aside."""
    done = kernscope("run", "-q", "-e", program, *arguments, **options)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.split("\n") if line]


# Each program ends by itself; the second value is all that it prints.
PROGRAMS = {
    # declarations and scopes
    "let with types": (
        'begin { let $a : int32 = 5; let $b : string[10] = "abc"; let $c; $c = "x"; print(($a, $b, $c)); exit() }',
        ["(5, abc, x)"],
    ),
    "let without a value": ("begin { let $x; if (0) { $x = 5; } print($x); exit() }", ["0"]),
    "a name in two blocks": (
        'begin { if (1) { let $a = 2; print($a); } if (1) { let $a = "x"; print($a); } exit() }',
        ["2", "x"],
    ),
    "a block changes a variable around it": (
        "begin { $a = 1; { $b = 2; $a = $b; } print($a); exit() }",
        ["2"],
    ),
    # blocks and ifs as values
    "block": ("begin { let $x = { let $b = 1; $b + 1 }; print({ $x * $x }); exit() }", ["4"]),
    "block as key and condition": (
        'begin { @a[{ 1 + 1 }] = 3; if ({ 1 }) { print("y"); } exit() }',
        ["y", "@a[2]: 3"],
    ),
    "if": (
        'begin { $x = if (0) { 5 } else if (2) { 6 } else { 7 }; print(if ($x > 1) { "big" } else { "small" }); '
        "exit() }",
        ["big"],
    ),
    "conditions": (
        "begin { if (0) { print(1) } else if (1) { print(2) } else { print(3) } $b = 0 ?: 7; print(1 ? $b : 2); "
        "exit() }",
        ["2", "7"],
    ),
    # loops
    "range": ("begin { for ($i : 0..3) { print($i); $i = 10; } exit() }", ["0", "1", "2"]),
    "empty range": ("begin { for ($i : 3..0) { print($i); } exit() }", []),
    "range below zero": ("begin { $a = -2; for $i : $a..1 { print($i) } exit() }", ["-2", "-1", "0"]),
    "the end is evaluated once": (
        "begin { $a = 3; for ($i : 0..$a) { print($i); $a--; } print($a); exit() }",
        ["0", "1", "2", "0"],
    ),
    "nested ranges": (
        "begin { for ($i : 0..5) { for ($j : 0..5) { if ($j > $i) { break; } @n++; } } exit() }",
        ["@n: 15"],
    ),
    "a loop over a map": (
        "begin { @x[1,2] = 3; for ($kv : @x) { print($kv.0.0); print($kv.0.1); print($kv.1); } clear(@x); exit() }",
        ["1", "2", "3"],
    ),
    "sum over a map": (
        "begin { @[1] = 4; @[2] = 5; @[3] = 6; $s = 0; "
        "for ($kv : @) { if ($kv.0 == 2) { continue; } $s += $kv.1; } print($s); clear(@); exit() }",
        ["10"],
    ),
    "a loop over a map in another": (
        "begin { @a[1] = 5; @b[7] = 6; for ($k : @a) { for ($j : @b) { print(($k, $j)); } } exit() }",
        ["((1, 5), (7, 6))", "@a[1]: 5", "@b[7]: 6"],
    ),
    "a range in a loop over a map": (
        "begin { @a[1] = 1; for ($kv : @a) { for ($i : 0..3) { if ($i == 1) { continue; } print($i); } } clear(@a);"
        " exit() }",
        ["0", "2"],
    ),
    "break out of a loop over a map": (
        "begin { @[1] = 1; @[2] = 1; for ($kv : @) { @n++; break; } clear(@); exit() }",
        ["@n: 1"],
    ),
    "return out of a loop over a map": (
        'begin { @[1] = 1; @[2] = 1; for ($kv : @) { print("once"); clear(@); return; } print("never"); } '
        "interval:ms:20 { exit() }",
        ["once"],
    ),
    "return out of a range": (
        'begin { for ($i : 0..9) { print($i); if ($i == 1) { return; } } print("never"); } '
        'interval:ms:20 { exit() } end { print("end") }',
        ["0", "1", "end"],
    ),
    "exit in a loop": ("begin { for ($i : 0..9) { if ($i == 2) { exit(); } print($i); } }", ["0", "1"]),
    "strings change in a loop": (
        'begin { $s = "abc"; @a[1] = 1; for ($kv : @a) { $s = "xyzzy"; } print($s); clear(@a); exit() }',
        ["xyzzy"],
    ),
    "while": (
        "begin { $i = 0; while ($i < 3) { $i++; $j = 0; while (1) { $j++; if ($j > 2) { break } } "
        "if ($i == 2) { continue } print(($i, $j)); } exit() }",
        ["(1, 3)", "(3, 3)"],
    ),
    "unroll": ("begin { unroll(1 + 2) { @a++; } exit() }", ["@a: 3"]),
    "unroll in a loop": (
        "begin { for ($i : 0..3) { unroll(2) { @[$i]++; } } print(@[2]); clear(@); exit() }",
        ["2"],
    ),
    # assignments
    "operators": (
        "begin { $a = 1; $a += 2; $a *= 5; $a <<= 2; $a |= 1; $a ^= 3; $a %= 7; $a -= 1; print($a); exit() }",
        ["5"],
    ),
    "operators on a map": (
        "begin { @a = 1; @a += 2; @a *= 5; @a <<= 2; @a |= 1; @a ^= 3; @a -= 1; exit() }",
        ["@a: 61"],
    ),
    "before and after": (
        "begin { $x = 10; $y = $x--; $z = --$x; print(($x, $y, $z)); exit() }",
        ["(8, 10, 8)"],
    ),
    # literals
    "numbers": (
        "begin { print((1e3, 1_000, 0x1F, 0X1f, 017, 1us, 5m, 2h, 1d, 5ns, 1e3ms, 1_000s)); exit() }",
        [
            "(1000, 1000, 31, 31, 15, 1000, 300000000000, 7200000000000, 86400000000000, 5, 1000000000, "
            "1000000000000)"
        ],
    ),
    "suffixes of C": ("begin { print((10UL, 0xffULL, 3u, 4LL)); exit() }", ["(10, 255, 3, 4)"]),
    "escapes": (r'begin { print("a\x41\101\t|\"q\\"); exit() }', ['aAA\t|"q\\']),
    "comptime": ("begin { print(comptime 5 + 3); print(comptime (1 << 3)); exit() }", ["8", "8"]),
    # order of probes
    "begin and end, several times": (
        "begin { print(1) } begin { print(2); exit(); print(22) } begin { print(3) } end { print(4) } end { print(5) }",
        ["1", "2", "4", "5"],
    ),
    "predicates": ('begin /1 == 2/ { print("no") } begin /1 == 1/ { print("yes"); exit() }', ["yes"]),
    # declared maps
    "lruhash": (
        "let @m = lruhash(2); begin { @m[1] = 1; @m[2] = 2; @m[3] = 3; exit() }",
        ["@m[2]: 2", "@m[3]: 3"],
    ),
    "percpuhash": ("let @m = percpuhash(2); begin { @m[1] = count(); exit() }", ["@m[1]: 1"]),
    "hash without keys": ("let @a = hash(3); begin { @a = 1; exit() }", ["@a: 1"]),
    # macros: the examples of the reference
    "macros": (
        "macro one() { 1 } macro add_one(x) { x + 1 } macro add_one_to_each($a, @b) { $a += 1; @b += 1; } "
        "macro side_effects(x) { x; x; x; } macro add_two(x) { add_one(x) + 1 } "
        "begin { print(one()); print(one); $a = 10; print(add_one($a)); print(add_one(1 + 1)); @b = 5; "
        'add_one_to_each($a, @b); print($a + @b); side_effects({ printf("hi") }); print(add_two(1)); clear(@b); '
        "exit() }",
        ["1", "1", "11", "3", "17", "hihihi3"],
    ),
    "hygiene": (
        "macro m($x) { let $t = $x; $x = 5; $t } macro n(x) { let $t = 10; x + $t } "
        "begin { $t = 1; $r = m($t); print(($t, $r)); $t = 1; print(n($t)); exit() }",
        ["(5, 1)", "11"],
    ),
    "macros by kinds of arguments": (
        "macro m($x) { $x } macro m(x) { x + 1 } begin { $y = 5; print(m($y)); print(m(1)); exit() }",
        ["5", "2"],
    ),
    "maps of macros": ("macro m(@x, k) { @x[k] = 1; } begin { m(@a, 3); exit() }", ["@a[3]: 1"]),
    "#define": (
        '#define X 5 + 1\n#define S "hello"\n#define A 1\n#define A 2\n'
        "begin { print(X * 2); print(S); print(A); exit() }",
        ["12", "hello", "2"],
    ),
    "#define with parameters": (
        "#define MAX(a, b) ((a) > (b) ? (a) : (b))\nbegin { print(MAX(3, 4) + MAX(2, 1)); exit() }",
        ["6"],
    ),
    # functions
    "fn": (
        "fn f($a : int64) : int64 { return $a + 1; } begin { print(f(5)); print(f(f(1)) * 2); exit() }",
        ["6", "6"],
    ),
    "return in the middle of a function": (
        "fn abs($a : int64) : int64 { if ($a < 0) { return -$a; } return $a; } "
        "begin { $a = -3; print((abs($a), abs(4), $a)); exit() }",
        ["(3, 4, -3)"],
    ),
    "return out of a loop of a function": (
        "fn root($n : int64) : int64 { for ($i : 0..100) { if ($i * $i > $n) { return $i - 1; } } return -1; } "
        "begin { print((root(10), root(1000000))); exit() }",
        ["(3, -1)"],
    ),
    "return out of a function's loop over a map": (
        "fn find($k : int64) : int64 { for ($kv : @m) { if ($kv.0 == $k) { return $kv.1; } } return -1; } "
        "begin { @m[1] = 10; @m[2] = 20; print((find(2), find(3))); clear(@m); exit() }",
        ["(20, -1)"],
    ),
    "functions and texts": (
        'fn name($x : int64) : string[16] { if ($x == 1) { return "one"; } return "many"; } '
        'begin { print(name(1)); print(name(2)); if (name(1) == "one") { print("same"); } exit() }',
        ["one", "many", "same"],
    ),
    "a function without a value": (
        r'fn say($x : int64) : void { printf("x %d\n", $x); if ($x > 1) { return; } printf("small\n"); } '
        r'begin { say(1); say(2); print("after"); exit() }',
        ["x 1", "small", "x 2", "after"],
    ),
    "a function in a loop over a map": (
        "fn sum($a : int64) : int64 { $s = 0; for ($kv : @m) { $s += $kv.1 * $a; } return $s; } "
        "begin { @m[1] = 2; @n[7] = 3; for ($kv : @n) { print(sum($kv.1)); } clear(@m); clear(@n); exit() }",
        ["6"],
    ),
    # settings
    "print_maps_on_exit": ("config = { print_maps_on_exit = 0; } begin { @[1] = 1; exit() }", []),
    "max_map_keys": ("config = { max_map_keys = 1; } begin { @[1] = 1; @[2] = 2; exit() }", ["@[1]: 1"]),
    "missing_probes": (
        'config = { missing_probes = ignore } tracepoint:nope:nope { @ = 1 } begin { print("x"); exit() }',
        ["x"],
    ),
    "license": ('config = { license = "Dual MIT/GPL" } begin { print(1); exit() }', ["1"]),
    "old names": ("config = { strlen = 20; BPFTRACE_MAX_MAP_KEYS = 5 } begin { print(1); exit() }", ["1"]),
}


@pytest.mark.parametrize(("program", "expected"), PROGRAMS.values(), ids=PROGRAMS)
def test_program(program: str, expected: list[str]) -> None:
    assert lines(program) == expected


PARAMETERS = {
    "numbers and texts": (
        r'begin { printf("%d %s %d\n", $1, str($2), $#); exit() }',
        ["42", "hello"],
        ["42 hello 2"],
    ),
    "not given": ("begin { print($1); print($#); exit() }", [], ["0", "0"]),
    "as number and as text": (r'begin { printf("%d %s\n", $1, str($1)); exit() }', ["12"], ["12 12"]),
    "hexadecimal": ("begin { print($1 + 1); exit() }", ["0x10"], ["17"]),
    "behind its start": (r'begin { printf("%s\n", str($1 + 1)); exit() }', ["hello"], ["ello"]),
    "in predicates": ('begin /$1 == 5/ { print("five") } begin { exit() }', ["5"], ["five"]),
    "in targets": ('interval:ms:$1 { print("t"); exit() }', ["20"], ["t"]),
    "as a count": ("begin { unroll($1) { @a++; } exit() }", ["4"], ["@a: 4"]),
    "after --": ("begin { print(($1, $2)); exit() }", ["p1", "--", "20"], ["(p1, 20)"]),
    "options not given": (
        'begin { print((getopt("aa", 1), getopt("bb"), getopt("s", "def"))); exit() }',
        [],
        ["(1, false, def)"],
    ),
    "options": (
        'begin { print((getopt("aa", 1), getopt("bb"), getopt("s", "def"))); exit() }',
        ["--", "--aa=20", "--bb", "--s=xyz"],
        ["(20, true, xyz)"],
    ),
    "options and others": (
        'begin { print((getopt("a", -5), getopt("b", true), $#, str($1))); exit() }',
        ["--", "--a=-7", "pos", "--b=false"],
        ["(-7, false, 1, pos)"],
    ),
}


@pytest.mark.parametrize(("program", "given", "expected"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameters(program: str, given: list[str], expected: list[str]) -> None:
    assert lines(program, *given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [("--aa=xx", "wants a number, not `xx`"), ("--aa", "wants a number"), ("--zz=7", "has no option `--zz`")],
)
def test_wrong_options(given: str, message: str) -> None:
    done = kernscope("run", "-e", 'begin { print(getopt("aa", 1)); exit() }', "--", given)
    assert done.returncode == 1
    assert message in done.stderr


def test_the_environment_wins_over_the_program() -> None:
    program = "config = { max_map_keys = 20; } begin { @[1] = 1; @[2] = 2; exit() }"
    assert lines(program, env={**os.environ, "BPFTRACE_MAX_MAP_KEYS": "1"}) == ["@[1]: 1"]


def test_a_wrong_value_in_the_environment() -> None:
    environment = {**os.environ, "BPFTRACE_MAX_MAP_KEYS": "abc"}
    done = kernscope("run", "-e", "begin { exit() }", env=environment)
    assert done.returncode == 1
    assert "BPFTRACE_MAX_MAP_KEYS=abc" in done.stderr


def test_imports(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "main.bt").write_text('import "lib"; import "lib/b.bt"; begin { print(b(5)); exit(); }')
    (tmp_path / "lib" / "a.bt").write_text(
        'macro a(x) { x * 10 } begin { print("a"); } end { print("end"); }'
    )
    (tmp_path / "lib" / "b.bt").write_text('import "a.bt"; macro b(x) { a(x) + 1 } begin { print("b"); }')
    done = kernscope("run", "-q", str(tmp_path / "main.bt"))
    assert [line for line in done.stdout.split("\n") if line] == ["a", "b", "51", "end"]

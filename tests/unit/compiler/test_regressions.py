"""Programs that once were compiled wrongly, found by random ones; each is as small as it gets."""

import pytest
from vm_session import run

PROGRAMS = {
    # A 32-bit negation of a number that is found to be constant late.
    "narrow negation": (
        "begin { let $x: uint32; @m[1] = 1; for ($kv : @m) { @n++; } $x -= pid / $x;"
        " @ = (int64)uid | $x << 10; print(@); }",
        "@: 4398046510080\n",
    ),
    "zero divisor found late": ("begin { $v = 0; print(7 % ($v & uid)); }", "1\n"),
    "sign of an aggregation's number": ("begin { @m[1] = min(-127); print(@m[1] >> 60); }", "-1\n"),
    "unsigned aggregation in a quotient": (
        "begin { @s[1] = sum((uint64)-4 - pid + pid); print((uint64)@s[1] / 2 > 5); }",
        "true\n",
    ),
    "key evaluated once": (
        'begin { @k["x"] = 5; @m[--@k["x"]] >>= 1; @m[--@k["x"]] *= 2; print(@k["x"]); }',
        "3\n",
    ),
    "value before the key": ("begin { $i = 1; @m[$i++] = $i; print(@m[1]); }", "1\n"),
    "string read before it is assigned": (
        'begin { $s = "a"; print(($s, { $s = "b"; 1 }, $s)); }',
        "(a, 1, b)\n",
    ),
    "both sides of a comparison are evaluated": (
        'begin { if ("too long for it" == { print(1); "ab" }) { print(2); } }',
        "1\n",
    ),
    "arguments of strncmp of nothing": ('begin { print(strncmp({ print(1); "a" }, "b", 0)); }', "1\n0\n"),
    "arguments of strstr in order": (
        "begin { print(strstr({ print(1); comm }, { print(2); comm })); }",
        "1\n2\n0\n",
    ),
    "greatest value in a linear histogram": (
        "begin { @m[1] = -1; @h = lhist((uint64)@m[1], 0, 2, 1); print(@h); }",
        "@h:\n[2, ...)               1 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|\n\n",
    ),
    "histogram as a statement": (
        "begin { @h = lhist(5, 0, 9, 1); @h; _ = @h; @k[1] = hist(2); @k[{ print(3); 1 }]; { @h } clear(@h);"
        " clear(@k); }",
        "3\n",
    ),
    "aggregation as a key": ("begin { @c = count(); @m[@c] = 5; print(@m[1]); }", "5\n"),
}


@pytest.mark.parametrize(("program", "wanted"), PROGRAMS.values(), ids=list(PROGRAMS))
def test_regression(program: str, wanted: str) -> None:
    assert run(program).text == wanted

"""Loops in the running kernel: the verifier accepts them without walking through every round."""

import os
from collections.abc import Iterator

import pytest
from program_run import compiled, run_on

from kernscope.kernel import Kernel

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="loading programs needs root")


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with Kernel() as kernel:
        if not kernel.has_feature("may_goto"):
            pytest.skip("this kernel has no may_goto (Linux 6.9)")
        yield kernel


COMPARED = """begin { $n = 0; for ($i : 0..(pid & 7) + 500) { if ($i % 3 == 0) { $n++; } else { $n += 2; } }
  print($n > 500); }"""
COPIED = """begin { $n = 0; for ($i : 2..700) {
  $r = $i % (tid | 1) ? ($i, comm) : (0, comm); if ($r.0 == 5) { $n = 1; } } print($n); }"""
OVER_A_MAP = """begin { for ($i : 0..3000) { @m[$i] = $i; }
  $n = 0; for ($kv : @m) { $n++; if ($n == 7) { $n += 10; } } if ($n > 3000) { print($n); } }"""
NESTED = """begin { @m[1] = 1; @m[2] = 2;
  $s = 0; for ($a : @m) { for ($b : @m) { for ($i : 0..50) { $s += $a.1 * $b.1; } } } print($s); }"""
TWO_DEEP = """begin { $x = 0; for ($i : 0..300) { for ($j : 0..300) {
  $x = $x * 3 + $j; if ($x > 1000) { $x = 1; } } } print($x > 0); }"""


@pytest.mark.parametrize(
    ("program", "wanted"),
    [
        # What a round hands to the next is a known number at first, or after a comparison.
        ("begin { $s = 0; for ($i : 0..100000) { $s += $i; } print($s); }", "4999950000"),
        ("begin { $i = 0; while ($i < 1000000) { $i++; } print($i); }", "1000000"),
        (COMPARED, "true"),
        (COPIED, "1"),
        (OVER_A_MAP, "3010"),
        (NESTED, "450"),
        (TWO_DEEP, "true"),
    ],
)
def test_loop(kernel: Kernel, program: str, wanted: str) -> None:
    result = run_on(kernel, compiled(kernel, program, verify=True))
    assert result.text.decode() == f"{wanted}\n" and result.errors == []


def test_an_endless_loop_is_ended_by_the_kernel_and_reported(kernel: Kernel) -> None:
    result = run_on(kernel, compiled(kernel, "begin { while (true) { @x++; } print(1); }"))
    assert result.text == b"1\n"
    assert len(result.errors) == 1 and "limit on the length of loops" in result.errors[0]
    assert result.maps["@x"][None] > 1000


def test_the_probe_is_known_in_a_loop_over_a_map(kernel: Kernel) -> None:
    text = (
        "begin { @m[1] = 1; } tracepoint:syscalls:sys_exit_* { for ($kv : @m) { @[probe] = sum(args.ret); } }"
    )
    assert run_on(kernel, compiled(kernel, text, verify=True)).errors == []

"""Compile time grows no faster than the program. Times are of the processor, so that a busy machine matters little."""

import time

import pytest
from fixed_kernel import FixedKernel

from kernscope.compiler import compile_source
from kernscope.diagnostics import Source

SHAPES = {
    "map assignments": "@a{m}[{i}] = {i} + pid;",
    "aggregations": "@a[{i}] = count();",
    "conditions": "if (pid > {i} && tid < {i} || uid == 3) {{ @ = {i}; }}",
    "lines": 'printf("%d %s x{i}\\n", pid, comm);',
    "sums": "$s = pid" + " + {i}" * 60 + "; @s = $s;",
    "loops": "for ($i : 0..{i}) {{ @a[$i] = {i}; }}",
    "comparisons": 'if (comm == "name{i}") {{ @ = {i}; }}',
}


def _seconds(shape: str, count: int) -> float:
    statements = "".join(shape.format(i=i, m=i % 50) for i in range(count))
    source = Source("big", f"begin {{ {statements} }}")
    start = time.process_time()
    compile_source(source, FixedKernel())
    return time.process_time() - start


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_time_grows_with_the_program(shape: str) -> None:
    _seconds(shape, 10)
    small = min(_seconds(shape, 50) for _ in range(2))
    # eight times the program; quadratic behaviour would take 64 times as long
    assert _seconds(shape, 400) < 24 * small + 0.05


def test_a_thousand_map_assignments() -> None:
    assert _seconds("@a{m}[{i}] = {i} + pid;", 1000) < 2.0

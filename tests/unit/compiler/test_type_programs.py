"""Random programs full of types: each compiles, with every intermediate form checked, or is refused with a place."""

import pytest
from fake_kernel import FakeKernel
from type_programs import program

from kernscope.compiler.pipeline import compile_source
from kernscope.diagnostics import CompileError, Source

PROGRAMS = 150
"""For each of the tests."""


@pytest.mark.parametrize("first", range(0, 600, PROGRAMS))
def test_random_programs(first: int) -> None:
    compiled = 0
    for seed in range(first, first + PROGRAMS):
        text = program(seed)
        try:
            compile_source(Source("random", text), FakeKernel(), verify=True)
            compiled += 1
        except CompileError as refused:
            assert all(d.span is not None for d in refused.diagnostics), (seed, text)
        except Exception as crash:
            pytest.fail(f"seed {seed}: {type(crash).__name__}: {crash}\n{text}")
    assert compiled >= 3, "the generator makes hardly any right program"

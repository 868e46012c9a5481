"""Random programs in the running kernel: it refuses none, and does what direct evaluation says."""

import os
from collections.abc import Iterator

import pytest
from program_fuzz import Fuzzer

from kernscope.kernel import Kernel

PROGRAMS_PER_TEST = 20

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="loading programs needs root")


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with Kernel() as kernel:
        if not kernel.has_feature("test_run"):
            pytest.skip("this kernel cannot test-run raw tracepoint programs (Linux 5.10)")
        yield kernel


@pytest.mark.parametrize("part", range(10))
def test_random_programs(kernel: Kernel, part: int) -> None:
    fuzzer = Fuzzer(kernel)
    seeds = range(50_000 + part * PROGRAMS_PER_TEST, 50_000 + (part + 1) * PROGRAMS_PER_TEST)
    agreed = sum(fuzzer.check(seed) for seed in seeds)
    assert agreed >= 0.8 * PROGRAMS_PER_TEST, "hardly any of these programs could be compared"

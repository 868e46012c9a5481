"""Random compiled functions on the running kernel: none is refused, and all give the interpreter's result."""

import sys
from pathlib import Path

import pytest

from kernscope.kernel.facts import missing_capabilities

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))

pytestmark = pytest.mark.skipif(
    bool(missing_capabilities()), reason=f"needs {' and '.join(missing_capabilities())}: run as root"
)


@pytest.mark.parametrize("start", range(0, 300, 50))
def test_random_programs_load_and_run(start: int) -> None:
    from ssa_fuzz import check_seed
    from ssa_kernel import run_kernel

    for seed in range(start, start + 50):
        check_seed(500_000 + seed, 3 + seed % 40, run_kernel)

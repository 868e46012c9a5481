"""A short run of the random programs of `tests/fuzz/ssa_fuzz.py`: other seeds there, the same proof."""

import pytest
from ssa_fuzz import check_seed


@pytest.mark.parametrize("start", range(0, 160, 20))
def test_random_programs(start: int) -> None:
    for seed in range(start, start + 20):
        check_seed(seed, 3 + seed % 40)


def test_large_random_programs() -> None:
    for seed in (1001, 1002, 1003):
        check_seed(seed, 300)

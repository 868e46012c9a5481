"""Random programs: the user-space machine does what direct evaluation says. No kernel, no privileges.

The long run is tests/fuzz/program_fuzz.py.
"""

import pytest
from program_fuzz import Fuzzer

PROGRAMS_PER_TEST = 20


@pytest.mark.parametrize("part", range(10))
def test_random_programs(part: int) -> None:
    fuzzer = Fuzzer()
    seeds = range(part * PROGRAMS_PER_TEST, (part + 1) * PROGRAMS_PER_TEST)
    agreed = sum(fuzzer.check(seed) for seed in seeds)
    assert agreed >= 0.8 * PROGRAMS_PER_TEST, "hardly any of these programs could be compared"


def test_random_programs_with_every_form_checked() -> None:
    """The verifier of the intermediate form after each pass, and the checker of the register allocation."""
    fuzzer = Fuzzer(verify=True)
    assert sum(fuzzer.check(seed) for seed in range(1000, 1020)) >= 16

"""A short, seeded run of the syntax fuzzer."""

from syntax_fuzz import run


def test_mutated_programs() -> None:
    accepted = run(1500, seed=1)
    # Some must get through, or the round trip is not tested.
    assert 50 < accepted < 1450

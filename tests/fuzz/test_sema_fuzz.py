"""A short, seeded run of the compiler's fuzzer."""

from sema_fuzz import run


def test_mixed_programs() -> None:
    parsed, compiled = run(400, seed=11)
    # Some must get through, or nothing behind the checks of types is tested.
    assert parsed > 250
    assert compiled > 40

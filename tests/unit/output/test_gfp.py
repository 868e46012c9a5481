"""`%gr`: as the reference's page and the tool itself print these numbers."""

import pytest
from vm_output import errors_of, output_of


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (0xCC0, "GFP_KERNEL"),
        (0x20, "__GFP_HIGH"),
        (0, "0"),
        (0x1, "GFP_DMA"),
        (0xDC0, "GFP_KERNEL|__GFP_ZERO"),
        (0x40CC0, "GFP_KERNEL|__GFP_COMP"),
        (0x6000C0, "__GFP_IO|__GFP_FS|__GFP_THISNODE|__GFP_ACCOUNT"),
        (0xD20, "GFP_ATOMIC|__GFP_ZERO|__GFP_DIRECT_RECLAIM"),
        (0x4C0, "__GFP_IO|__GFP_FS|__GFP_DIRECT_RECLAIM"),
        (0x820, "GFP_ATOMIC"),
        (0x200, "0x200"),
    ],
)
def test_flags(flags: int, expected: str) -> None:
    assert (
        output_of(f'begin {{ printf("%gr|%30gr\\n", {flags}, {flags}); exit(); }}')
        == f"{expected}|{expected:>30}\n"
    )


def test_only_numbers() -> None:
    assert errors_of('begin { printf("%gr", "a"); exit(); }') == ["format-arguments"]
    assert errors_of('begin { printf("%g", 1); exit(); }') == ["format-arguments"]

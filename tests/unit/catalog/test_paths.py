"""`path()` of a mount and a dentry, and `userregs`: what they take, and what is said where they cannot work."""

import pytest
from vm_output import errors_of

_PROBE = "kprobe:vfs_read {{ $m = (struct vfsmount *)arg0; $d = (struct dentry *)arg1; print(({})); }}"


@pytest.mark.parametrize(
    ("expression", "codes"),
    [
        ("path($m, $d)", []),
        ("path($m, $d, 64)", []),
        ("path($m)", ["wrong-arguments"]),
        ("path($m, 64)", ["type-mismatch"]),
        ("path($m, $m)", ["type-mismatch"]),
        ("path($m, $d, 0)", ["constant-needed"]),
        ("path($d, $d)", ["type-mismatch"]),
        ("path(*(struct path *)arg0, 64, 64)", ["wrong-arguments"]),
    ],
)
def test_what_path_takes(expression: str, codes: list[str]) -> None:
    assert errors_of(_PROBE.format(expression)) == codes


def test_registers_of_who_entered_the_kernel() -> None:
    assert errors_of(_PROBE.format("(uint64)userregs->ax")) == []
    assert errors_of(_PROBE.format("(uint64)userregs"), without=("task_pt_regs",)) == ["not-available-here"]

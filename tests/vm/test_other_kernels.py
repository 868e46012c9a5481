"""The kernel tests on Debian's kernels in virtual machines: minutes, so only when asked for."""

import os

import pytest
import virtual_machine


def test_other_kernels() -> None:
    why = virtual_machine.obstacle()
    if why:
        pytest.skip(why)
    if not os.environ.get("KERNSCOPE_TEST_VM"):
        pytest.skip("the same tests on Linux 6.12 and 6.1 take minutes: `make test-vm`")
    assert virtual_machine.main([]) == 0

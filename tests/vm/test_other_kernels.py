"""A few kernel tests on one of Debian's kernels in a virtual machine: minutes, so only when asked for.

The environment variable KERNSCOPE_TEST_VM names kernels of `kernels.KERNELS`; `make test-vm` tests all, and more.
"""

import os
import re

import pytest
import virtual_machine
from kernels import KERNELS

ASKED = os.environ.get("KERNSCOPE_TEST_VM", "").split()
LIMIT_S = 240.0


@pytest.mark.parametrize("name", KERNELS)
def test_other_kernel(name: str) -> None:
    if name not in ASKED:
        pytest.skip("other kernels take minutes: `make test-vm`, or KERNSCOPE_TEST_VM=6.12")
    why = virtual_machine.obstacle()
    if why:
        pytest.skip(f"no virtual machine: {why}")
    outcome = virtual_machine.test_kernel(name, virtual_machine.QUICK, limit_s=LIMIT_S)
    if isinstance(outcome, str):
        pytest.skip(f"no Linux {name}: {outcome}")
    failures = re.search(r"^[.s]*[FE][.sFE]*(?: |$)", outcome.text, re.MULTILINE)
    if outcome.code is None and not failures and "the machine stopped" not in outcome.text:
        pytest.skip(f"Linux {name} in a virtual machine: not done within {LIMIT_S:.0f} s on this machine")
    assert outcome.code == 0, outcome.text

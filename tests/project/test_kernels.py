"""docs/kernels.json: every kind of probe has a program, and what it says where it does not run is for users."""

import re
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))

import kernel_matrix

from kernscope.probes import KINDS

OF_THE_TRACER = {"begin", "end", "self", "test", "bench"}
"""Kinds that no kernel has anything to do with."""

NOT_YET = {"asyncwatchpoint"}


def test_every_kind_has_a_row() -> None:
    rows = {case.probe.partition(":")[0] for case in kernel_matrix.CASES}
    assert {kind.providers[0] for kind in KINDS} - OF_THE_TRACER - NOT_YET <= rows


def test_what_is_told_is_for_users() -> None:
    columns = kernel_matrix.read()
    assert columns
    told = {why for column in columns.values() for why in column["probes"].values() if why}
    assert [why for why in told if re.search(r"^\w+Error|nothing was seen|not done", why)] == []

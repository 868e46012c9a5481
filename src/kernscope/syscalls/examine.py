"""Asking the kernel what `doctor` wants to know."""

import os
import sys

from kernscope.kernel import Kernel, facts
from kernscope.kernel.feature_table import FEATURES
from kernscope.syscalls.doctor import FeatureState, Report

__all__ = ["examine"]


def examine(kernel: Kernel) -> Report:
    """Try every feature on this kernel, anew."""
    results = kernel.features.probe_all(again=True)
    features = [
        FeatureState(f.name, f.title, results[f.name], needs=f.needs, instead=f.instead, main=f.main)
        for f in FEATURES.values()
    ]
    return Report(_facts(kernel, results), features)


def _facts(kernel: Kernel, results: dict[str, str]) -> list[tuple[str, str]]:
    machine = os.uname()
    missing = facts.missing_capabilities()
    user = "root" if os.geteuid() == 0 else facts.user_name(os.geteuid())
    privileges = f"{user}, without {', '.join(missing)}" if missing else f"{user}, all that is needed"
    return [
        ("kernel", f"{machine.sysname} {kernel.release} {machine.machine}"),
        ("processors", f"{len(kernel.online_cpus)} online, {kernel.possible_cpus} possible"),
        ("privileges", privileges),
        ("kernel types (BTF)", "yes" if not results["btf"] else f"no: {results['btf']}"),
        ("lockdown", facts.lockdown_state() or "none"),
        ("Python", sys.version.split()[0]),
    ]

"""The functions of the language, by name. A new one is an entry in one of the files here."""

from kernscope.catalog.base import Function

from . import (
    control,
    finding,
    maps,
    memory,
    names,
    network,
    options,
    output,
    predicates,
    processes,
    reports,
    stacks,
    strings,
    text,
)

__all__ = ["FUNCTIONS", "PLANNED"]

FUNCTIONS: dict[str, Function] = {
    entry.name: entry
    for room in (
        output,
        options,
        reports,
        strings,
        text,
        memory,
        names,
        network,
        predicates,
        maps,
        control,
        stacks,
        processes,
        finding,
    )
    for entry in room.FUNCTIONS
}

PLANNED = frozenset(
    "cgroupid cgroup_path kfunc_allowed kfunc_exist percpu_kaddr sizeof offsetof tseries".split()
)
"""Functions and built-ins of the bpftrace language that parse but have no entry yet."""

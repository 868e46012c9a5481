"""The functions of the language, by name. A new one is an entry in one of the files here."""

from kernscope.catalog.base import Function

from . import (
    cgroups,
    control,
    finding,
    kernel,
    maps,
    matching,
    memory,
    names,
    network,
    options,
    output,
    override,
    paths,
    predicates,
    processes,
    reports,
    sockets,
    stacks,
    strings,
    text,
    user,
    verdicts,
)

__all__ = ["FUNCTIONS"]

FUNCTIONS: dict[str, Function] = {
    entry.name: entry
    for room in (
        output,
        options,
        reports,
        strings,
        text,
        matching,
        memory,
        names,
        network,
        predicates,
        maps,
        control,
        stacks,
        processes,
        paths,
        sockets,
        finding,
        cgroups,
        kernel,
        override,
        user,
        verdicts,
    )
    for entry in room.FUNCTIONS
}

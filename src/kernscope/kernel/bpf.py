"""bpf(2) in one place: maps, programs and links (each in its own file, exported here)."""

from kernscope.kernel.link import Link, attach_function, detach_together, link_create, raw_tracepoint_open
from kernscope.kernel.map import Map, array_create, map_create
from kernscope.kernel.program import (
    Program,
    ProgramStatistics,
    TestRun,
    btf_load,
    enable_stats,
    prog_load,
)

__all__ = [
    "Link",
    "Map",
    "Program",
    "ProgramStatistics",
    "TestRun",
    "array_create",
    "attach_function",
    "btf_load",
    "detach_together",
    "enable_stats",
    "link_create",
    "map_create",
    "prog_load",
    "raw_tracepoint_open",
]

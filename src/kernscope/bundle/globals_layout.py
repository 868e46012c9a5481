"""The map `globals`: one memory-mapped value through which programs and user space share flags and counters.

Offsets in bytes; every entry is a u64. From `COUNTERS` on lie the counters that `Bundle.counters` lists, then the
values of scalar maps, then constant tables.
"""

__all__ = [
    "BOOT_OFFSET_NS",
    "CELLS_MAP",
    "CONTROL_MAP",
    "COUNTERS",
    "ENFORCE_UNTIL_NS",
    "EVENTS_MAP",
    "EXIT_FLAG",
    "GLOBALS_MAP",
    "OWN_PID",
    "SCRATCH_MAP",
    "STACKS_MAP",
    "START_NS",
    "TAI_OFFSET_NS",
]

GLOBALS_MAP = "globals"
EVENTS_MAP = "events"
CONTROL_MAP = "control"
SCRATCH_MAP = "scratch"
CELLS_MAP = "cells"
STACKS_MAP = "stacks"
"""Followed by the number of frames that each of its stacks has room for."""

EXIT_FLAG = 0
"""1 once `exit()` ran: programs that start later do nothing (but for `end` probes)."""
START_NS = 8
"""Set by user space before attaching: CLOCK_MONOTONIC in ns, the zero of `elapsed`."""
BOOT_OFFSET_NS = 16
"""Set by user space before attaching: CLOCK_REALTIME minus CLOCK_BOOTTIME."""
TAI_OFFSET_NS = 24
"""The same for CLOCK_TAI."""
ENFORCE_UNTIL_NS = 32
"""Set by user space before attaching: verdicts count until then on CLOCK_MONOTONIC; 0 in a dry run."""
OWN_PID = 40
"""The tracer's own process, as it is seen in its pid namespace: what it does is never refused."""
COUNTERS = 64

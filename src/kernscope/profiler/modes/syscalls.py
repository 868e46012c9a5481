"""`profile syscalls`: the time in system calls, by call and the stack that made it.

The stack is taken when the call returns: it is the same as at its beginning, and calls that nobody asks about cost
less. Calls that have not returned by the end are not in.
"""

from __future__ import annotations

from kernscope.profiler.modes.base import CONFIG, Mode, Options, add, histogram_tables
from kernscope.profiler.profile import Frame, Profile
from kernscope.selection import slashed
from kernscope.tables.syscalls import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from kernscope.profiler.modes.base import Maps
    from kernscope.profiler.stacks import Stacks

__all__ = ["MODE"]


def _call(known: Mapping[int, str], id: object) -> str:
    return known.get(id, f"syscall_{id}") if isinstance(id, int) else str(id)


class _Syscalls(Mode):
    name = "syscalls"
    unit = "nanoseconds"
    nothing = "no system call was made that has ended"

    def program(self, options: Options) -> str:
        chosen = options.filter
        return (
            CONFIG
            + chosen.clauses()
            + f"tracepoint:raw_syscalls:sys_enter {slashed(chosen.predicate())}{{ @start[tid] = nsecs; }}\n"
            # rt_sigreturn restores the registers of what was interrupted: its exit has the number -1
            "tracepoint:raw_syscalls:sys_exit /args.id >= 0 && @start[tid] != 0/ {\n"
            "    $ns = nsecs - @start[tid];\n"
            "    delete(@start, tid);\n"
            f"    if ($ns >= {options.minimum_ns}) {{\n"
            "        @time[pid, tid, comm, ustack(raw), args.id] = stats($ns);\n"
            "        @durations[args.id] = hist($ns);\n"
            "    }\n"
            "}\n"
        )

    def collect(self, maps: Maps, stacks: Stacks, profile: Profile) -> None:
        import os

        known = names(os.uname().machine)
        for key, stats in maps["@time"].items():
            assert isinstance(key, tuple)
            call = _call(known, key[4])
            frames = [*stacks.frames(key[0], "", str(key[3])), Frame(call, "kernel")]
            add(profile, profile.stack(frames), key, stats.total, stats.count)  # type: ignore[attr-defined]
        profile.tables += histogram_tables(maps["@durations"], lambda id: _call(known, id))


MODE = _Syscalls()

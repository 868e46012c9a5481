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
    from collections.abc import Mapping, Sequence

    from kernscope.profiler.modes.base import Maps
    from kernscope.profiler.stacks import Stacks

__all__ = ["MODE"]


def _call(known: Mapping[int, str], id: object) -> str:
    return known.get(id, f"syscall_{id}") if isinstance(id, int) else str(id)


class _Syscalls(Mode):
    name = "syscalls"
    unit = "nanoseconds"
    has_timeline = True
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
            f"        {_RECORD if options.timeline else _COUNT}\n"
            "    }\n"
            "}\n"
        )

    def collect(self, maps: Maps, stacks: Stacks, profile: Profile) -> None:
        known = _names()
        for key, stats in maps["@time"].items():
            assert isinstance(key, tuple)
            add(profile, _stack(profile, stacks, known, key), key, stats.total, stats.count)  # type: ignore[attr-defined]
        profile.tables += histogram_tables(maps["@durations"], lambda id: _call(known, id))

    def collect_records(
        self, records: Sequence[tuple[object, ...]], stacks: Stacks, profile: Profile
    ) -> None:
        known, seen = _names(), dict[object, int]()
        for pid, tid, comm, user, call, began_ns, ns in records:
            assert isinstance(began_ns, int) and isinstance(ns, int)
            key = pid, tid, comm, user, call
            if (pid, user, call) not in seen:
                seen[pid, user, call] = _stack(profile, stacks, known, key)
            add(profile, seen[pid, user, call], key, ns, time_ns=stacks.realtime_ns(began_ns))


_KEY = "pid, tid, comm, ustack(raw), args.id"
_COUNT = f"@time[{_KEY}] = stats($ns); @durations[args.id] = hist($ns);"
_RECORD = f"print(({_KEY}, nsecs(boot) - $ns, $ns));"


def _names() -> Mapping[int, str]:
    import os

    return names(os.uname().machine)


def _stack(profile: Profile, stacks: Stacks, known: Mapping[int, str], key: tuple[object, ...]) -> int:
    """The number of the stack of a call."""
    pid, _, _, user, call = key
    assert isinstance(pid, int)
    return profile.stack([*stacks.frames(pid, "", str(user)), Frame(_call(known, call), "kernel")])


MODE = _Syscalls()

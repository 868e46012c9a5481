"""`profile io`: requests to block devices: time, size and number, by device, kind and who made them.

The stack is that of the thread that handed the request to the device. For what was only written to memory and goes to
the disk later, that is a thread of the kernel.
"""

from __future__ import annotations

from kernscope.profiler.modes.base import CONFIG, Mode, Options, add, histogram_tables
from kernscope.profiler.profile import Frame, Profile
from kernscope.selection import slashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernscope.profiler.modes.base import Maps
    from kernscope.profiler.stacks import Stacks

__all__ = ["MODE"]

_MINOR_BITS = 20
"""Of a device number inside the kernel (include/linux/kdev_t.h)."""


class _Io(Mode):
    name = "io"
    unit = "nanoseconds"
    has_timeline = True
    nothing = "no disk was asked for anything: what files hold is often in memory already"

    def program(self, options: Options) -> str:
        chosen = options.filter
        return (
            CONFIG + chosen.clauses() + f"tracepoint:block:block_rq_issue {slashed(chosen.predicate())}{{\n"
            "    @issued[args.dev, args.sector] = nsecs;\n"
            "    @who[args.dev, args.sector] = (pid, tid, comm, kstack(raw), ustack(raw));\n"
            "    @bytes[args.dev, args.sector] = args.bytes;\n"
            "}\n"
            "tracepoint:block:block_rq_complete /@issued[args.dev, args.sector] != 0/ {\n"
            "    $ns = nsecs - @issued[args.dev, args.sector];\n"
            f"    if ($ns >= {options.minimum_ns}) {{\n"
            f"        {_RECORD if options.timeline else _COUNT}\n"
            "    }\n"
            "    delete(@issued, (args.dev, args.sector));\n"
            "    delete(@who, (args.dev, args.sector));\n"
            "    delete(@bytes, (args.dev, args.sector));\n"
            "}\n"
        )

    def collect(self, maps: Maps, stacks: Stacks, profile: Profile) -> None:
        for key, stats in maps["@time"].items():
            assert isinstance(key, tuple)
            who, device, kind = key
            add(profile, _stack(profile, stacks, who, device, kind), who, stats.total, stats.count)  # type: ignore[attr-defined]
        for name, unit in (("@durations", "nanoseconds"), ("@sizes", "bytes")):
            profile.tables += histogram_tables(maps[name], lambda key: _place(*key), unit)  # type: ignore[misc]

    def collect_records(
        self, records: Sequence[tuple[object, ...]], stacks: Stacks, profile: Profile
    ) -> None:
        for who, device, kind, began_ns, ns in records:
            assert isinstance(who, tuple) and isinstance(device, int)
            assert isinstance(began_ns, int) and isinstance(ns, int)
            stack = _stack(profile, stacks, who, device, str(kind))
            add(profile, stack, who, ns, time_ns=stacks.realtime_ns(began_ns))


_REQUEST = "@who[args.dev, args.sector], args.dev, args.rwbs"
_COUNT = (
    f"@time[{_REQUEST}] = stats($ns); @durations[args.dev, args.rwbs] = hist($ns); "
    "@sizes[args.dev, args.rwbs] = hist(@bytes[args.dev, args.sector]);"
)
_RECORD = f"print(({_REQUEST}, nsecs(boot) - $ns, $ns));"


def _stack(profile: Profile, stacks: Stacks, who: tuple[object, ...], device: int, kind: str) -> int:
    """The number of the stack of a request."""
    pid, _, _, kernel, user = who
    assert isinstance(pid, int)
    return profile.stack([*stacks.frames(pid, str(kernel), str(user)), Frame(_place(device, kind), "mark")])


def _place(device: int, kind: str) -> str:
    """`[sda write]`; the numbers of devices that have no name here."""
    major, minor = device >> _MINOR_BITS, device & (1 << _MINOR_BITS) - 1
    return f"[{device_name(major, minor)} {_kind(kind)}]"


def _kind(rwbs: str) -> str:
    """The first letter of what the tracepoint calls a request (include/trace/events/block.h, blk_fill_rwbs)."""
    words = {"R": "read", "W": "write", "D": "discard", "F": "flush", "N": "other"}
    return words.get(rwbs[:1], rwbs)


def device_name(major: int, minor: int) -> str:
    """The name of a block device, from /sys/dev/block."""
    import os

    try:
        return os.path.basename(os.readlink(f"/sys/dev/block/{major}:{minor}"))
    except OSError:
        return f"{major}:{minor}"


MODE = _Io()

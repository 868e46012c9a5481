"""`profile faults`: page faults, by the code that touched the memory; major ones had to wait for a disk."""

from __future__ import annotations

from kernscope.profiler.modes.base import CONFIG, Mode, Options, add
from kernscope.profiler.profile import Frame, Profile
from kernscope.selection import slashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernscope.profiler.modes.base import Maps
    from kernscope.profiler.stacks import Stacks

__all__ = ["MODE"]

_KINDS = ("minor", "major")


class _Faults(Mode):
    name = "faults"
    unit = "events"
    has_timeline = True
    nothing = "no memory was touched that was not there"

    def program(self, options: Options) -> str:
        chosen = options.filter
        clauses = [
            f"software:{kind}-faults:1 {slashed(chosen.predicate())}{{\n"
            f"    {_record(kind) if options.timeline else _count(kind)}\n"
            "}\n"
            for kind in _KINDS
        ]
        return CONFIG + chosen.clauses() + "".join(clauses)

    def collect(self, maps: Maps, stacks: Stacks, profile: Profile) -> None:
        for kind in _KINDS:
            for key, count in maps[f"@{kind}"].items():
                assert isinstance(key, tuple) and isinstance(count, int)
                add(profile, _stack(profile, stacks, key, kind), key, count, count)

    def collect_records(
        self, records: Sequence[tuple[object, ...]], stacks: Stacks, profile: Profile
    ) -> None:
        seen: dict[object, int] = {}
        for pid, tid, comm, user, kind, since_boot_ns in records:
            assert isinstance(since_boot_ns, int)
            key = pid, tid, comm, user
            if (pid, user, kind) not in seen:
                seen[pid, user, kind] = _stack(profile, stacks, key, str(kind))
            add(profile, seen[pid, user, kind], key, 1, time_ns=stacks.realtime_ns(since_boot_ns))


_KEY = "pid, tid, comm, ustack(raw)"


def _count(kind: str) -> str:
    return f"@{kind}[{_KEY}] = count();"


def _record(kind: str) -> str:
    return f'print(({_KEY}, "{kind}", nsecs(boot)));'


def _stack(profile: Profile, stacks: Stacks, key: tuple[object, ...], kind: str) -> int:
    """The number of the stack of a fault."""
    pid, _, _, user = key
    assert isinstance(pid, int)
    return profile.stack([*stacks.frames(pid, "", str(user)), Frame(f"[{kind} fault]", "mark")])


MODE = _Faults()

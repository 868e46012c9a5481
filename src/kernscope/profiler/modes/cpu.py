"""`profile cpu`: the stacks of what runs, at a fixed rate on every processor; idle processors are left out."""

from __future__ import annotations

from kernscope.profiler.modes.base import CONFIG, Mode, Options, add
from kernscope.profiler.profile import Profile, Sample
from kernscope.selection import slashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernscope.profiler.modes.base import Maps
    from kernscope.profiler.stacks import Stacks

__all__ = ["MODE"]


class _Cpu(Mode):
    name = "cpu"
    has_timeline = timeline_is_cheap = True

    def why_nothing(self, options: Options) -> str:
        if options.filter.everything:
            who = "the processors were idle whenever"
        else:
            who = "what was looked at did not run when"
        return (
            f"{who} a sample was taken ({options.frequency} a second on each); look for longer (`-d`), more often "
            "(`-F 999`), or at what waits: `kernscope profile offcpu`"
        )

    def program(self, options: Options) -> str:
        chosen = options.filter
        running = slashed("pid != 0", chosen.predicate())
        return (
            CONFIG
            + chosen.clauses()
            + f"profile:hz:{options.frequency} {running}{{\n    "
            + (_RECORD if options.timeline else _COUNT)
            + "\n}\n"
        )

    def collect(self, maps: Maps, stacks: Stacks, profile: Profile) -> None:
        for key, count in maps["@samples"].items():
            assert isinstance(key, tuple) and isinstance(count, int)
            stack = profile.stack(stacks.frames(key[0], str(key[3]), str(key[4])))
            add(profile, stack, key, count, count, _cgroup(stacks, key[5]))

    def collect_records(
        self, records: Sequence[tuple[object, ...]], stacks: Stacks, profile: Profile
    ) -> None:
        known: dict[tuple[object, ...], int] = {}  # the same stacks come again and again
        for pid, tid, comm, kernel, user, cgroup, cpu, since_boot_ns in records:
            assert isinstance(pid, int) and isinstance(tid, int) and isinstance(since_boot_ns, int)
            stack = known.get((pid, kernel, user))
            if stack is None:
                stack = profile.stack(stacks.frames(pid, str(kernel), str(user)))
                known[pid, kernel, user] = stack
            labels = {"cpu": str(cpu)} | (_cgroup(stacks, cgroup) or {})
            time_ns = stacks.realtime_ns(since_boot_ns)
            profile.add(Sample(stack, pid, tid, str(comm), 1, time_ns=time_ns, labels=labels))


_KEY = "pid, tid, comm, kstack(raw), ustack(raw), cgroup"
_COUNT = f"@samples[{_KEY}] = count();"
_RECORD = f"print(({_KEY}, cpu, nsecs(boot)));"


def _cgroup(stacks: Stacks, id: object) -> dict[str, str] | None:
    """A label, where its control group has a name."""
    path = stacks.cgroup(id) if isinstance(id, int) else ""
    return {"cgroup": path} if path else None


MODE = _Cpu()

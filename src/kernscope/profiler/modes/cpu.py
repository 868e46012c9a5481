"""`profile cpu`: the stacks of what runs, at a fixed rate on every processor; idle processors are left out."""

from __future__ import annotations

from kernscope.profiler.modes.base import CONFIG, Mode, Options, add
from kernscope.profiler.profile import Profile
from kernscope.selection import slashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.profiler.modes.base import Maps
    from kernscope.profiler.stacks import Stacks

__all__ = ["MODE"]


class _Cpu(Mode):
    name = "cpu"

    def program(self, options: Options) -> str:
        chosen = options.filter
        conditions = " && ".join(part for part in ("pid != 0", chosen.predicate()) if part)
        return (
            CONFIG + chosen.clauses() + f"profile:hz:{options.frequency} {slashed(conditions)}{{\n"
            "    @samples[pid, tid, comm, kstack(raw), ustack(raw)] = count();\n"
            "}\n"
        )

    def collect(self, maps: Maps, stacks: Stacks, profile: Profile) -> None:
        for key, count in maps["@samples"].items():
            assert isinstance(key, tuple) and isinstance(count, int)
            stack = profile.stack(stacks.frames(key[0], str(key[3]), str(key[4])))
            add(profile, stack, key, count, count)


MODE = _Cpu()

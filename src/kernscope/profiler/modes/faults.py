"""`profile faults`: page faults, by the code that touched the memory; major ones had to wait for a disk."""

from __future__ import annotations

from kernscope.profiler.modes.base import CONFIG, Mode, Options, add
from kernscope.profiler.profile import Frame, Profile
from kernscope.selection import slashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.profiler.modes.base import Maps
    from kernscope.profiler.stacks import Stacks

__all__ = ["MODE"]

_KINDS = ("minor", "major")


class _Faults(Mode):
    name = "faults"
    unit = "events"
    nothing = "no memory was touched that was not there"

    def program(self, options: Options) -> str:
        chosen = options.filter
        clauses = [
            f"software:{kind}-faults:1 {slashed(chosen.predicate())}{{\n"
            f"    @{kind}[pid, tid, comm, ustack(raw)] = count();\n"
            "}\n"
            for kind in _KINDS
        ]
        return CONFIG + chosen.clauses() + "".join(clauses)

    def collect(self, maps: Maps, stacks: Stacks, profile: Profile) -> None:
        for kind in _KINDS:
            for key, count in maps[f"@{kind}"].items():
                assert isinstance(key, tuple) and isinstance(count, int)
                frames = [*stacks.frames(key[0], "", str(key[3])), Frame(f"[{kind} fault]", "mark")]
                add(profile, profile.stack(frames), key, count, count)


MODE = _Faults()

"""What to do about code that processes made themselves, and of which they say nothing."""

from __future__ import annotations

from kernscope.profiler.stacks import GENERATED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.profiler.profile import Profile

__all__ = ["tell_generated"]

LEAST_SHARE = 0.02
"""From this share of the samples on it is told."""

_NOTE = "of the samples have generated code without names in them"

_MAKERS = {
    "libjvm.so": (
        "start java with `-XX:+PreserveFramePointer`, and let `jcmd PID Compiler.perfmap` write names meanwhile "
        "(JDK 17 and newer)"
    ),
    "libcoreclr.so": "set DOTNET_PerfMapEnabled=1 for .NET",
    "node": "start node with `--perf-basic-prof`",
}
"""File of who makes such code → how it gives names to it."""


def tell_generated(profile: Profile) -> None:
    """Note how many samples are in such code, and how its names can be had, where these are not few."""
    unnamed = {number for number, frame in enumerate(profile.frames) if frame.name == GENERATED}
    if not unnamed or any(_NOTE in note for note in profile.notes):
        return
    makers = {
        number: file
        for number, frame in enumerate(profile.frames)
        if (file := frame.module.rpartition("/")[2]) in _MAKERS
    }
    count, found = 0, set[str]()
    for sample in profile.samples:
        stack = profile.stacks[sample.stack]
        if not unnamed.isdisjoint(stack):
            count += sample.count
            found.update(makers[number] for number in stack if number in makers)
    if count < LEAST_SHARE * profile.count:
        return
    # Where the stacks end within it nothing tells of its maker but what else that process does.
    found = found or set(makers.values())
    how = "; ".join(_MAKERS[file] for file in sorted(found)) or "a file /tmp/perf-PID.map would have them"
    share = 100 * count / profile.count
    profile.notes.append(f"{share:.1f} % {_NOTE}: {how}")

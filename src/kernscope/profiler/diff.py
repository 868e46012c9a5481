"""What has changed between two profiles, function by function, in shares of each: they need not have lasted as long."""

from __future__ import annotations

from kernscope.output.quantities import count, fit, safe
from kernscope.profiler.formats.labels import frame_name, line_label
from kernscope.profiler.profile import Frame, Profile

__all__ = ["Change", "changes", "diff_lines"]


class Change:
    """A function: its own share before and after, and with what it called, each of the whole (0 to 1)."""

    __slots__ = ("after", "before", "frame", "whole_after", "whole_before")

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.before = self.after = self.whole_before = self.whole_after = 0.0

    @property
    def own(self) -> float:
        """By how much its own share has grown."""
        return self.after - self.before

    @property
    def whole(self) -> float:
        """By how much its share with what it called has grown."""
        return self.whole_after - self.whole_before


def changes(before: Profile, after: Profile) -> list[Change]:
    """All functions of both, those whose own share has changed most first."""
    found: dict[tuple[object, ...], Change] = {}
    for which, profile in enumerate((before, after)):
        total = profile.total or 1
        for frame, own, whole in profile.functions():
            change = found.setdefault(profile.key_of(frame), Change(frame))
            if which:
                change.after, change.whole_after = own / total, whole / total
            else:
                change.before, change.whole_before = own / total, whole / total
    return sorted(
        found.values(), key=lambda change: (-abs(change.own), -abs(change.whole), change.frame.function)
    )


def diff_lines(before: Profile, after: Profile, *, top: int = 20, width: int = 0) -> list[str]:
    """The functions that changed most, line by line: own share before, after, the difference."""
    found = changes(before, after)
    shown = found[:top] if top else found
    lines = [
        f"before: {_head(before)}",
        f"after:  {_head(after)}",
        "",
        f"{'BEFORE':>8}{'AFTER':>9}{'CHANGE':>9}  FUNCTION",
    ]
    for change in shown:
        frame = change.frame
        line = line_label(frame) if after.lines else ""
        place = line or frame.module.rpartition("/")[2] or ("kernel" if frame.kind == "kernel" else "")
        name = safe(frame_name(frame, lines=False)) + (f"  ({safe(place)})" if place else "")
        lines.append(
            f"{100 * change.before:>6.1f} %{100 * change.after:>7.1f} %{100 * change.own:>+7.1f} %  {name}"
        )
    if len(found) > len(shown):
        lines.append(f"… and {count(len(found) - len(shown))} more")
    return [fit(line, width) for line in lines] if width else lines


def _head(profile: Profile) -> str:
    what = f"{profile.mode}, {profile.command}" if profile.command else profile.mode
    return safe(f"{what}: {profile.duration_ns / 1e9:.1f} s, {count(profile.count)} samples")

"""Collapsed stacks: one line per thread name and stack, root first, `name;main;work 42`.

The form that flame graph tools share. Names lose what would end them early: `;` and line breaks.
"""

from __future__ import annotations

from kernscope.profiler.formats.labels import frame_label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.profiler.profile import Profile

__all__ = ["encode"]

_HARMLESS = str.maketrans({";": ":", **{chr(code): "?" for code in (*range(32), 127)}})


def encode(profile: Profile) -> bytes:
    """The lines, sorted, equal stacks added up."""
    lines: dict[str, int] = {}
    labels = [frame_label(frame).translate(_HARMLESS) for frame in profile.frames]
    for sample in profile.samples:
        stack = [labels[number] for number in profile.stacks[sample.stack]]
        line = ";".join([sample.comm.translate(_HARMLESS), *stack])
        lines[line] = lines.get(line, 0) + sample.value
    text = "".join(f"{line} {lines[line]}\n" for line in sorted(lines))
    return text.encode("utf-8", "surrogateescape")

"""Collapsed stacks: one line per thread name and stack, root first, `name;main;work 42`.

The form that flame graph tools share. Names lose what would end them early: `;` and, as escapes, everything that a
terminal does not print.
"""

from __future__ import annotations

from kernscope.output.escape import escape_text
from kernscope.profiler.formats.labels import frame_label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.profiler.profile import Profile

__all__ = ["encode"]


def encode(profile: Profile) -> bytes:
    """The lines, sorted, equal stacks added up."""
    lines: dict[str, int] = {}
    labels = [_name(frame_label(frame, lines=profile.lines)) for frame in profile.frames]
    for sample in profile.samples:
        stack = [labels[number] for number in profile.stacks[sample.stack]]
        line = ";".join([_name(sample.comm), *stack])
        lines[line] = lines.get(line, 0) + sample.value
    text = "".join(f"{line} {lines[line]}\n" for line in sorted(lines))
    return text.encode()


def _name(text: str) -> str:
    return escape_text(text).replace(";", ":")

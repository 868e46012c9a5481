"""A profile on a terminal: a table of functions, and a flame graph of boxes.

Names come from processes and their files: everything that could control a terminal is escaped.
"""

from __future__ import annotations

from zlib import crc32

from kernscope.output.function_names import shorten_function
from kernscope.output.quantities import count, display_width, duration, fit, safe
from kernscope.profiler.formats.labels import frame_name, line_label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernscope.profiler.profile import Frame, Node, Profile

__all__ = ["amount", "flame_lines", "summary_lines", "table_lines"]

_PERCENT_COLUMNS = 8
_LEAST_COLUMNS = 1
_COLOURS = {
    "kernel": (215, 209, 208, 214),
    "native": (221, 222, 186, 187),
    "inlined": (228, 229, 192, 193),
    "python": (114, 150, 151, 115),
    "jit": (117, 153, 116, 152),
    "mark": (250, 247),
}
"""Of the 256 colours of a terminal, by kind of frame."""


def amount(profile: Profile, value: int) -> str:
    """A value in its unit."""
    if profile.unit == "nanoseconds":
        return duration(value)
    if profile.unit == "bytes":
        return _bytes(value)
    return count(value)


def _bytes(value: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def head(profile: Profile) -> str:
    """What was collected, in one line."""
    parts = [f"{profile.duration_ns / 1e9:.1f} s", f"{count(profile.count)} samples"]
    if profile.unit not in ("samples", "events"):
        parts.append(f"{amount(profile, profile.total)} in all")
    if profile.period_ns:
        parts.append(f"{round(1e9 / profile.period_ns)} Hz")
    if profile.lost:
        parts.append(f"{count(profile.lost)} lost")
    what = f"{profile.mode}, {profile.command}" if profile.command else profile.mode
    return f"{what}: {', '.join(parts)}"


def summary_lines(profile: Profile, *, top: int = 20, width: int = 0, height: int = 0) -> list[str]:
    """The functions with most, line by line: own share, share with what they called, amount, name and file.

    Above them what was waited for and the like, in modes that tell. No line is wider than `width`, and no more than
    `height` lines come back, where these are not 0.
    """
    functions = profile.functions()
    marks = [entry for entry in profile.marks() if not entry[0].name.startswith("[incomplete")]
    marks.sort(key=lambda entry: -entry[2])  # a reason to wait may have a waker above it
    lines = [safe(head(profile))] + [""] * bool(profile.samples)
    if marks:
        lines += [_heading("KIND"), *(_row(profile, *entry, width) for entry in marks[:_MOST_MARKS]), ""]
    room = max(1, height - len(lines) - 2) if height else len(functions)
    shown = functions[: min(top or len(functions), room)]
    if profile.samples:
        lines += [_heading("FUNCTION"), *(_row(profile, *entry, width) for entry in shown)]
    if len(functions) > len(shown):
        lines.append(f"… and {count(len(functions) - len(shown))} more")
    if height:
        lines = lines[:height]
    return [fit(line, width) for line in lines] if width else lines


_MOST_MARKS = 10


def _heading(last: str) -> str:
    return f"{'OWN':>{_PERCENT_COLUMNS}}{'TOTAL':>{_PERCENT_COLUMNS}}{'AMOUNT':>10}  {last}"


def _row(profile: Profile, frame: Frame, own: int, whole: int, width: int) -> str:
    total = profile.total
    place = (line_label(frame) if profile.lines else "") or frame.module.rpartition("/")[2]
    if frame.kind == "python" and place and not profile.lines:
        place += f":{frame.line}"
    if frame.kind == "kernel":
        place = "kernel"
    numbers = (
        f"{_percent(own, total):>{_PERCENT_COLUMNS}}{_percent(whole, total):>{_PERCENT_COLUMNS}}"
        f"{amount(profile, own):>10}  "
    )
    behind = (_INLINED if frame.kind == "inlined" else "") + (f"  ({safe(place)})" if place else "")
    name = safe(frame.name)
    if width:
        room = width - len(numbers) - display_width(behind)
        name = _short(frame, name, max(room, _LEAST_NAME))
    return f"{numbers}{name}{behind}"


def _short(frame: Frame, name: str, columns: int) -> str:
    """Names of compiled languages lose what tells least; others, which have no such form, their ends."""
    return shorten_function(name, columns) if frame.kind in ("native", "inlined") else fit(name, columns)


_INLINED = " (inlined)"
_LEAST_NAME = 16
"""Columns of a function's name, for which its file may be cut."""


def table_lines(profile: Profile, *, width: int = 0) -> list[str]:
    """What the mode has to show besides stacks, such as histograms, line by line."""
    lines: list[str] = []
    for title, rows in profile.tables:
        lines += ["", safe(title), *map(safe, rows)]
    return [fit(line, width) for line in lines] if width else lines


class _Box:
    """A node's place in a line: from column `start` to `end`."""

    __slots__ = ("end", "node", "start")

    def __init__(self, node: Node, start: int, end: int) -> None:
        self.node, self.start, self.end = node, start, end


def flame_lines(profile: Profile, *, width: int = 100, height: int = 0, colour: bool = True) -> list[str]:
    """A flame graph with its root at the bottom, a line per level; `height` levels at most, where it is not 0."""
    root = profile.tree()
    rows: list[list[_Box]] = [[_Box(root, 0, width)]]
    while rows[-1] and (not height or len(rows) < height):
        following: list[_Box] = []
        for box in rows[-1]:
            following += _children(box)
        rows.append(following)
    texts = _Texts(colour, profile.lines)
    lines = [_line(row, texts) for row in reversed(rows) if row]
    return [*lines, fit(safe(head(profile)), width)]


def _children(box: _Box) -> list[_Box]:
    """The boxes above one: as wide as their shares, those of less than a column left out."""
    found = []
    at, columns, total = 0, box.end - box.start, box.node.value or 1
    for child in sorted(box.node.children.values(), key=lambda child: child.frame.name):
        start = box.start + at * columns // total
        at += child.value
        end = box.start + at * columns // total
        if end - start >= _LEAST_COLUMNS:
            found.append(_Box(child, start, end))
    return found


class _Texts:
    """How boxes are written: in colours or without, with lines or without."""

    __slots__ = ("colour", "lines")

    def __init__(self, colour: bool, lines: bool) -> None:
        self.colour, self.lines = colour, lines

    def of(self, box: _Box, colour: int | None) -> str:
        """A box with its name, in a colour, or without one in brackets."""
        columns = box.end - box.start
        room = max(0, columns - (2 if colour is None else 0))
        shown = self._name(box.node.frame, room) if columns >= 3 else ""
        shown += " " * (room - display_width(shown))
        if colour is None:
            return f"[{shown}]" if columns >= 2 else "|"
        return f"\x1b[48;5;{colour}m\x1b[38;5;16m{shown}\x1b[0m"

    def _name(self, frame: Frame, room: int) -> str:
        name = safe(frame.name)
        whole = safe(frame_name(frame, lines=self.lines))
        return whole if display_width(whole) <= room else _short(frame, name, room)


def _line(row: Sequence[_Box], texts: _Texts) -> str:
    parts, at, before = [], 0, -1
    for box in row:
        parts.append(" " * (box.start - at))
        if texts.colour:
            before = _box_colour(box.node.frame, before if box.start == at else -1)
        parts.append(texts.of(box, before if texts.colour else None))
        at = box.end
    return "".join(parts) if texts.colour else "".join(parts).rstrip()


def _box_colour(frame: Frame, beside: int) -> int:
    """The colour of a function, always the same, unless the box before it has that one."""
    palette = _COLOURS.get(frame.kind, _COLOURS["mark"])
    number = crc32(frame.name.encode("utf-8", "surrogatepass")) % len(palette)
    return palette[number] if palette[number] != beside else palette[(number + 1) % len(palette)]

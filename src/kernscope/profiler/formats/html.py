"""An interactive flame graph: one HTML file that needs nothing else, and loads nothing from anywhere.

`flame.html`, `flame.css` and `flame.js` beside this file are put together with the profile as JSON. Names are data
there: in the JSON every `<` is an escape, and the script sets them as text only. A policy in the page allows
this one script and this one style, and forbids to load or send anything.
"""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files

from kernscope.profiler.formats.labels import as_utf8, frame_name, process_labels, thread_label, title

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernscope.profiler.profile import Frame, Profile

__all__ = ["about", "diff_page", "encode"]


def encode(profile: Profile) -> bytes:
    """The page."""
    return _page(profile, None)


def diff_page(before: Profile, after: Profile) -> bytes:
    """The page of `after`, with colours that tell what has changed since `before`."""
    return _page(after, before)


def _page(profile: Profile, before: Profile | None) -> bytes:
    folder = files(__package__)
    style, script = (folder.joinpath(name).read_text("utf-8") for name in ("flame.css", "flame.js"))
    parts = {
        "title": escape(as_utf8(title(profile))),
        "style": style,
        "style_hash": _hash(style),
        "script": script,
        "script_hash": _hash(script),
        "content": json.dumps(_content(profile, before), separators=(",", ":")).replace("<", "\\u003c"),
    }
    text = folder.joinpath("flame.html").read_text("utf-8")
    pieces = text.split("{{")
    out = [pieces[0]]
    for piece in pieces[1:]:  # in one pass: what is put in is not looked at again
        name, _, rest = piece.partition("}}")
        out += [parts[name], rest]
    return "".join(out).encode()


def about(profile: Profile) -> str:
    """What was collected, in one line."""
    words = [f"{profile.count:,} samples"] if profile.unit != "events" else [f"{profile.total:,} events"]
    if profile.duration_ns:
        words.append(f"{profile.duration_ns / 1e9:.1f} s")
    if profile.period_ns:
        words.append(f"{round(1e9 / profile.period_ns)} Hz")
    if profile.lost:
        words.append(f"{profile.lost:,} lost")
    return ", ".join(words)


def _hash(text: str) -> str:
    """How a policy names what may stand in the page (CSP Level 3): no other script or style does anything."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _content(profile: Profile, before: Profile | None) -> dict[str, object]:
    lines = profile.lines
    functions = _Functions(lines=lines)
    names = ["process", "thread", *sorted({name for s in profile.samples for name in s.labels})]
    groups: dict[tuple[str, ...], int] = {}
    totals: dict[tuple[int, int], list[int]] = {}
    for which, source in enumerate((profile, before)):
        if source is None:
            continue
        processes = process_labels(source)
        numbers = [functions.number(frame) for frame in source.frames]
        stacks = [functions.stack([numbers[frame] for frame in stack]) for stack in source.stacks]
        for sample in source.samples:
            labels = (
                processes[sample.pid],
                thread_label(sample),
                *(sample.labels.get(n, "") for n in names[2:]),
            )
            group = groups.setdefault(labels, len(groups))
            totals.setdefault((stacks[sample.stack], group), [0, 0])[which] += sample.value
    return {
        "title": as_utf8(title(profile)),
        "about": about(profile),
        "unit": profile.unit,
        "notes": [as_utf8(note) for note in profile.notes],
        "before": None if before is None else before.total,
        "frames": [
            {
                "name": as_utf8(frame_name(f, lines=lines)),
                "kind": f.kind,
                "module": as_utf8(f.module),
                "file": as_utf8(f.file),
                "line": f.line,
            }
            for f in functions.frames
        ],
        "stacks": {
            "parents": [parent for parent, _ in functions.entries],
            "functions": [function for _, function in functions.entries],
        },
        "labels": names,
        "groups": [[as_utf8(label) for label in group] for group in groups],
        "samples": [[stack, new, old, group] for (stack, group), (new, old) in totals.items()],
    }


class _Functions:
    """Stacks of functions as a tree: an entry is a function, and the entry of what called it, -1 for a root.

    Frames of one function that differ in their addresses and, without `lines`, in their lines are one here.
    """

    def __init__(self, *, lines: bool) -> None:
        self.lines = lines
        self.frames: list[Frame] = []
        self.entries: dict[tuple[int, int], int] = {}
        self._numbers: dict[tuple[object, ...], int] = {}

    def number(self, frame: Frame) -> int:
        """The number of a frame's function."""
        number = self._numbers.setdefault(frame.place if self.lines else frame.function, len(self.frames))
        if number == len(self.frames):
            self.frames.append(frame)
        return number

    def stack(self, numbers: Sequence[int]) -> int:
        """The entry of a stack's leaf, whose functions have these numbers, the root first."""
        at, entries = -1, self.entries
        for number in numbers:
            at = entries.setdefault((at, number), len(entries))
        return at

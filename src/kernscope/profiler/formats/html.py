"""An interactive flame graph: one HTML file that needs nothing else, and loads nothing from anywhere.

`flame.html`, `flame.css` and `flame.js` beside this file are put together with the profile as JSON. Names are data
there: in the JSON every `<` is an escape, and the script sets them as text only. A policy in the page forbids it to
load or send anything.
"""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files

from kernscope.profiler.formats.labels import process_label, thread_label, title

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.profiler.profile import Profile

__all__ = ["about", "diff_page", "encode"]


def encode(profile: Profile) -> bytes:
    """The page."""
    return _page(profile, None)


def diff_page(before: Profile, after: Profile) -> bytes:
    """The page of `after`, with colours that tell what has changed since `before`."""
    return _page(after, before)


def _page(profile: Profile, before: Profile | None) -> bytes:
    folder = files(__package__)
    parts = {
        "title": escape(_text(title(profile))),
        "style": folder.joinpath("flame.css").read_text("utf-8"),
        "script": folder.joinpath("flame.js").read_text("utf-8"),
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


def _content(profile: Profile, before: Profile | None) -> dict[str, object]:
    merged = type(profile)(profile.mode, profile.unit)
    groups: dict[tuple[str, str], int] = {}
    totals: dict[tuple[int, int], list[int]] = {}
    for which, source in enumerate((profile, before)):
        for sample in source.samples if source is not None else ():
            assert source is not None
            stack = merged.stack(source.frames_of(sample))
            group = groups.setdefault((process_label(sample), thread_label(sample)), len(groups))
            totals.setdefault((stack, group), [0, 0])[which] += sample.value
    return {
        "title": _text(title(profile)),
        "about": about(profile),
        "unit": profile.unit,
        "notes": [_text(note) for note in profile.notes],
        "before": None if before is None else before.total,
        "frames": [
            {
                "name": _text(f.name),
                "kind": f.kind,
                "module": _text(f.module),
                "file": _text(f.file),
                "line": f.line,
            }
            for f in merged.frames
        ],
        "stacks": merged.stacks,
        "groups": [{"process": _text(process), "thread": _text(thread)} for process, thread in groups],
        "samples": [[stack, new, old, group] for (stack, group), (new, old) in totals.items()],
    }


def _text(text: str) -> str:
    """Bytes that are no UTF-8 as escapes, which every browser shows."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

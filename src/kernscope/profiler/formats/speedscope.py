"""The JSON that speedscope reads: one profile per thread.

Its schema is published as https://www.speedscope.app/file-format-schema.json (its address is part of each file).
"""

from __future__ import annotations

import json

from kernscope.profiler.formats.labels import thread_label, title

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.profiler.profile import Frame, Profile, Sample

__all__ = ["encode"]

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_UNITS = {"samples": "none", "nanoseconds": "nanoseconds", "bytes": "bytes"}


def encode(profile: Profile) -> bytes:
    """The file; threads with most first."""
    threads: dict[tuple[int, int, str], list[Sample]] = {}
    for sample in profile.samples:
        threads.setdefault((sample.pid, sample.tid, sample.comm), []).append(sample)
    profiles = [_thread(profile, samples) for samples in threads.values()]
    profiles.sort(key=lambda one: -one["endValue"])  # type: ignore[operator]
    content = {
        "$schema": _SCHEMA,
        "exporter": "kernscope",
        "name": title(profile),
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(frame) for frame in profile.frames]},
        "profiles": profiles,
    }
    return json.dumps(content, separators=(",", ":")).encode()


def _frame(frame: Frame) -> dict[str, object]:
    found: dict[str, object] = {"name": frame.name}
    if frame.file or frame.module:
        found["file"] = frame.file or frame.module
    if frame.line:
        found["line"] = frame.line
    return found


def _thread(profile: Profile, samples: list[Sample]) -> dict[str, object]:
    samples = sorted(samples, key=lambda sample: sample.time_ns)
    return {
        "type": "sampled",
        "name": thread_label(samples[0]),
        "unit": _UNITS.get(profile.unit, "none"),
        "startValue": 0,
        "endValue": sum(sample.value for sample in samples),
        "samples": [profile.stacks[sample.stack] for sample in samples],
        "weights": [sample.value for sample in samples],
    }

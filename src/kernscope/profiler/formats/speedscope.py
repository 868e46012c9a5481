"""The JSON that https://www.speedscope.app reads: one profile per thread.

Samples with their times are put where they were, with nothing in between; others one after the other.
"""

from __future__ import annotations

import json

from kernscope.profiler.formats.labels import as_utf8, frame_name, thread_label, title

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
        "name": as_utf8(title(profile)),
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(frame) for frame in profile.frames]},
        "profiles": profiles,
    }
    return json.dumps(content, separators=(",", ":")).encode()


def _frame(frame: Frame) -> dict[str, object]:
    found: dict[str, object] = {"name": as_utf8(frame_name(frame, lines=False))}
    if frame.file or frame.module:
        found["file"] = as_utf8(frame.file or frame.module)
    if frame.line:
        found["line"] = frame.line
    return found


def _thread(profile: Profile, samples: list[Sample]) -> dict[str, object]:
    samples = sorted(samples, key=lambda sample: sample.time_ns)
    head: dict[str, object] = {"type": "sampled", "name": as_utf8(thread_label(samples[0]))}
    if samples[0].time_ns and (profile.period_ns or profile.unit == "nanoseconds"):
        return head | _timed(profile, samples)
    return head | {
        "unit": _UNITS.get(profile.unit, "none"),
        "startValue": 0,
        "endValue": sum(sample.value for sample in samples),
        "samples": [profile.stacks[sample.stack] for sample in samples],
        "weights": [sample.value for sample in samples],
    }


def _timed(profile: Profile, samples: list[Sample]) -> dict[str, object]:
    """Each sample stands for one period, a wait or a call for as long as it took; where more time went by before it, an
    empty stack does.
    """
    stacks: list[tuple[int, ...]] = []
    weights: list[int] = []
    at = 0
    for sample in samples:
        gap = sample.time_ns - profile.start_ns - at
        if gap > profile.period_ns // 2:
            stacks.append(())
            weights.append(gap)
            at += gap
        stacks.append(profile.stacks[sample.stack])
        weights.append(profile.period_ns * sample.count or sample.value)
        at += weights[-1]
    return {"unit": "nanoseconds", "startValue": 0, "endValue": at, "samples": stacks, "weights": weights}

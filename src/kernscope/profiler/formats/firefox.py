"""The JSON of the Firefox Profiler's processed format, as documented in its docs-developer/processed-profile-format.md.

Tables are columns; every thread has its own. Version 32 is written, which later ones upgrade on loading.
"""

from __future__ import annotations

import json

from kernscope.profiler.formats.labels import title

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.profiler.profile import Profile, Sample

__all__ = ["encode"]

_VERSION = 32
_CATEGORIES = (
    ("User", "yellow"),
    ("Kernel", "orange"),
    ("Python", "green"),
    ("JIT", "blue"),
    ("Other", "grey"),
)
_CATEGORY = {"native": 0, "kernel": 1, "python": 2, "jit": 3}
_WEIGHTS = {"samples": "samples", "nanoseconds": "tracing-ms", "bytes": "bytes"}


def encode(profile: Profile) -> bytes:
    """The file."""
    threads: dict[tuple[int, int], list[Sample]] = {}
    for sample in profile.samples:
        threads.setdefault((sample.pid, sample.tid), []).append(sample)
    content = {
        "meta": _meta(profile),
        "libs": [],
        "pages": [],
        "counters": [],
        "threads": [_Thread(profile, samples).content() for samples in threads.values()],
    }
    return json.dumps(content, separators=(",", ":")).encode()


def _meta(profile: Profile) -> dict[str, object]:
    return {
        "version": 24,
        "preprocessedProfileVersion": _VERSION,
        "interval": profile.period_ns / 1e6 or 1,
        "startTime": profile.start_ns / 1e6,
        "profilingStartTime": 0,
        "profilingEndTime": profile.duration_ns / 1e6,
        "processType": 0,
        "product": title(profile),
        "stackwalk": 1,
        "debug": False,
        "symbolicated": True,
        "extensions": {"id": [], "name": [], "baseURL": [], "length": 0},
        "categories": [
            {"name": name, "color": colour, "subcategories": ["Other"]} for name, colour in _CATEGORIES
        ],
        "markerSchema": [],
    }


class _Thread:
    """One thread's tables. Stacks are a tree: each entry is a frame and the entry of what called it."""

    def __init__(self, profile: Profile, samples: list[Sample]) -> None:
        self.profile, self.samples = profile, sorted(samples, key=lambda sample: sample.time_ns)
        self.strings: dict[str, int] = {}
        self.frames: dict[int, int] = {}
        self.stacks: dict[tuple[int | None, int], int] = {}
        self.modules: dict[str, int] = {}

    def string(self, text: str) -> int:
        return self.strings.setdefault(text, len(self.strings))

    def stack(self, numbers: tuple[int, ...]) -> int | None:
        prefix: int | None = None
        for number in numbers:
            frame = self.frames.setdefault(number, len(self.frames))
            prefix = self.stacks.setdefault((prefix, frame), len(self.stacks))
        return prefix

    def content(self) -> dict[str, object]:
        profile, first = self.profile, self.samples[0]
        stacks = [self.stack(profile.stacks[sample.stack]) for sample in self.samples]
        frames = [profile.frames[number] for number in self.frames]
        n = len(frames)
        categories = [_CATEGORY.get(frame.kind, 4) for frame in frames]
        resources = [
            self.modules.setdefault(frame.module, len(self.modules)) if frame.module else -1
            for frame in frames
        ]
        in_ms = profile.unit == "nanoseconds"
        func_table = {
            "name": [self.string(frame.name) for frame in frames],
            "isJS": [False] * n,
            "relevantForJS": [False] * n,
            "resource": resources,
            "fileName": [self.string(frame.file) if frame.file else None for frame in frames],
            "lineNumber": [frame.line or None for frame in frames],
            "columnNumber": [None] * n,
            "length": n,
        }
        frame_table = {
            "address": [frame.address for frame in frames],
            "inlineDepth": [0] * n,
            "category": categories,
            "subcategory": [0] * n,
            "func": list(range(n)),
            "innerWindowID": [None] * n,
            "implementation": [None] * n,
            "line": [frame.line or None for frame in frames],
            "column": [None] * n,
            "nativeSymbol": [None] * n,
            "optimizations": [None] * n,
            "length": n,
        }
        entries = list(self.stacks)
        resource_table = {
            "lib": [None] * len(self.modules),
            "name": [self.string(module.rpartition("/")[2]) for module in self.modules],
            "host": [None] * len(self.modules),
            "type": [1] * len(self.modules),
            "length": len(self.modules),
        }
        return {
            "processType": "default",
            "processName": first.comm,
            "processStartupTime": 0,
            "processShutdownTime": None,
            "registerTime": 0,
            "unregisterTime": None,
            "pausedRanges": [],
            "name": first.comm,
            "isMainThread": first.pid == first.tid,
            "pid": first.pid,
            "tid": first.tid,
            "samples": {
                "stack": stacks,
                "time": [
                    max(0, s.time_ns - profile.start_ns) / 1e6 if s.time_ns else 0 for s in self.samples
                ],
                "weight": [s.value / 1e6 if in_ms else s.value for s in self.samples],
                "weightType": _WEIGHTS.get(profile.unit, "samples"),
                "responsiveness": [None] * len(stacks),
                "length": len(stacks),
            },
            "markers": {name: [] for name in ("data", "name", "startTime", "endTime", "phase", "category")}
            | {"length": 0},
            "stackTable": {
                "frame": [frame for _, frame in entries],
                "prefix": [prefix for prefix, _ in entries],
                "category": [categories[frame] for _, frame in entries],
                "subcategory": [0] * len(entries),
                "length": len(entries),
            },
            "frameTable": frame_table,
            "funcTable": func_table,
            "resourceTable": resource_table,
            "nativeSymbols": {"libIndex": [], "address": [], "name": [], "length": 0},
            "stringArray": list(self.strings),
        }

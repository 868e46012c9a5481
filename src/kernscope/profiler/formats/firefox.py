"""The JSON of the Firefox Profiler's processed format, version 48, which later ones upgrade on loading.

As its documentation has it (docs-developer: processed-profile-format.md, CHANGELOG-formats.md, and the type definitions
that these name). Tables are columns; every thread has its own.
"""

from __future__ import annotations

import json

from kernscope.profiler.formats.labels import as_utf8, inline_depths, title

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernscope.profiler.profile import Frame, Profile, Sample

    Table = dict[str, object]

__all__ = ["encode"]

_VERSION = 48
_GECKO_VERSION = 30
_CATEGORIES = (
    ("User", "yellow"),
    ("Kernel", "orange"),
    ("Python", "green"),
    ("JIT", "blue"),
    ("Other", "grey"),  # the format wants one that is grey
)
_CATEGORY = {"native": 0, "inlined": 0, "kernel": 1, "python": 2, "jit": 3}
_OTHER = 4
_LIBRARY = 1
_WEIGHTS = {"samples": "samples", "nanoseconds": "tracing-ms", "bytes": "bytes"}
_SHOWN = 10
"""Threads that are shown at first, those with most."""


def encode(profile: Profile) -> bytes:
    """The file; threads with most first."""
    threads: dict[tuple[int, int], list[Sample]] = {}
    names: dict[int, str] = {}
    for sample in profile.samples:
        threads.setdefault((sample.pid, sample.tid), []).append(sample)
        if sample.pid == sample.tid:
            names[sample.pid] = sample.comm
    ranked = sorted(threads.items(), key=lambda entry: (-sum(s.value for s in entry[1]), entry[0]))
    content = {
        "meta": _meta(profile, len(ranked)),
        "libs": [],
        "counters": [],
        "threads": [
            _Thread(profile, samples).content(names.get(pid) or f"process {pid}")
            for (pid, _), samples in ranked
        ],
    }
    return json.dumps(content, separators=(",", ":")).encode()


def _meta(profile: Profile, threads: int) -> Table:
    return {
        "version": _GECKO_VERSION,
        "preprocessedProfileVersion": _VERSION,
        "interval": profile.period_ns / 1e6 or 1,
        "startTime": profile.start_ns / 1e6,
        "profilingStartTime": 0,
        "profilingEndTime": profile.duration_ns / 1e6,
        "processType": 0,
        "product": as_utf8(title(profile)),
        "importedFrom": "Kernscope",
        "stackwalk": 1,
        "debug": False,
        "symbolicated": True,
        "symbolicationNotSupported": True,
        "usesOnlyOneStackType": True,
        "doesNotUseFrameImplementation": True,
        "sourceCodeIsNotOnSearchfox": True,
        "keepProfileThreadOrder": True,
        "initialVisibleThreads": list(range(min(threads, _SHOWN))),
        "initialSelectedThreads": [0] if threads else [],
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
        self.functions: dict[tuple[str, str, str, str], int] = {}
        self.stacks: dict[tuple[int | None, int], int] = {}
        self.modules: dict[str, int] = {}
        self.depths = inline_depths(profile)

    def string(self, text: str) -> int:
        return self.strings.setdefault(as_utf8(text), len(self.strings))

    def stack(self, numbers: Sequence[int]) -> int | None:
        prefix: int | None = None
        for number in numbers:
            frame = self.frames.setdefault(number, len(self.frames))
            prefix = self.stacks.setdefault((prefix, frame), len(self.stacks))
        return prefix

    def function(self, frame: Frame) -> int:
        """Of all frames of a function; they differ in their addresses and lines."""
        if frame.module:
            self.modules.setdefault(frame.module, len(self.modules))
        return self.functions.setdefault((*frame.function, frame.file), len(self.functions))

    def content(self, process: str) -> Table:
        """All of it; the tables that the others refer to are filled before they are written."""
        samples, frames, functions = self._samples(), self._frames(), self._functions()
        categories = [_CATEGORY.get(self.profile.frames[number].kind, _OTHER) for number in self.frames]
        entries = list(self.stacks)
        resources = self._resources()
        first = self.samples[0]
        return {
            "processType": "default",
            "processName": as_utf8(process),
            "processStartupTime": 0,
            "processShutdownTime": None,
            "registerTime": 0,
            "unregisterTime": None,
            "pausedRanges": [],
            "name": as_utf8(first.comm),
            "isMainThread": first.pid == first.tid,
            "pid": str(first.pid),
            "tid": first.tid,
            "samples": samples,
            "markers": {name: [] for name in ("data", "name", "startTime", "endTime", "phase", "category")}
            | {"length": 0},
            "stackTable": {
                "frame": [frame for _, frame in entries],
                "prefix": [prefix for prefix, _ in entries],
                "category": [categories[frame] for _, frame in entries],
                "subcategory": [0] * len(entries),
                "length": len(entries),
            },
            "frameTable": frames,
            "funcTable": functions,
            "resourceTable": resources,
            "nativeSymbols": {"libIndex": [], "address": [], "name": [], "functionSize": [], "length": 0},
            "stringArray": list(self.strings),
        }

    def _samples(self) -> Table:
        stacks = [self.stack(self.profile.stacks[sample.stack]) for sample in self.samples]
        in_ms = self.profile.unit == "nanoseconds"
        return {
            "stack": stacks,
            "time": self._times_ms(),
            "weight": [s.value / 1e6 if in_ms else s.value for s in self.samples],
            "weightType": _WEIGHTS.get(self.profile.unit, "samples"),
            "length": len(stacks),
        }

    def _times_ms(self) -> list[float]:
        """Since the start. Samples that stand for many are put one after the other, as wide as they are."""
        profile, at, times = self.profile, 0.0, []
        for sample in self.samples:
            if sample.time_ns:
                times.append(max(0, sample.time_ns - profile.start_ns) / 1e6)
                continue
            times.append(at)
            at += (
                sample.value / 1e6
                if profile.unit == "nanoseconds"
                else sample.count * profile.period_ns / 1e6
            )
        return times

    def _frames(self) -> Table:
        frames = [self.profile.frames[number] for number in self.frames]
        n = len(frames)
        return {
            "address": [frame.address or -1 for frame in frames],
            "inlineDepth": [self.depths.get(number, 0) for number in self.frames],
            "category": [_CATEGORY.get(frame.kind, _OTHER) for frame in frames],
            "subcategory": [0] * n,
            "func": [self.function(frame) for frame in frames],
            "nativeSymbol": [None] * n,
            "innerWindowID": [None] * n,
            "implementation": [None] * n,
            "line": [frame.line or None for frame in frames],
            "column": [None] * n,
            "length": n,
        }

    def _functions(self) -> Table:
        n = len(self.functions)
        return {
            "name": [self.string(name) for name, *_ in self.functions],
            "isJS": [False] * n,
            "relevantForJS": [False] * n,
            "resource": [self.modules[module] if module else -1 for _, _, module, _ in self.functions],
            "fileName": [self.string(file) if file else None for *_, file in self.functions],
            "lineNumber": [None] * n,
            "columnNumber": [None] * n,
            "length": n,
        }

    def _resources(self) -> Table:
        n = len(self.modules)
        return {
            "lib": [None] * n,
            "name": [self.string(module.rpartition("/")[2]) for module in self.modules],
            "host": [None] * n,
            "type": [_LIBRARY] * n,
            "length": n,
        }

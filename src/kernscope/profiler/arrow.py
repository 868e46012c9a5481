"""A profile as an Arrow table, where pyarrow is installed (`pip install kernscope[arrow]`)."""

from __future__ import annotations

from kernscope.profiler.formats.labels import as_utf8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from kernscope.profiler.profile import Frame, Profile

__all__ = ["to_arrow"]

_FRAME = ("name", "kind", "module", "file", "line")


def to_arrow(profile: Profile) -> Any:
    """A pyarrow.Table with one row per sample: `pid`, `tid`, `comm`, `value` in the profile's unit, `count`, `time`
    (nanoseconds, UTC; null where it stands for many), a column for each label, `function`, the name of the leaf
    (marks are none), and `stack`, the root first: a list of structures of `name`, `kind`, `module`, `file`, `line`.

    Bytes that are not UTF-8 are escapes. The table's metadata has the profile's mode, unit and so on.
    `.to_pandas()` makes a data frame of pandas of it, `polars.from_arrow(table)` one of polars.

    Raises:
        ModuleNotFoundError: pyarrow is not installed.
    """
    import pyarrow as pa  # type: ignore[import-not-found,import-untyped,unused-ignore]  # optional

    frames = [_frame(frame) for frame in profile.frames]
    samples = profile.samples
    frame_type = pa.struct([(name, pa.int64() if name == "line" else pa.string()) for name in _FRAME])
    columns = {
        "pid": pa.array([s.pid for s in samples], pa.int64()),
        "tid": pa.array([s.tid for s in samples], pa.int64()),
        "comm": pa.array([as_utf8(s.comm) for s in samples], pa.string()),
        "value": pa.array([s.value for s in samples], pa.int64()),
        "count": pa.array([s.count for s in samples], pa.int64()),
        "time": pa.array([s.time_ns or None for s in samples], pa.timestamp("ns", "UTC")),
    }
    for label in sorted({label for s in samples for label in s.labels} - {*columns, "function", "stack"}):
        values = [s.labels.get(label) for s in samples]
        columns[label] = pa.array([v if v is None else as_utf8(v) for v in values], pa.string())
    leaves = [_leaf(profile.frames[number] for number in reversed(stack)) for stack in profile.stacks]
    columns["function"] = pa.array([leaves[s.stack] for s in samples], pa.string())
    stacks = [[frames[number] for number in profile.stacks[s.stack]] for s in samples]
    columns["stack"] = pa.array(stacks, pa.list_(frame_type))
    head = ("mode", "unit", "period_ns", "command", "start_ns", "duration_ns", "lost")
    return pa.table(columns, metadata={name: as_utf8(str(getattr(profile, name))) for name in head})


def _leaf(frames: Iterable[Frame]) -> str | None:
    return next((as_utf8(frame.name) for frame in frames if frame.kind != "mark"), None)


def _frame(frame: Frame) -> dict[str, object]:
    return {name: frame.line if name == "line" else as_utf8(getattr(frame, name)) for name in _FRAME}

"""Events as Arrow tables, where pyarrow is installed (`pip install kernscope[arrow]`)."""

from __future__ import annotations

from kernscope.output.events import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

__all__ = ["to_arrow"]


def to_arrow(events: Iterable[Event], columns: Sequence[str] = ()) -> Any:
    """A pyarrow.Table with one row per event that has values: the arguments of printf, the parts of a printed
    tuple, or the single printed value.

    Args:
        columns: names; by default `c0`, `c1`, …. Events with another number of values are left out.

    Raises:
        ModuleNotFoundError: pyarrow is not installed.
    """
    import pyarrow  # type: ignore[import-not-found,unused-ignore]  # optional

    rows = [row for row in map(_values, events) if row is not None]
    width = len(columns) if columns else max((len(row) for row in rows), default=0)
    names = list(columns) or [f"c{i}" for i in range(width)]
    rows = [row for row in rows if len(row) == width]
    return pyarrow.table({name: _column(pyarrow, [row[i] for row in rows]) for i, name in enumerate(names)})


def _values(event: Event) -> tuple[Any, ...] | None:
    args = getattr(event, "args", None)
    if isinstance(args, tuple):
        return args
    if not hasattr(event, "value"):
        return None
    value = event.value
    return value if isinstance(value, tuple) else (value,)


def _column(pyarrow: Any, values: list[Any]) -> Any:
    """Strings that are not UTF-8 make a column of bytes, so that nothing is lost."""
    if any(isinstance(v, int) and v >= 1 << 63 for v in values):
        return pyarrow.array(values, pyarrow.uint64())
    if any(isinstance(v, str) and not _is_utf8(v) for v in values):
        return pyarrow.array([v.encode("utf-8", "surrogateescape") for v in values], pyarrow.binary())
    return pyarrow.array(values)


def _is_utf8(text: str) -> bool:
    return not any(0xD800 <= ord(c) <= 0xDFFF for c in text)

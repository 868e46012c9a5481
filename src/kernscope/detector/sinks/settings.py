"""Values of settings: from what a YAML or JSON file has to what a sink wants. They raise ValueError for people."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["choice", "duration_s", "file_path", "headers", "number", "size_bytes", "text", "truth"]

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def text(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError("is a text of one line")
    return value


def file_path(value: object) -> str:
    import os

    path = text(value)
    if not os.path.isabs(path):
        raise ValueError(f"is an absolute path, not `{path}`")
    return os.path.normpath(path)


def number(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        found = int(value) if isinstance(value, str) and value.isdecimal() else value
        if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most:
            raise ValueError(f"is a whole number from {least} to {most}, not `{value}`")
        return found

    return read


def size_bytes(value: object) -> int:
    """Bytes: a number, or one with a unit: `16M`."""
    found = str(value).upper().removesuffix("IB").removesuffix("B")
    factor = _UNITS.get(found[-1:], 1)
    try:
        result = int(float(found[:-1] if factor > 1 else found) * factor)
    except (ValueError, OverflowError):
        raise ValueError(f"is a size such as 500K, 16M or 2G, not `{value}`") from None
    if isinstance(value, bool) or not 64 << 10 <= result <= 1 << 50:
        raise ValueError(f"is a size of at least 64K, not `{value}`")
    return result


def duration_s(value: object) -> float:
    """Seconds: a number, or one with a unit: `500ms`, `5m`, `90d`."""
    factors = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    found = str(value)
    unit = next((unit for unit in factors if found.endswith(unit)), "")
    try:
        result = float(found.removesuffix(unit)) * factors.get(unit, 1.0)
    except ValueError:
        result = -1.0
    if isinstance(value, bool) or not 0 < result < 1e9:
        raise ValueError(f"is a time such as 10s, 5m or 90d, not `{value}`")
    return result


def truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise ValueError(f"is true or false, not `{value}`")


def choice(choices: Sequence[str]) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in choices:
            raise ValueError(f"is one of {', '.join(choices)}, not `{value}`")
        return str(value)

    return read


def headers(value: object) -> dict[str, str]:
    """Names and values; the values may be secrets, so messages name only the header."""
    if not isinstance(value, dict):
        raise ValueError("is a mapping of headers' names to their values")
    for name, content in value.items():
        if (
            not isinstance(name, str)
            or not name
            or not all(c.isascii() and (c.isalnum() or c in "-_") for c in name)
        ):
            raise ValueError("has a name that no header can have")
        # RFC 9110, 5.5: no control characters, so that no header is forged
        if not isinstance(content, str) or not content.isprintable() or not content.isascii():
            raise ValueError(f"has a value of `{name}` that is no ASCII text of one line")
        if name.lower() in ("host", "content-length", "content-type", "transfer-encoding", "connection"):
            raise ValueError(f"cannot set `{name}`: it is written by the sink")
    return dict(value)

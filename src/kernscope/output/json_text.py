"""Values as JSON text, to the byte as bpftrace writes them: `", "` between members, `","` between elements.

Strings may hold any bytes: those that are not UTF-8 are lone low surrogates (``\\udc80`` … ``\\udcff`` for 0x80 …
0xff), which Python's `surrogateescape` turns back into the bytes. Everything beyond ASCII is escaped, so that the
output is safe on any terminal. An integer that a double cannot hold exactly is written as a string, because most
readers of JSON would change it.
"""

from __future__ import annotations

from json.encoder import encode_basestring_ascii

from kernscope.output.structured import StructValue
from kernscope.output.timeseries import CompactDict

__all__ = ["json_text"]

_DOUBLE_EXACT = 1 << 53


def json_text(value: object) -> str:
    """`value` as JSON. Tuples, lists and bytes become arrays; other objects their text."""
    kind = value.__class__
    if kind is str:
        # DEL is ASCII, so the encoder leaves it alone.
        return encode_basestring_ascii(value).replace("\x7f", "\\u007f")  # type: ignore[arg-type]
    if kind is bool:
        return "true" if value else "false"
    if isinstance(value, int):
        exact = -_DOUBLE_EXACT <= value <= _DOUBLE_EXACT or int(float(value)) == value
        return str(int(value)) if exact else f'"{int(value)}"'
    if isinstance(value, StructValue):
        return "{" + ", ".join([f"{json_text(k)}: {json_text(v)}" for k, v in value.items()]) + "}"
    if isinstance(value, tuple | list | bytes):
        return f"[{','.join([json_text(v) for v in value])}]"
    if isinstance(value, CompactDict):
        return "{" + ",".join([f"{json_text(k)}:{json_text(v)}" for k, v in value.items()]) + "}"
    if isinstance(value, dict):
        return "{" + ", ".join([f"{json_text(k)}: {json_text(v)}" for k, v in value.items()]) + "}"
    return "null" if value is None else json_text(str(value))

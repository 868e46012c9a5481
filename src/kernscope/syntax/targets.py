"""The targets of a probe: `tracepoint:syscalls:sys_enter_*`, `uprobe:/bin/sh:"f(int)"`.

Their text follows rules of its own: `/`, `*`, `.`, `-`, `+`, `$` are part of it, a blank, `,` or `{` ends it,
and double quotes keep anything together. What the parts mean is up to the kind of probe.
"""

from kernscope.diagnostics.source import Source

__all__ = ["find_target_end", "split_target"]

_ENDS = frozenset(" \t\r\n\f\v,{}")


def find_target_end(source: Source, start: int) -> int:
    """The offset after the target at `start`; negative where a quote is not closed on its line."""
    text = source.text
    length = len(text)
    position = start
    while position < length and text[position] not in _ENDS:
        if text[position] == '"':
            close = text.find('"', position + 1)
            if close < 0 or text.find("\n", position, close) >= 0:
                return -1
            position = close
        position += 1
    return position


def split_target(text: str) -> list[str]:
    """The parts between colons, quotes removed; a colon in quotes separates nothing."""
    if '"' not in text:
        return text.split(":")
    parts = [""]
    quoted = False
    for c in text:
        if c == '"':
            quoted = not quoted
        elif c == ":" and not quoted:
            parts.append("")
        else:
            parts[-1] += c
    return parts

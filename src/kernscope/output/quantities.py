"""Numbers as people read them, and text by its width on a terminal."""

from kernscope.output.escape import escape_text

__all__ = ["count", "display_width", "duration", "fit", "rate", "safe", "share"]

_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"))


def duration(ns: float) -> str:
    """`1234567` → `1.23 ms`: three significant digits and a unit, whole nanoseconds below a microsecond."""
    for size, unit in _UNITS:
        if ns >= size * 0.9995 or (unit == "µs" and ns >= 999.5):
            value = ns / size
            if value >= 1000:
                return f"{value:,.0f} {unit}"
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{digits}f} {unit}"
    return f"{ns:.0f} ns"


def count(n: int) -> str:
    """`1234567` → `1,234,567`."""
    return f"{n:,}"


def rate(per_second: float) -> str:
    """Events per second: whole above ten, one digit below."""
    return f"{per_second:,.0f}" if per_second >= 10 or per_second == 0 else f"{per_second:.1f}"


def share(part: int, whole: int) -> str:
    """`3 of 1000` → `0.3 %`; nothing where there is none."""
    if not part or not whole:
        return ""
    percent = 100 * part / whole
    return f"{percent:.0f} %" if percent >= 9.95 else f"{percent:.1f} %" if percent >= 0.05 else "<0.1 %"


def display_width(text: str) -> int:
    """Columns that `text` takes on a terminal: two for East Asian wide characters, none for combining
    ones."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def fit(text: str, width: int) -> str:
    """`text`, cut with `…` to at most `width` columns."""
    if display_width(text) <= width:
        return text
    if width <= 0:
        return ""
    kept = ""
    room = width - 1
    for c in text:
        room -= display_width(c)
        if room < 0:
            break
        kept += c
    return kept + "…"


def safe(text: object) -> str:
    """Any value as text without control characters, for terminals and tables."""
    return escape_text(str(text))

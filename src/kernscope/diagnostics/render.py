"""Diagnostics as text and as JSON."""

from collections.abc import Iterable

from .diagnostic import Diagnostic
from .display import Line, clean, display_width, wrap
from .source import Source, Span

__all__ = ["render_text", "to_dict", "to_json"]

_COLORS = {"error": "1;31", "warning": "1;33", "note": "1;36", "help": "1;32", "gutter": "1;34"}


class _Style:
    """Colours a text, or leaves it."""

    __slots__ = ("color",)

    def __init__(self, color: bool) -> None:
        self.color = color

    def __call__(self, name: str, text: str) -> str:
        return f"\x1b[{_COLORS[name]}m{text}\x1b[0m" if self.color and text else text


class _Mark:
    """One underlined place in a line: columns `low` to `high`, and what to say about it."""

    __slots__ = ("high", "low", "primary", "text")

    def __init__(self, low: int, high: int, text: str, primary: bool) -> None:
        self.low = low
        self.high = high
        self.text = text
        self.primary = primary


def _places(diagnostic: Diagnostic) -> list[tuple[Span, str, bool]]:
    """All places to show, each once, the main one first: (span, text, whether it is the main one)."""
    assert diagnostic.span is not None
    label = diagnostic.label
    rest: list[tuple[Span, str, bool]] = []
    for span, text in diagnostic.labels:
        if span == diagnostic.span and not label:
            label = text
        else:
            rest.append((span, text, False))
    return [(diagnostic.span, label, True), *rest]


def _by_line(places: list[tuple[Span, str, bool]], source: Source) -> dict[int, list[tuple[Span, str, bool]]]:
    lines: dict[int, list[tuple[Span, str, bool]]] = {}
    for place in places:
        if place[0].source is source:
            lines.setdefault(source.position(place[0].start)[0], []).append(place)
    return dict(sorted(lines.items()))


def _render_line(
    source: Source, number: int, places: list[tuple[Span, str, bool]], room: int, style: _Style, severity: str
) -> list[str]:
    """The source line and the rows of marks under it, without the gutter."""
    line = Line(source.line_text(number))
    start = source.line_start(number)
    marks = []
    for span, text, primary in places:
        low = line.column(span.start - start)
        # A place that goes on below is marked to the end of its first line; an empty one by one caret.
        high = max(line.column(span.end - start), low + 1)
        marks.append(_Mark(low, high, clean(text), primary))
    marks.sort(key=lambda mark: (mark.low, mark.high))
    last = marks[-1]
    low = min(mark.low for mark in marks)
    wanted = max(max(mark.high for mark in marks), last.high + 1 + display_width(last.text))
    shown, shift = line.shorten(low, min(wanted, low + room - 8), room)
    for mark in marks:
        mark.low += shift
        mark.high = max(min(mark.high + shift, room), mark.low + 1)
    return [shown, *_rows(marks, room, style, severity)]


def _underlines(marks: list[_Mark]) -> str:
    """One row of marks. A smaller place within the main one stays visible: `--^^^-`."""
    cells: list[str] = []
    for mark in sorted(marks, key=lambda mark: (not mark.primary, mark.low - mark.high)):
        cells.extend(" " * (mark.high - len(cells)))
        for column in range(mark.low, mark.high):
            inside = any(other.primary and mark.high - mark.low < other.high - other.low for other in marks)
            if mark.primary or inside or cells[column] == " ":
                cells[column] = "^" if mark.primary else "-"
    return "".join(cells)


def _rows(marks: list[_Mark], room: int, style: _Style, severity: str) -> list[str]:
    """Underlines, then the texts: the rightmost beside its underline if it fits, the others hanging below."""
    last = marks[-1]
    row = _underlines(marks)
    beside = len(row) + 1 + display_width(last.text) <= room
    row = style(severity if any(mark.primary for mark in marks) else "gutter", row)
    if beside and last.text:
        row += " " + style(severity if last.primary else "gutter", last.text)
    rows = [row]
    hanging = [mark for mark in marks[: -1 if beside else None] if mark.text]
    if hanging:
        rows.append(style("gutter", _stems(hanging)))
    while hanging:
        mark = hanging.pop()
        stems = _stems([other for other in hanging if other.low < mark.low])
        # A text that would run out of the window starts further left, but right of the stems.
        low = max(len(stems) + 1 if stems else 0, min(mark.low, room - display_width(mark.text)))
        for line in wrap(mark.text, max(room - low, 20)):
            text = style(severity if mark.primary else "gutter", line)
            rows.append(style("gutter", stems) + " " * (low - len(stems)) + text)
    return rows


def _stems(marks: list[_Mark]) -> str:
    row = ""
    for column in sorted({mark.low for mark in marks}):
        row = row.ljust(column) + "|"
    return row


def _render_places(diagnostic: Diagnostic, digits: int, width: int, style: _Style) -> list[str]:
    """Arrow lines, source lines and marks."""
    places = _places(diagnostic)
    sources: list[Source] = []
    for span, _, _ in places:
        if span.source not in sources:
            sources.append(span.source)
    gutter = style("gutter", " " * (digits + 2) + "|")
    out: list[str] = []
    for source in sources:
        first = next(span for span, _, _ in places if span.source is source)
        line, column = source.position(first.start)
        arrow = "-->" if source is sources[0] else ":::"
        place = f"{clean(source.name)}:{line}:{column}"
        out += [" " * (digits + 1) + style("gutter", arrow) + " " + place, gutter]
        previous = 0
        for number, here in _by_line(places, source).items():
            if previous and number > previous + 1:
                out.append(" " * (digits + 1) + style("gutter", "..."))
            previous = number
            rows = _render_line(source, number, here, width - digits - 4, style, diagnostic.severity)
            out.append(f"{style('gutter', f' {number:>{digits}} |')} {rows[0]}".rstrip())
            out += [f"{gutter} {row}".rstrip() for row in rows[1:]]
    return out


def _render_remarks(diagnostic: Diagnostic, digits: int, width: int, style: _Style) -> list[str]:
    indent = " " * (digits + 2)
    out: list[str] = []
    for kind, texts in (("note", diagnostic.notes), ("help", diagnostic.help)):
        for text in texts:
            lines = wrap(clean(text), width - digits - 10)
            out.append(f"{indent}{style('gutter', '=')} {style(kind, kind)}: {lines[0]}")
            out += [f"{indent}  {' ' * (len(kind) + 2)}{line}".rstrip() for line in lines[1:]]
    return out


def _render(diagnostic: Diagnostic, width: int, style: _Style) -> str:
    head = f"{diagnostic.severity}[{diagnostic.code}]"
    out = [f"{style(diagnostic.severity, head)}: {clean(diagnostic.message)}"]
    digits = 1
    remarks_apart = False
    if diagnostic.span is not None:
        last = max(span.source.position(span.start)[0] for span, _, _ in _places(diagnostic))
        digits = len(str(last))
        out += _render_places(diagnostic, digits, width, style)
        remarks_apart = True
    remarks = _render_remarks(diagnostic, digits, width, style)
    if remarks and remarks_apart:
        out.append(style("gutter", " " * (digits + 2) + "|"))
    return "\n".join(out + remarks) + "\n"


def render_text(diagnostics: Iterable[Diagnostic], color: bool = False, width: int = 100) -> str:
    """The diagnostics as text for a person, an empty line between them.

    `width` is that of the terminal in columns; source lines are shortened to it, remarks wrapped.
    """
    style = _Style(color)
    return "\n".join([_render(diagnostic, max(width, 40), style) for diagnostic in diagnostics])


def _place(span: Span) -> dict[str, object]:
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(span.end)
    return {
        "source": span.source.name,
        "start": {"offset": span.start, "line": line, "column": column},
        "end": {"offset": span.end, "line": end_line, "column": end_column},
    }


def to_dict(diagnostic: Diagnostic) -> dict[str, object]:
    """A diagnostic as plain data, as in `to_json`."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "span": None if diagnostic.span is None else _place(diagnostic.span),
        "label": diagnostic.label,
        "labels": [{"span": _place(span), "text": text} for span, text in diagnostic.labels],
        "notes": diagnostic.notes,
        "help": diagnostic.help,
    }


def to_json(diagnostics: Iterable[Diagnostic]) -> str:
    """The diagnostics as a JSON array; offsets count characters from 0, lines and columns from 1."""
    import json

    return json.dumps([to_dict(diagnostic) for diagnostic in diagnostics])

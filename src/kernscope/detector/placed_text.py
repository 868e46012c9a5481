"""A condition's text and where each of its characters stands in the rule file.

YAML folds and unquotes what it reads, and `append` joins texts of several files, so an offset into a condition is
no offset into a file. What is not blank keeps its order, though: that is how places are found again, only when an
error needs one. In a double-quoted scalar with escapes the place is that of the scalar.
"""

from __future__ import annotations

from kernscope.diagnostics import Source, Span

__all__ = ["PlacedText"]


class _Piece:
    """A part of the text: from offset `start` on, the value of what stands at `span` in a file."""

    __slots__ = ("_offsets", "span", "start", "value")

    def __init__(self, start: int, value: str, span: Span) -> None:
        self.start, self.value, self.span = start, value, span
        self._offsets: list[int] | None = None

    def offsets(self) -> list[int]:
        """For each character of `value`, and the end, its offset in the file."""
        if self._offsets is None:
            self._offsets = _align(self.value, self.span)
        return self._offsets


class PlacedText:
    """`text` is what `parse` reads; `span(start, end)` is where that stands in a file."""

    __slots__ = ("_pieces", "text")

    def __init__(self, value: str, span: Span | None = None) -> None:
        place = Span(Source("<condition>", value), 0, len(value)) if span is None else span
        self.text = value
        self._pieces = [_Piece(0, value, place)]

    def joined(self, other: PlacedText) -> PlacedText:
        """This text, a blank, and the other one."""
        whole = PlacedText.__new__(PlacedText)
        whole.text = f"{self.text} {other.text}"
        shift = len(self.text) + 1
        whole._pieces = [*self._pieces, *(_Piece(p.start + shift, p.value, p.span) for p in other._pieces)]
        return whole

    def _piece(self, start: int) -> _Piece:
        piece = self._pieces[0]
        for candidate in self._pieces:
            if candidate.start <= start:
                piece = candidate
        return piece

    def source(self, start: int) -> Source:
        """The file that this offset's text is of."""
        return self._piece(start).span.source

    def span(self, start: int, end: int) -> Span:
        piece = self._piece(start)
        offsets = piece.offsets()
        last = len(offsets) - 1
        low = min(max(start - piece.start, 0), last)
        high = min(max(end - piece.start, low), last)
        first = offsets[low]
        # The end is behind the last character, not before the next one, which may be lines away.
        return Span(piece.span.source, first, max(first, offsets[high - 1] + 1 if high > low else first))


def _align(value: str, span: Span) -> list[int]:
    raw, end = span.source.text, span.end
    position = span.start
    if raw[position : position + 1] in ("|", ">") and not raw.startswith(value, position):
        position = raw.find("\n", position, end) + 1 or end
    elif raw[position : position + 1] in ("'", '"') and not raw.startswith(value, position):
        position += 1
    offsets: list[int] = []
    for c in value:
        if not c.isspace():
            found = raw.find(c, position, end)
            if found < 0:
                return [span.start] * (len(value) + 1)
            position = found
        offsets.append(min(position, end))
        if not c.isspace() or raw[position : position + 1].isspace():
            position += 1
    offsets.append(min(position, end))
    return offsets

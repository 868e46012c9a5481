"""Program texts and places in them."""

__all__ = ["NO_SPAN", "ExpandedSpan", "Source", "Span", "root_span"]


class Source:
    """A program text and the name that diagnostics give it (a path, or `<command line>`).

    Offsets are indices into `text`. Bytes that are no valid UTF-8 are lone surrogates
    (decode with `errors="surrogateescape"`). `imported` is the statement that brought the text into a program.
    """

    __slots__ = ("_starts", "imported", "name", "text")

    def __init__(self, name: str, text: str, imported: "Span | None" = None) -> None:
        self.name = name
        self.text = text
        self.imported = imported
        self._starts: list[int] | None = None

    def _line_starts(self) -> list[int]:
        # Only errors need lines, so the table is made on first use.
        starts = self._starts
        if starts is None:
            starts = [0]
            find = self.text.find
            position = find("\n")
            while position >= 0:
                starts.append(position + 1)
                position = find("\n", position + 1)
            self._starts = starts
        return starts

    @property
    def line_count(self) -> int:
        return len(self._line_starts())

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both counted from 1, the column in characters."""
        starts = self._line_starts()
        low, high = 0, len(starts)
        while high - low > 1:
            middle = (low + high) // 2
            if starts[middle] <= offset:
                low = middle
            else:
                high = middle
        return low + 1, offset - starts[low] + 1

    def line_start(self, line: int) -> int:
        """Offset of the first character of a line (counted from 1)."""
        return self._line_starts()[line - 1]

    def line_text(self, line: int) -> str:
        """A line (counted from 1) without its line end."""
        start = self.line_start(line)
        end = self.text.find("\n", start)
        text = self.text[start:] if end < 0 else self.text[start:end]
        return text.removesuffix("\r")

    def __repr__(self) -> str:
        return f"Source({self.name!r}, {len(self.text)} characters)"


class Span:
    """The half-open range [start, end) of a source's text."""

    __slots__ = ("end", "source", "start")

    def __init__(self, source: Source, start: int, end: int) -> None:
        self.source = source
        self.start = start
        self.end = end

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def to(self, other: "Span") -> "Span":
        """The span from the start of this one to the end of the other."""
        return Span(self.source, self.start, other.end)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Span)
            and self.source is other.source
            and self.start == other.start
            and self.end == other.end
        )

    def __hash__(self) -> int:
        return hash((id(self.source), self.start, self.end))

    def __repr__(self) -> str:
        line, column = self.source.position(self.start)
        return f"Span({self.source.name}:{line}:{column}, {self.end - self.start} characters)"


class ExpandedSpan(Span):
    """A place in a macro's definition, as it stands for one use of the macro: `origin` is the use."""

    __slots__ = ("origin",)

    def __init__(self, source: Source, start: int, end: int, origin: Span) -> None:
        super().__init__(source, start, end)
        self.origin = origin


def root_span(span: Span) -> Span:
    """The place in the program itself: for a place in an imported text, the import."""
    while (imported := span.source.imported) is not None:
        span = imported
    return span


NO_SPAN = Span(Source("<none>", ""), 0, 0)
"""For nodes that come from no text, such as those a program or a test builds."""

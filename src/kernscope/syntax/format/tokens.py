"""Tokens with the comments before them."""

from kernscope.diagnostics.source import Source
from kernscope.syntax.lexer import scan

__all__ = ["Comment", "Token", "comments_in", "tokens_between"]


class Comment:
    """A comment. `own_line`: it is the first on its line; `blank_before`: an empty line stands before it."""

    __slots__ = ("blank_before", "own_line", "text")

    def __init__(self, text: str, own_line: bool, blank_before: bool) -> None:
        self.text, self.own_line, self.blank_before = text, own_line, blank_before

    @property
    def ends_line(self) -> bool:
        return self.text.startswith("//")


class Token:
    """`comments` stand before it; `blank_before`: an empty line stands between it and what precedes it."""

    __slots__ = ("blank_before", "comments", "end", "kind", "start", "text")

    def __init__(
        self, kind: str, text: str, start: int, end: int, comments: list[Comment], blank_before: bool
    ) -> None:
        self.kind, self.text, self.start, self.end = kind, text, start, end
        self.comments, self.blank_before = comments, blank_before


def comments_in(gap: str, first: bool = False) -> tuple[list[Comment], bool]:
    """The comments in a text between two tokens, and whether an empty line stands after the last.

    `first`: nothing stands before the text.
    """
    found: list[Comment] = []
    position, newlines = 0, 2 if first else 0
    while position < len(gap):
        if gap.startswith("//", position):
            end = gap.find("\n", position)
            end = len(gap) if end < 0 else end
        elif gap.startswith("/*", position):
            end = gap.index("*/", position + 2) + 2
        else:
            newlines += gap[position] == "\n"
            position += 1
            continue
        text = "\n".join(line.rstrip() for line in gap[position:end].split("\n"))
        found.append(Comment(text, newlines > 0, newlines > 1 and not (first and not found)))
        position, newlines = end, 0
    return found, newlines > 1 and not (first and not found)


def tokens_between(source: Source, start: int, end: int) -> list[Token]:
    """The tokens from `start` to `end`."""
    text = source.text
    part = Source(source.name, text[:end])
    found: list[Token] = []
    position = start
    while True:
        scanned = scan(part, position, whole=True)
        count = len(scanned.kinds) - 4  # the end marks
        if count <= 0:
            return found
        for kind, begin, stop in zip(scanned.kinds[:count], scanned.starts, scanned.ends):
            comments, blank = comments_in(text[position:begin])
            found.append(Token(kind, text[begin:stop], begin, stop, comments, blank))
            position = stop

"""Pieces of text set into lines of limited width.

A line that is too long is broken at the least deep place (outside of most brackets, between the loosest operators)
that still fits, the last one of those; if none fits, at the first there is. What follows is indented.
"""

__all__ = ["WIDTH", "Piece", "lay_out"]

WIDTH = 100
"""Columns a line should not exceed."""

CONTINUATION = "    "

NO_BREAK = (1 << 30, 0)


class Piece:
    """A token or comment: whether a blank stands before it, what breaking before it costs (depth, looseness of the
    operator; the lower the better), and whether a break must stand before it.
    """

    __slots__ = ("cost", "must_break", "space", "text")

    def __init__(
        self, text: str, space: bool, cost: tuple[int, int] = NO_BREAK, must_break: bool = False
    ) -> None:
        self.text, self.space, self.cost, self.must_break = text, space, cost, must_break


def lay_out(pieces: list[Piece], indent: str, reserve: int = 0) -> list[str]:
    """Lines, the first at `indent`. `reserve` columns stay free at the end, for what will be added."""
    lines: list[str] = []
    start, here = 0, indent
    while start < len(pieces):
        stop = _line_end(pieces, start, WIDTH - len(here), reserve)
        text = "".join(
            (" " if piece.space and i else "") + piece.text for i, piece in enumerate(pieces[start:stop])
        )
        lines.append(here + text)
        start, here = stop, indent + CONTINUATION
    return lines


def _line_end(pieces: list[Piece], start: int, room: int, reserve: int) -> int:
    """Where to break the line that begins with piece `start`."""
    best, best_cost = 0, NO_BREAK
    length = 0
    for index in range(start, len(pieces)):
        piece = pieces[index]
        if index > start:
            if piece.must_break:
                return index
            if piece.cost <= best_cost and piece.cost != NO_BREAK and (length <= room or not best):
                best, best_cost = index, piece.cost
        length += len(piece.text.rsplit("\n", 1)[-1]) + (piece.space and index > start)
        if length > room and best:
            return best
    if length + reserve > room and best:
        return best
    return len(pieces)

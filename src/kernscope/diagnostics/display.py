"""How a source line looks on a terminal: which columns each character takes, and nothing that could harm.

A program's text may hold control sequences, direction marks or broken bytes (it may come from anywhere); all
of them are shown as escapes. Wide characters take two columns, combining ones none (Unicode Annex 11).
"""

__all__ = ["Line", "clean", "display_width", "wrap"]

_TAB = 4
_HARMLESS = frozenset(map(chr, range(0x20, 0x7F)))


def _cell(c: str) -> tuple[str, int]:
    """What to show for a character, and its width in columns."""
    if c in _HARMLESS:
        return c, 1
    import unicodedata

    code = ord(c)
    category = unicodedata.category(c)
    if 0xDC80 <= code <= 0xDCFF:
        text = f"\\x{code - 0xDC00:02x}"  # a byte that is no UTF-8 (surrogateescape)
        return text, len(text)
    if category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        text = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
        return text, len(text)
    if category in ("Mn", "Me"):
        return c, 0
    return c, 2 if unicodedata.east_asian_width(c) in "WF" else 1


def clean(text: str) -> str:
    """The text with everything that could change how a terminal shows it as escapes; line ends stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join([c if c == "\n" else _cell(c)[0] for c in text])


def display_width(text: str) -> int:
    """Columns that a text takes."""
    if text.isascii() and text.isprintable():
        return len(text)
    return sum([_cell(c)[1] for c in text])


class Line:
    """A source line as cells: `cells[i]` shows character i, from column `columns[i]` on."""

    __slots__ = ("cells", "columns")

    def __init__(self, text: str) -> None:
        self.cells: list[str] = []
        self.columns = [0]
        column = 0
        for c in text:
            if c == "\t":
                width = _TAB - column % _TAB
                cell = " " * width
            else:
                cell, width = _cell(c)
            column += width
            self.cells.append(cell)
            self.columns.append(column)

    @property
    def width(self) -> int:
        return self.columns[-1]

    def column(self, index: int) -> int:
        """The column of a character; behind the end, of the first free one."""
        return self.columns[min(index, len(self.cells))]

    def shorten(self, low: int, high: int, room: int) -> tuple[str, int]:
        """The part of the line around the columns low to high, in at most `room` columns.

        Returns the text, and what to add to a column of the line to get one of the text. Cuts are marked with
        `... ` and ` ...`; the cut on the left is made before a word where one begins near.
        """
        if self.width <= room:
            return "".join(self.cells), 0
        start = 0
        if high > room - 4:
            start = self._cut(min(high - room + 8, low), low)
        shift = (4 if start else 0) - self.columns[start]
        end = start
        while end < len(self.cells) and self.columns[end + 1] + shift <= room - 4:
            end += 1
        text = "".join(self.cells[start:end]).rstrip()
        if self.columns[end] < self.width:
            if self.width + shift <= room:
                text = "".join(self.cells[start:])
            else:
                text += " ..."
        return ("... " if start else "") + text, shift

    def _cut(self, column: int, limit: int) -> int:
        """The index of the first character to show: a word's first, if one begins between the columns."""
        index = 0
        while index < len(self.cells) and self.columns[index] < column:
            index += 1
        word = index
        while word < len(self.cells) and self.columns[word] <= limit and self.columns[word] < column + 16:
            if word and self.cells[word - 1] == " " and self.cells[word] != " ":
                return word
            word += 1
        word = index
        while word and self.cells[word - 1] != " " and index - word < 16:
            word -= 1
        return word if index - word < 16 else index


def _words(text: str) -> list[str]:
    """Words to break lines between; code in backticks is one word."""
    words: list[str] = []
    inside = False
    for word in text.split(" "):
        if inside:
            words[-1] += " " + word
        else:
            words.append(word)
        if word.count("`") % 2:
            inside = not inside
    return words


def wrap(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns where its words allow it."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in _words(paragraph):
            if line and display_width(line) + 1 + display_width(word) > width:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return lines

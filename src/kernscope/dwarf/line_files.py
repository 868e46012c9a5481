"""The files that a program of lines names: tables of directories and of names before the program itself.

Versions 2 to 4 write texts and numbers from 1 on, and leave out the directory in which the compiler ran. Version 5
first tells the forms in which it writes, and numbers from 0 on, that directory being the first.
"""

from kernscope.dwarf.abbreviations import Format, skip_form
from kernscope.dwarf.errors import DwarfError
from kernscope.dwarf.numbers import text_at, uleb128
from kernscope.tables.dwarf import Form, LineContent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.dwarf.file import Sections

    Place = tuple[int, int]

__all__ = ["LineFiles"]

_MOST_ENTRIES = 1 << 16
_MOST_FORMATS = 16
_MOST_NAME = 4096
_MOST_TEXT = 1 << 24
"""Characters of all paths of a unit that are asked for: names may lie in each other, and a table could name more than
memory holds."""

_SUPPLEMENTARY = frozenset((Form.STRP_SUP, Form.GNU_STRP_ALT))
_NOWHERE: "Place" = (Form.STRING, -1)


class LineFiles:
    """Paths by number. Where names lie is noted, and they are made when they are asked for."""

    __slots__ = ("_directories", "_entries", "_folder", "_left", "_lines", "_paths", "_sections")

    def __init__(self, sections: "Sections", lines: memoryview, folder: str) -> None:
        """`lines` is `.debug_line` up to the end of the unit's part, `folder` where the compiler ran."""
        self._sections, self._lines, self._folder = sections, lines, folder
        self._directories: list[Place] = []
        self._entries: list[tuple[Place, int]] = []
        self._paths: dict[int, str] = {}
        self._left = _MOST_TEXT

    def read_4(self, at: int) -> None:
        """The tables of versions 2 to 4."""
        lines = self._lines
        self._directories.append(_NOWHERE)
        self._entries.append((_NOWHERE, 0))
        while lines[at]:
            self._directories.append((Form.STRING, at))
            self._check(len(self._directories))
            at = _text_end(lines, at)
        at += 1
        while lines[at]:
            name = at
            directory, at = uleb128(lines, _text_end(lines, at))
            at = uleb128(lines, uleb128(lines, at)[1])[1]  # time and size
            self._entries.append(((Form.STRING, name), directory))
            self._check(len(self._entries))

    def read_5(self, at: int, format: Format) -> None:
        """Those of version 5."""
        directories, at = self._table(at, format)
        self._directories = [place for place, _ in directories]
        self._entries, _ = self._table(at, format)

    def _table(self, at: int, format: Format) -> "tuple[list[tuple[Place, int]], int]":
        lines, found = self._lines, []
        formats, at = self._formats(at)
        count, at = uleb128(lines, at)
        if count and not formats:
            raise DwarfError("a table of files has entries without content")
        self._check(count)
        for _ in range(count):
            name, directory = _NOWHERE, 0
            for content, form in formats:
                end = skip_form(lines, at, form, format)
                if end > len(lines):
                    raise DwarfError("a table of files is cut off")
                if content == LineContent.PATH:
                    name = (form, at if form == Form.STRING else _number(lines, at, end))
                elif content == LineContent.DIRECTORY_INDEX:
                    directory = uleb128(lines, at)[0] if form == Form.UDATA else _number(lines, at, end)
                at = end
            found.append((name, directory))
        return found, at

    def _formats(self, at: int) -> tuple[list[tuple[int, int]], int]:
        count, at = self._lines[at], at + 1
        found = []
        if count > _MOST_FORMATS:
            raise DwarfError("a table of files has too many columns")
        for _ in range(count):
            content, at = uleb128(self._lines, at)
            form, at = uleb128(self._lines, at)
            found.append((content, form))
        return found, at

    def _check(self, count: int) -> None:
        if count > _MOST_ENTRIES:
            raise DwarfError("a program of lines names too many files")

    def all(self) -> list[str]:
        """All paths by their numbers."""
        return [self.path(number) for number in range(len(self._entries))]

    def path(self, number: int) -> str:
        """The path of a file as the compiler saw it; empty for numbers that the table does not have."""
        found = self._paths.get(number)
        if found is None:
            found = self._paths[number] = self._path(number)
            self._left -= len(found)
            if self._left < 0:
                raise DwarfError("a unit's files have more characters than can be")
        return found

    def _path(self, number: int) -> str:
        if not 0 <= number < len(self._entries):
            return ""
        place, directory = self._entries[number]
        name = self._text(place)
        if not name or name.startswith("/"):
            return name
        folder = self._text(self._directories[directory]) if directory < len(self._directories) else ""
        if not folder.startswith("/"):
            folder = f"{self._folder}/{folder}" if folder else self._folder
        return f"{folder.rstrip('/')}/{name}" if folder else name

    def _text(self, place: "Place") -> str:
        form, at = place
        if at < 0:
            return ""
        if form in _SUPPLEMENTARY and not self._sections.other_strings:
            raise DwarfError(
                "the names of its files lie in a supplementary file (DW_FORM_strp_sup), which is not here"
            )
        section = {
            Form.STRING: self._lines,
            Form.STRP: self._sections.strings,
            Form.LINE_STRP: self._sections.line_strings,
            **dict.fromkeys(_SUPPLEMENTARY, self._sections.other_strings),
        }.get(form)
        if section is None:
            raise DwarfError(f"the names of its files are written in the form {form:#x}, which is not read")
        try:
            return text_at(section, at)[:_MOST_NAME]
        except IndexError:
            raise DwarfError("the name of a file is outside of its section") from None


def _number(data: memoryview, at: int, end: int) -> int:
    return int.from_bytes(data[at : min(end, at + 8)], "little")


def _text_end(data: memoryview, at: int) -> int:
    """Where what follows a text begins."""
    while data[at]:
        at += 1
    return at + 1

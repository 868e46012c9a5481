"""Tables of rows for people and programs: aligned text, CSV and JSON. Products share it."""

from __future__ import annotations

from kernscope.output.escape import escape_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["Column", "csv_text", "json_text", "plain_text"]


class Column:
    """`name` heads the column; `key` names it in JSON and CSV. Numbers are aligned right.

    `show` makes the text of plain tables from a value; JSON and CSV get the value itself.
    """

    __slots__ = ("align", "key", "name", "show")

    def __init__(
        self, name: str, key: str = "", *, align: str = "<", show: Callable[[object], str] | None = None
    ) -> None:
        self.name, self.key, self.align, self.show = name, key or name.lower(), align, show


def _cell(column: Column, value: object) -> str:
    if column.show is not None:
        return column.show(value)
    return "" if value is None else str(value)


def plain_text(
    columns: Sequence[Column],
    rows: Iterable[Sequence[object]],
    *,
    header: bool = True,
    escape: bool = True,
    max_width: int = 0,
) -> str:
    """Columns of the width of their widest cell, two spaces apart, no spaces at line ends.

    `escape` makes control characters of values visible (they would also break the alignment); `max_width`
    cuts lines, 0 does not.
    """
    texts = [[_cell(c, v) for c, v in zip(columns, row)] for row in rows]
    if escape:
        texts = [[escape_text(t) for t in row] for row in texts]
    shown = [[c.name for c in columns], *texts] if header else texts
    widths = [max((len(row[i]) for row in shown), default=0) for i in range(len(columns))]
    lines = []
    for row in shown:
        line = "  ".join(f"{text:{c.align}{width}}" for c, text, width in zip(columns, row, widths)).rstrip()
        lines.append(line[:max_width] if max_width else line)
    return "".join(f"{line}\n" for line in lines)


def csv_text(columns: Sequence[Column], rows: Iterable[Sequence[object]], *, header: bool = True) -> str:
    """RFC 4180 with `\\n` line ends; None is an empty field."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if header:
        writer.writerow([c.key for c in columns])
    writer.writerows([["" if v is None else v for v in row] for row in rows])
    return out.getvalue()


def json_text(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> str:
    """An array of one object per row, a row per line."""
    import json

    keys = [c.key for c in columns]
    objects = [json.dumps(dict(zip(keys, row))) for row in rows]
    return "[" + ",\n ".join(objects) + "]\n"

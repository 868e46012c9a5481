"""The summary as a table for people, as JSON and as CSV."""

from __future__ import annotations

from kernscope.output.quantities import count, display_width, duration, fit, rate, safe, share
from kernscope.syscalls.summary import Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["csv_text", "json_text", "table_lines"]

_FIRST_COLUMN = {"syscall": "SYSCALL", "process": "PROCESS", "pid": "PROCESS"}
_MAX_NAME_COLUMNS = 24
_MIN_ERRORS_COLUMNS = 12
_GAP = "  "


def _header(rows: Sequence[Row], elapsed_s: float, by: str) -> str:
    calls = sum(row.calls for row in rows)
    failed = sum(row.failed for row in rows)
    parts = [
        f"{elapsed_s:.1f} s",
        f"{count(calls)} system calls",
        f"{rate(calls / elapsed_s) if elapsed_s > 0 else 0}/s",
        f"{count(failed)} failed" + (f" ({text})" if (text := share(failed, calls)) else ""),
    ]
    kinds = {"syscall": "kinds", "process": "names", "pid": "processes"}[by]
    parts.append(f"{count(len(rows))} {kinds}")
    return ", ".join(parts)


def _cells(row: Row, by: str, elapsed_s: float) -> list[str]:
    cells = [safe(row.label)]
    if by == "pid":
        cells.append(str(row.pid))
    return [
        *cells,
        count(row.calls),
        rate(row.calls / elapsed_s) if elapsed_s > 0 else "",
        count(row.failed) if row.failed else "",
        share(row.failed, row.calls),
        duration(row.total_ns) if row.returned else "",
        duration(row.average_ns) if row.returned else "",
        duration(row.max_ns) if row.returned else "",
        ", ".join(f"{name} {count(n)}" for name, n in row.errors_by_name()),
    ]


def _pad(text: str, width: int, left: bool) -> str:
    space = " " * (width - display_width(text))
    return text + space if left else space + text


def table_lines(
    rows: Sequence[Row],
    *,
    by: str,
    elapsed_s: float,
    top: int = 0,
    width: int = 0,
    height: int = 0,
) -> list[str]:
    """The table, line by line.

    `top` rows at most; no line wider than `width` columns and no more than `height` lines, where these are
    not 0:
    what does not fit is cut on the right, where the error names are, and below.
    """
    titles = [_FIRST_COLUMN[by]] + (["PID"] if by == "pid" else [])
    titles += ["CALLS", "CALLS/S", "ERRORS", "RATE", "TIME", "AVG", "MAX", "ERRORS BY NAME"]
    shown = list(rows[:top] if top else rows)
    # Two lines of header, the titles, and one line that says how many rows are missing.
    room = max(1, height - 4) if height else len(shown)
    table = [_cells(row, by, elapsed_s) for row in shown[:room]]
    for cells in table:
        cells[0] = fit(cells[0], _MAX_NAME_COLUMNS)
    last = len(titles) - 1
    columns = list(range(last + 1))
    if not any(cells[last] for cells in table):
        columns.pop()
    widths = {c: max(display_width(cells[c]) for cells in [titles, *table]) for c in columns}
    if width:
        columns = _columns_that_fit(columns, widths, width, last)
    lines = [fit(_header(rows, elapsed_s, by), width) if width else _header(rows, elapsed_s, by), ""]
    for cells in [titles, *table]:
        line = _GAP.join(_pad(cells[c], widths[c], left=c in (0, last)) for c in columns).rstrip()
        lines.append(fit(line, width) if width else line)
    hidden = len(rows) - len(table)
    if hidden:
        lines.append(fit(f"… and {count(hidden)} more", width) if width else f"… and {count(hidden)} more")
    return lines


def _columns_that_fit(columns: list[int], widths: dict[int, int], width: int, last: int) -> list[int]:
    """Leave out columns, the least telling first, until the others fit; the last one may be cut."""

    def needed(chosen: list[int]) -> int:
        return sum(
            (min(widths[c], _MIN_ERRORS_COLUMNS) if c == last else widths[c]) + len(_GAP) for c in chosen
        )

    # In this order: calls per second, error names, maximum, average, error rate, error count.
    for offset in (6, 0, 1, 2, 4, 5):
        if needed(columns) - len(_GAP) <= width:
            break
        columns = [c for c in columns if c != last - offset]
    return columns


def json_text(rows: Sequence[Row], *, by: str, elapsed_s: float, top: int = 0, lost: int = 0) -> str:
    """One JSON object; times in nanoseconds, errors by name."""
    import json

    shown = rows[:top] if top else rows
    return json.dumps(
        {
            "elapsed_s": round(elapsed_s, 6),
            "by": by,
            "calls": sum(row.calls for row in rows),
            "errors": sum(row.failed for row in rows),
            "rows_total": len(rows),
            "lost": lost,
            "rows": [_json_row(row, by) for row in shown],
        },
        indent=2,
    )


def _json_row(row: Row, by: str) -> dict[str, object]:
    result: dict[str, object] = {"syscall" if by == "syscall" else "process": row.label}
    if by == "pid":
        result["pid"] = row.pid
    result |= {
        "calls": row.calls,
        "returned": row.returned,
        "errors": dict(row.errors_by_name()),
        "time_ns": row.total_ns,
        "average_ns": round(row.average_ns),
        "max_ns": row.max_ns,
    }
    return result


def csv_text(rows: Sequence[Row], *, by: str, elapsed_s: float, top: int = 0, escape: bool = False) -> str:
    """Comma-separated values with a header line; `errors_by_name` is `ENOENT:3 EAGAIN:1`.

    `escape` makes names harmless for a terminal; else they are exact.
    """
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    first = ["syscall"] if by == "syscall" else ["process", "pid"] if by == "pid" else ["process"]
    writer.writerow(
        [
            *first,
            "calls",
            "calls_per_s",
            "returned",
            "errors",
            "time_ns",
            "average_ns",
            "max_ns",
            "errors_by_name",
        ]
    )
    for row in rows[:top] if top else rows:
        writer.writerow(
            [
                safe(row.label) if escape else row.label,
                *([row.pid] if by == "pid" else []),
                row.calls,
                round(row.calls / elapsed_s, 3) if elapsed_s > 0 else "",
                row.returned,
                row.failed,
                row.total_ns,
                round(row.average_ns),
                row.max_ns,
                " ".join(f"{name}:{n}" for name, n in row.errors_by_name()),
            ]
        )
    return out.getvalue()

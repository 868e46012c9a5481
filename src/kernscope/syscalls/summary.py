"""Counts, errors and time of system calls.

The program counts at entry, so that calls which never return (`exit_group`) or have not yet returned are in;
errors and times are added at exit, for calls whose entry was seen.
"""

from __future__ import annotations

from kernscope.selection import Filter, slashed
from kernscope.tables.errno_names import MAX_ERRNO, errno_name
from kernscope.tables.syscalls import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BY", "SORTS", "Row", "Summary"]

BY = ("syscall", "process", "pid")
"""What a row of the table can stand for."""

# Map keys that tell the rows apart, at entry and at exit. A name is kept from entry to exit, since execve
# changes it.
_KEYS = {
    "syscall": ("args.id", "args.id"),
    "process": ("comm", "$start.1"),
    "pid": ("pid, comm", "pid, $start.1"),
}

SORTS = ("calls", "time", "errors")

# More than there are threads on most machines; kept small because the kernel allocates it at once.
MAX_KEYS = 16384


class Row:
    """The calls of one system call, process name or process.

    `errors` counts by positive errno. `total_ns` and `max_ns` cover the `returned` calls.
    """

    __slots__ = ("calls", "errors", "label", "max_ns", "pid", "returned", "total_ns")

    def __init__(
        self,
        label: str,
        calls: int,
        *,
        pid: int | None = None,
        errors: dict[int, int] | None = None,
        returned: int = 0,
        total_ns: int = 0,
        max_ns: int = 0,
    ) -> None:
        self.label, self.calls, self.pid = label, calls, pid
        self.errors = errors or {}
        self.returned, self.total_ns, self.max_ns = returned, total_ns, max_ns

    @property
    def failed(self) -> int:
        return sum(self.errors.values())

    @property
    def average_ns(self) -> float:
        return self.total_ns / self.returned if self.returned else 0.0

    def errors_by_name(self) -> list[tuple[str, int]]:
        """(`ENOENT`, count), most frequent first."""
        return [
            (errno_name(number), n)
            for number, n in sorted(self.errors.items(), key=lambda item: (-item[1], item[0]))
        ]

    def __repr__(self) -> str:
        return f"Row({self.label!r}, {self.calls}, errors={self.errors}, total_ns={self.total_ns})"


class Summary:
    """One way to look at the machine's system calls; `text` is the program that does it.

    Args:
        by: `syscall`, `process` (by name) or `pid`.
        filter: whose calls count.
        sort: `calls`, `time` or `errors`: what ranks the rows.
        machine: what uname(2) calls the architecture, for the names of system calls.
    """

    def __init__(
        self, *, by: str = "syscall", filter: Filter | None = None, sort: str = "calls", machine: str = ""
    ) -> None:
        if by not in BY:
            raise ValueError(f"unknown key `{by}`")
        if sort not in SORTS:
            raise ValueError(f"unknown order `{sort}`")
        self.by, self.sort = by, sort
        self.filter = filter or Filter()
        if not machine:
            import os

            machine = os.uname().machine
        self._names = names(machine)
        self.text = self._program()

    def _program(self) -> str:
        entry_key, key = _KEYS[self.by]
        start, started = ("nsecs", "$start") if self.by == "syscall" else ("(nsecs, comm)", "$start.0")
        return (
            f"config = {{ max_map_keys = {MAX_KEYS} }}\n"
            + self.filter.clauses()
            + f"tracepoint:raw_syscalls:sys_enter {slashed(self.filter.predicate())}{{\n"
            f"    @start[tid] = {start};\n"
            f"    @calls[{entry_key}] = count();\n"
            "}\n"
            # rt_sigreturn restores the registers of what was interrupted: its exit has the number -1.
            "tracepoint:raw_syscalls:sys_exit /args.id >= 0/ {\n"
            "    $start = @start[tid];\n"
            f"    if ({started} != 0) {{\n"
            f"        $ns = nsecs - {started};\n"
            f"        @time[{key}] = stats($ns);\n"
            f"        @longest[{key}] = max($ns);\n"
            f"        if (args.ret < 0 && args.ret >= -{MAX_ERRNO}) {{\n"
            f"            @errors[{key}, args.ret] = count();\n"
            "        }\n"
            "        delete(@start, tid);\n"
            "    }\n"
            "}\n"
        )

    def rows(self, maps: Mapping[str, Mapping[object, object]]) -> list[Row]:
        """The table, ranked, from the session's maps.

        While the program runs, each map is read a little later than the one before: what is counted last is read
        first, so that no call appears to have failed before it was made.
        """
        errors = dict(maps["@errors"])
        longest, times = dict(maps["@longest"]), dict(maps["@time"])
        rows: dict[object, Row] = {}
        for key, calls in maps["@calls"].items():
            row = self._row(key)
            row.calls = _number(calls)
            rows[key] = row
        for key, stats in times.items():
            row = rows.setdefault(key, self._row(key))
            row.returned, row.total_ns = _stats(stats)
        for key, ns in longest.items():
            rows.setdefault(key, self._row(key)).max_ns = _number(ns)
        for full, n in errors.items():
            assert isinstance(full, tuple)
            key = full[0] if len(full) == 2 else full[:-1]
            row = rows.setdefault(key, self._row(key))
            row.errors[-full[-1]] = _number(n)
        return sorted(rows.values(), key=self._rank)

    def _row(self, key: object) -> Row:
        if self.by == "pid":
            assert isinstance(key, tuple)
            return Row(str(key[1]), 0, pid=key[0])
        if self.by == "process":
            return Row(str(key), 0)
        assert isinstance(key, int)
        return Row(self._names.get(key) or f"syscall_{key}", 0)

    def _rank(self, row: Row) -> tuple[object, ...]:
        first = {"calls": row.calls, "time": row.total_ns, "errors": row.failed}[self.sort]
        return (-first, -row.calls, row.label, row.pid or 0)


def _number(value: object) -> int:
    """The value of a count() or max() as an integer."""
    return int(value)  # type: ignore[call-overload, no-any-return]


def _stats(value: object) -> tuple[int, int]:
    """Count and total of a stats() value."""
    return int(value.count), int(value.total)  # type: ignore[attr-defined]

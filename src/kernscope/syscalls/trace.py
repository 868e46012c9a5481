"""Call by call: the program that reports each call of some system calls, and its events as objects.

At entry the raw arguments are kept per thread; at exit they are sent together with the result and what the
pointers among them lead to. Memory is read at exit because by then the kernel has paged it in: at entry a
path in a page that was never touched could not be read. What another thread changes meanwhile is shown as
changed.
`execve` leaves its memory behind and is read at entry.
"""

from __future__ import annotations

import os

from kernscope.selection import Filter, slashed
from kernscope.syscalls.decode import (
    BUFFER_BYTES,
    PEER_SOCKADDR_BYTES,
    SOCKADDR_BYTES,
    STRING_BYTES,
    arguments_text,
    read_strings,
    result_text,
)
from kernscope.tables.errno_names import MAX_ERRNO, errno_name
from kernscope.tables.syscalls import NO_RETURN, numbers, syscall_of_tracepoint, tracepoint_of_syscall
from kernscope.tables.syscalls.calls import POINTED_BYTES, STRINGS, Argument, Call, call_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    Fields = Mapping[str, tuple[tuple[str, str], ...] | None]
    """Tracepoint name (`newstat`) → its arguments' `(C type, name)`, or None where they are not known."""

__all__ = ["SyscallEvent", "Trace", "UnknownSyscall", "match_syscalls"]

MAX_KEYS = 16384
_ARGUMENT_COUNT = 6
_HEADER_COUNT = 7
_FEW = 24
"""Up to so many system calls have an entry clause each; for more, one clause keeps the arguments of all."""


class UnknownSyscall(LookupError):
    """No system call of this kernel matches `pattern`; `suggestion` is a similar one, or empty."""

    def __init__(self, pattern: str, suggestion: str = "") -> None:
        super().__init__(pattern, suggestion)
        self.pattern, self.suggestion = pattern, suggestion

    def __str__(self) -> str:
        help = f"; did you mean `{self.suggestion}`?" if self.suggestion else ""
        return f"this kernel traces no system call `{self.pattern}`{help}"


def match_syscalls(patterns: Iterable[str], tracepoints: Iterable[str]) -> list[str]:
    """The names of `tracepoints` (`openat`, `newstat`) that the patterns stand for, sorted.

    A pattern is a system call's name, a tracepoint's name or a glob. Raises UnknownSyscall.
    """
    from fnmatch import fnmatchcase  # brings `re`, which costs as much as the rest of this room

    available = sorted(tracepoints)
    found: set[str] = set()
    for pattern in patterns:
        wanted = pattern.removeprefix("tracepoint:syscalls:").removeprefix("sys_enter_")
        matched = [
            name
            for name in available
            if fnmatchcase(name, wanted) or fnmatchcase(syscall_of_tracepoint(name), wanted)
        ]
        if not matched:
            from kernscope.diagnostics import suggest

            known = sorted({syscall_of_tracepoint(name) for name in available})
            raise UnknownSyscall(pattern, suggest(wanted, known) or "")
        found.update(matched)
    return sorted(found)


class SyscallEvent:
    """One call of a system call.

    Attributes:
        name: as in its man page.
        start_ns: CLOCK_BOOTTIME at entry; `duration_ns`: from entry to exit.
        result: what it returned, or None for a call that does not return.
        names, values, texts: of its arguments; `texts` is decoded and may be shorter, since arguments
            that this call does not use are left out.
        result_text: the result, decoded.
        finished: False for a call that had not returned when the trace ended; nothing is known of its result, nor of
            what its pointers lead to.
    """

    __slots__ = (
        "_call",
        "_memory",
        "comm",
        "duration_ns",
        "finished",
        "name",
        "names",
        "pid",
        "result",
        "result_text",
        "start_ns",
        "texts",
        "tid",
        "values",
    )

    def __init__(
        self,
        call: Call,
        header: Sequence[object],
        values: Sequence[int],
        memory: Sequence[object],
        *,
        finished: bool = True,
    ) -> None:
        _, start, duration, pid, tid, comm, result = header
        assert (
            isinstance(start, int)
            and isinstance(duration, int)
            and isinstance(pid, int)
            and isinstance(tid, int)
        )
        self.name = call.name
        self.start_ns, self.duration_ns, self.pid, self.tid = start, duration, pid, tid
        self.comm = str(comm)
        self.result: int | None = None
        self.finished = finished
        if finished and call.name not in NO_RETURN:
            assert isinstance(result, int)
            self.result = result
        self._call, self._memory = call, memory
        self.names = tuple(argument.name for argument in call.arguments)
        self.values = tuple(values)
        self.texts = arguments_text(call, values, memory, self.result)
        self.result_text = result_text(call, values, self.result)

    @property
    def error(self) -> str:
        """Name of the error (`ENOENT`), empty where the call succeeded."""
        return errno_name(-self.result) if self.result is not None and -MAX_ERRNO <= self.result < 0 else ""

    @property
    def strings(self) -> dict[str, str | None]:
        """By argument: the texts among them as they are, without quotes or escapes; None for NULL. What is no UTF-8 has
        the form of `surrogateescape`. Of those in `cut` only the beginning was read.
        """
        return read_strings(self._call, self.values, self._memory, self.result)

    @property
    def cut(self) -> list[str]:
        """Names of the arguments whose texts went on."""
        return [name for name, text in zip(self.names, self.texts) if text.endswith('"...')]

    @property
    def call_text(self) -> str:
        """`openat(AT_FDCWD, "/etc/passwd", O_RDONLY)`."""
        return f"{self.name}({', '.join(self.texts)})"

    def __repr__(self) -> str:
        return f"<{self.comm}[{self.pid}] {self.call_text} = {self.result_text}>"


class Trace:
    """Traces the system calls behind some tracepoints; `text` is the program that does it.

    Args:
        tracepoints: names without `sys_enter_`, as `match_syscalls` gives them.
        fields: what this kernel says of their arguments; where it is silent, the table's names are used.
        filter: whose calls are traced.
        failed: only calls that return an error.
        machine: what uname(2) calls the architecture, for the numbers of system calls.
    """

    def __init__(
        self,
        tracepoints: Sequence[str],
        fields: Fields | None = None,
        *,
        filter: Filter | None = None,
        failed: bool = False,
        machine: str = "",
    ) -> None:
        self.filter = filter or Filter()
        self.failed = failed
        known = fields or {}
        self.calls = [call_of(syscall_of_tracepoint(name), known.get(name)) for name in tracepoints]
        self._numbers = numbers(machine or os.uname().machine)
        self._by_number = {
            self._numbers[call.name]: call for call in self.calls if call.name in self._numbers
        }
        self.text = self._program()

    def _program(self) -> str:
        parts = [
            f"config = {{ max_map_keys = {MAX_KEYS}; max_strlen = {STRING_BYTES} }}\n",
            self.filter.clauses(),
        ]
        returning = [call for call in self.calls if call.name not in NO_RETURN]
        many = len(returning) > _FEW
        parts += [self._enter_all()] if many else [self._enter(call) for call in returning]
        for call in self.calls:
            if call.name in NO_RETURN and not self.failed:
                parts.append(f"{_enter_point(call)} {self._when()}{{ {_report_at_entry(call)} }}\n")
            elif call.at_entry:
                parts.append(f"{_enter_point(call)} {self._when()}{{ {_remember_string(call)} }}\n")
        parts += self._exits(returning, many)
        return "".join(parts)

    def _when(self, more: str = "") -> str:
        return slashed(self.filter.predicate(), more)

    def _enter(self, call: Call) -> str:
        values = [f"(int64)args.{argument.name}" for argument in call.arguments]
        number = f"(int64){self._numbers.get(call.name, -1)}"
        return f"{_enter_point(call)} {self._when()}{{ {_remember(values, number)} }}\n"

    def _enter_all(self) -> str:
        """One clause for all calls, since one for each would be a very large program."""
        no_return = [f"args.id != {self._numbers[name]}" for name in sorted(NO_RETURN)]
        values = [f"(int64)args.args[{index}]" for index in range(_ARGUMENT_COUNT)]
        when = self._when(" && ".join(no_return))
        return f"tracepoint:raw_syscalls:sys_enter {when}{{ {_remember(values, '(int64)args.id')} }}\n"

    def _exits(self, calls: Sequence[Call], many: bool) -> list[str]:
        """Calls whose memory is read in the same way share a clause."""
        alike: dict[tuple[str, ...], list[Call]] = {}
        for call in calls:
            alike.setdefault(_sent(call, many), []).append(call)
        clauses = []
        for sent, group in alike.items():
            points = ",\n".join(
                f"tracepoint:syscalls:sys_exit_{tracepoint_of_syscall(c.name)}" for c in group
            )
            text = f"$c = @call[tid]; {_printed(sent, self.failed)}"
            text += "" if many else " delete(@call, tid);"
            text += " delete(@path, tid);" if group[0].at_entry else ""
            clauses.append(f"{points} /has_key(@call, tid)/ {{ {text} }}\n")
        if many:
            clauses.append("tracepoint:raw_syscalls:sys_exit /has_key(@call, tid)/ { delete(@call, tid); }\n")
        return clauses

    def event(self, value: object) -> SyscallEvent:
        """The event that a printed tuple of the program stands for."""
        assert isinstance(value, tuple)
        number, sent = value[0], value[_HEADER_COUNT]
        assert isinstance(number, int) and isinstance(sent, int)
        call = self._by_number[number]
        first = _HEADER_COUNT + 1
        values = value[first : first + min(sent, len(call.arguments))]
        return SyscallEvent(call, value[:_HEADER_COUNT], values, value[first + sent :])

    def unfinished(self, kept: Mapping[Any, Any]) -> list[SyscallEvent]:
        """The calls that have not returned, in the order of their start.

        `kept` is what is in the map `@call` at the end. Which processes they are of is looked up now.
        """
        found = []
        for tid, entry in sorted(kept.items(), key=lambda entry: entry[1][0]):
            number = entry[1 + _ARGUMENT_COUNT]
            call = self._by_number.get(number)
            if call is None or self.failed:
                continue
            pid, comm = _who(tid)
            values = entry[1 : 1 + len(call.arguments)]
            header = (number, entry[0], 0, pid, tid, comm, None)
            found.append(SyscallEvent(call, header, values, (), finished=False))
        return found


def _enter_point(call: Call) -> str:
    return f"tracepoint:syscalls:sys_enter_{tracepoint_of_syscall(call.name)}"


def _remember(values: list[str], number: str) -> str:
    """Keep start time, arguments and number; all calls have the same type, so that one map serves them."""
    values = values + ["(int64)0"] * (_ARGUMENT_COUNT - len(values))
    return f"@call[tid] = (nsecs, {', '.join([*values, number])});"


def _who(tid: int) -> tuple[int, str]:
    """Process id and name of a thread; the thread's own id and `?` where it is gone."""
    pid, comm = tid, "?"
    try:
        with open(f"/proc/{tid}/status", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key == "Name":
                    comm = value.strip()
                elif key == "Tgid":
                    return int(value), comm
    except OSError:
        pass
    return pid, comm


def _remember_string(call: Call) -> str:
    # One path is all that the calls in question (execve, execveat) have.
    (argument,) = [argument for argument in call.arguments if argument.in_memory]
    return f"@path[tid] = str(args.{argument.name}, {STRING_BYTES});"


def _sent(call: Call, many: bool) -> tuple[str, ...]:
    """Expressions for what follows the header: how many arguments, these, and what is in memory."""
    count = _ARGUMENT_COUNT if many else len(call.arguments)
    raw = {argument.name: f"$c.{position}" for position, argument in enumerate(call.arguments, 1)}
    memory = [
        "@path[tid]" if call.at_entry else _read(argument, raw)
        for argument in call.arguments
        if argument.in_memory
    ]
    return (f"(int64){count}", *(f"$c.{position}" for position in range(1, count + 1)), *memory)


def _printed(sent: Sequence[str], failed: bool) -> str:
    header = ("(int64)args.__syscall_nr", "$c.0", "nsecs - $c.0", "pid", "tid", "comm", "args.ret")
    text = f"print(({', '.join([*header, *sent])}));"
    return f"if (args.ret < 0 && args.ret >= -{MAX_ERRNO}) {{ {text} }}" if failed else text


def _report_at_entry(call: Call) -> str:
    values = [f"(int64)args.{argument.name}" for argument in call.arguments]
    header = ["(int64)args.__syscall_nr", "nsecs", "(uint64)0", "pid", "tid", "comm", "(int64)0"]
    return f"print(({', '.join([*header, f'(int64){len(values)}', *values])}));"


def _read(argument: Argument, raw: Mapping[str, str]) -> str:
    """The expression that reads what an argument points to, for use at exit."""
    address = raw[argument.name]
    if argument.kind in STRINGS:
        return f"str({address}, {STRING_BYTES})"
    size = POINTED_BYTES.get(argument.kind)
    if size is not None:
        return f"buf({address}, {size})"
    limit = SOCKADDR_BYTES if argument.kind == "sockaddr" else BUFFER_BYTES
    if argument.length.startswith("*"):
        return f"buf({address}, {min(limit, PEER_SOCKADDR_BYTES)})"
    length = "args.ret" if argument.length == "ret" else raw[argument.length]
    # An error as the result, or a negative length, must not become a huge unsigned one.
    return f"buf({address}, {length} <= 0 ? 0 : {length} < {limit} ? {length} : {limit})"

"""The trace's program text, its events and their lines."""

import json
from typing import Any

import pytest

from kernscope.output.events import LostEvent, ValueEvent
from kernscope.syscalls import (
    Filter,
    FilterError,
    SyscallEvent,
    Trace,
    TraceSink,
    UnknownSyscall,
    match_syscalls,
)
from kernscope.syscalls.trace_text import LineWriter, json_line
from kernscope.tables.syscalls.arguments import CALLS

# As the program prints it: number, start, duration, pid, tid, comm, result, count of arguments, these, memory
OPENAT = (257, 5_000_001_000, 12_345, 77, 77, "cat", 3, 4, -100, 0x7F00, 0, 0, "/etc/passwd")


def traced(*names: str, **kwargs: Any) -> Trace:
    return Trace(names, machine="x86_64", **kwargs)


def test_patterns_are_names_tracepoints_or_globs() -> None:
    available = ["openat", "open", "openat2", "newstat", "newfstat", "exit_group"]
    assert match_syscalls(["openat"], available) == ["openat"]
    assert match_syscalls(["open*"], available) == ["open", "openat", "openat2"]
    assert match_syscalls(["stat"], available) == ["newstat"]
    assert match_syscalls(["newstat", "stat"], available) == ["newstat"]
    assert match_syscalls(["*stat"], available) == ["newfstat", "newstat"]
    assert match_syscalls(["sys_enter_open"], available) == ["open"]


def test_an_unknown_system_call_gets_a_suggestion() -> None:
    with pytest.raises(UnknownSyscall) as caught:
        match_syscalls(["opennat"], ["openat", "close"])
    assert caught.value.suggestion == "openat"
    assert "`opennat`" in str(caught.value) and "`openat`" in str(caught.value)


def test_program_of_one_call() -> None:
    text = traced("openat", filter=Filter(ignore=())).text
    assert "tracepoint:syscalls:sys_enter_openat {" in text
    assert "tracepoint:syscalls:sys_exit_openat /has_key(@call, tid)/ {" in text
    assert "(int64)args.filename" in text
    assert "str($c.2, 256)" in text
    assert "delete(@call, tid);" in text


def test_program_of_a_call_that_does_not_return() -> None:
    text = traced("exit_group", filter=Filter(ignore=())).text
    assert "sys_exit_exit_group" not in text
    assert "print(((int64)args.__syscall_nr, nsecs" in text
    # It cannot fail either.
    assert "exit_group" not in traced("exit_group", "close", failed=True).text


def test_execve_reads_its_path_at_entry() -> None:
    text = traced("execve", filter=Filter(ignore=())).text
    enter, path, leave = [line for line in text.splitlines() if "execve" in line]
    assert "@call[tid] = " in enter and "@path[tid] = str(args.filename, 256)" in path
    assert "@path[tid]" in leave and "delete(@path, tid)" in leave and "str(" not in leave


def test_only_failures() -> None:
    text = traced("close", failed=True).text
    assert "if (args.ret < 0 && args.ret >= -4095) { print(" in text


def test_calls_that_read_the_same_memory_share_a_clause() -> None:
    text = traced("unlink", "rmdir", "close", filter=Filter(ignore=())).text
    assert "tracepoint:syscalls:sys_exit_unlink,\ntracepoint:syscalls:sys_exit_rmdir /has_key" in text
    assert text.count("print((") == 2


def test_many_calls_share_the_entry() -> None:
    from kernscope.tables.syscalls import names, tracepoint_of_syscall

    everything = [tracepoint_of_syscall(name) for name in names("x86_64").values() if name in CALLS]
    text = traced(*everything, filter=Filter(ignore=(5,))).text
    assert "sys_enter /pid != 5 && args.id != 60 && args.id != 231 && args.id != 15/ { @call[tid]" in text
    assert "(int64)args.args[5]" in text
    assert (
        text.count("sys_enter_") == 5
    )  # exit, exit_group, rt_sigreturn, and the paths of execve and execveat
    assert text.count("print((") < 60
    # All six arguments are sent, whatever the call has.
    value = (3, 0, 1, 9, 9, "sh", 0, 6, 7, 1, 2, 3, 4, 5)
    assert traced(*everything).event(value).call_text == "close(7)"


def test_filters() -> None:
    assert Filter(ignore=(5,)).predicate() == "pid != 5"
    assert Filter(pid=7).predicate() == "pid == 7"
    assert Filter(comm='a"b\\', ignore=()).predicate() == 'comm == "a\\"b\\\\"'
    assert Filter(command=True, comm="sh").predicate() == 'has_key(@tree, tid) && comm == "sh"'
    assert Filter().clauses() == ""
    assert "sched_process_fork" in Filter(command=True).clauses()
    with pytest.raises(FilterError, match="at most 15 bytes"):
        Filter(comm="a-very-long-process-name")
    with pytest.raises(FilterError):
        Filter(pid=-1)


def event() -> SyscallEvent:
    return traced("openat").event(OPENAT)


def test_event_of_a_printed_tuple() -> None:
    e = event()
    assert (e.name, e.pid, e.tid, e.comm, e.result, e.duration_ns) == ("openat", 77, 77, "cat", 3, 12_345)
    assert e.call_text == 'openat(AT_FDCWD, "/etc/passwd", O_RDONLY)'
    assert e.result_text == "3" and e.error == ""


def test_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    import time

    time.tzset()
    line = LineWriter(boot_offset_ns=0).line(event())
    assert (
        line
        == '00:00:05.000001 cat                  77 openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3 <0.000012>'
    )


def test_line_of_a_thread_a_failure_and_a_hostile_name() -> None:
    values = (257, 0, 1_500_000, 77, 78, "e\x1b[2Jvil", -2, 4, -100, 1, 0, 0, "/no\x07such\nfile")
    line = LineWriter(0).line(traced("openat").event(values))
    assert line.isprintable()
    assert "77/78" in line and "e\\x1b[2Jvil" in line
    assert line.endswith(
        '"/no\\x07such\\nfile", O_RDONLY) = -1 ENOENT (No such file or directory) <0.001500>'
    )


def test_line_of_a_call_that_does_not_return() -> None:
    trace = traced("exit_group")
    line = LineWriter(0).line(trace.event((231, 0, 0, 9, 9, "sh", 0, 1, 3)))
    assert line.endswith("exit_group(3) = ?")


def test_json_line_is_lossless() -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    values = (257, 1000, 5, 77, 77, name, -13, 4, -100, 1, 0, 0, name)
    parsed = json.loads(json_line(traced("openat").event(values), boot_offset_ns=10_000))
    assert parsed["time_ns"] == 11_000
    assert parsed["process"].encode("utf-8", "surrogateescape") == b"caf\xe9"
    assert parsed["error"] == "EACCES" and parsed["result"] == -13
    assert parsed["args"]["dfd"] == "AT_FDCWD" and parsed["raw_args"][0] == -100


def test_texts_in_json_are_as_they_are() -> None:
    def line(address: int, path: str) -> dict[str, object]:
        values = (257, 1000, 5, 77, 77, "sh", 3, 4, -100, address, 0, 0, path)
        parsed: dict[str, object] = json.loads(json_line(traced("openat").event(values), 0))
        return parsed

    for path in ("/etc/passwd", 'a"b\\c\n', b"caf\xe9".decode("utf-8", "surrogateescape"), "NULL"):
        found = line(1, path)
        assert found["args"] == {"dfd": "AT_FDCWD", "filename": path, "flags": "O_RDONLY"}
        assert "cut" not in found
    assert line(0, "")["args"]["filename"] is None  # type: ignore[index]
    long = line(1, "x" * 255)
    assert long["cut"] == ["filename"] and long["args"]["filename"] == "x" * 255  # type: ignore[index]


class Out:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


def test_sink_writes_lines_and_collects_losses() -> None:
    out = Out()
    sink = TraceSink(traced("openat"), out)
    sink.event(ValueEvent(OPENAT))  # type: ignore[call-arg, arg-type]
    sink.event(ValueEvent(OPENAT))  # type: ignore[call-arg, arg-type]
    assert out.data == b""
    sink.flush()
    assert out.data.count(b"\n") == 2 and out.data.endswith(b" = 3 <0.000012>\n")
    sink.event(LostEvent("x", 3, 3))
    assert sink.warnings == ["3 events lost: the ring buffer was full"]


def test_calls_that_have_not_returned() -> None:
    trace = traced("openat")
    gone = 1 << 30  # above any thread id
    kept = {
        gone: (2000, -100, 4096, 0, 0, 0, 0, 257),
        gone + 1: (1000, 3, 8192, 64, 0, 0, 0, 257),
        gone + 2: (500, 1, 2, 3, 0, 0, 0, 0),  # read, which nobody asked for
    }
    first, second = trace.unfinished(kept)
    assert (first.start_ns, first.tid, first.pid, first.comm) == (1000, gone + 1, gone + 1, "?")
    assert LineWriter(0).line(second).endswith("openat(AT_FDCWD, 0x1000, O_RDONLY) <unfinished ...>")
    parsed = json.loads(json_line(second, 0))
    assert parsed["unfinished"] is True and parsed["result"] is None and parsed["duration_ns"] is None
    assert traced("openat", failed=True).unfinished(kept) == []

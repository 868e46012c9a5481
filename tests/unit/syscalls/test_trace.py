"""The trace's program text, its events and their lines."""

import json

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

OPENAT = (0, 5_000_001_000, 12_345, 77, 77, "cat", 3, -100, 0x7F00, 0, 0, "/etc/passwd")


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
    text = Trace(["openat"], filter=Filter(ignore=())).text
    assert "tracepoint:syscalls:sys_enter_openat {" in text
    assert "tracepoint:syscalls:sys_exit_openat /has_key(@call, tid)/ {" in text
    assert "(int64)args.filename" in text
    assert "str($c.2, 255)" in text
    assert "delete(@call, tid);" in text


def test_program_of_a_call_that_does_not_return() -> None:
    text = Trace(["exit_group"], filter=Filter(ignore=())).text
    assert "sys_exit_exit_group" not in text
    assert "print(((int64)0, nsecs" in text
    # It cannot fail either.
    assert "exit_group" not in Trace(["exit_group", "close"], failed=True).text


def test_execve_reads_its_path_at_entry() -> None:
    text = Trace(["execve"], filter=Filter(ignore=())).text
    enter, leave = [line for line in text.splitlines() if "execve" in line]
    assert "@path[tid] = str(args.filename, 255)" in enter
    assert "@path[tid]" in leave and "delete(@path, tid)" in leave and "str(" not in leave


def test_only_failures() -> None:
    text = Trace(["close"], failed=True).text
    assert "if (args.ret < 0 && args.ret >= -4095) { print(" in text


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
    return Trace(["openat"]).event(OPENAT)


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
    values = (0, 0, 1_500_000, 77, 78, "e\x1b[2Jvil", -2, -100, 1, 0, 0, "/no\x07such\nfile")
    line = LineWriter(0).line(Trace(["openat"]).event(values))
    assert line.isprintable()
    assert "77/78" in line and "e\\x1b[2Jvil" in line
    assert line.endswith(
        '"/no\\x07such\\nfile", O_RDONLY) = -1 ENOENT (No such file or directory) <0.001500>'
    )


def test_line_of_a_call_that_does_not_return() -> None:
    trace = Trace(["exit_group"])
    line = LineWriter(0).line(trace.event((0, 0, 0, 9, 9, "sh", 0, 3)))
    assert line.endswith("exit_group(3) = ?")


def test_json_line_is_lossless() -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    values = (0, 1000, 5, 77, 77, name, -13, -100, 1, 0, 0, name)
    parsed = json.loads(json_line(Trace(["openat"]).event(values), boot_offset_ns=10_000))
    assert parsed["time_ns"] == 11_000
    assert parsed["process"].encode("utf-8", "surrogateescape") == b"caf\xe9"
    assert parsed["error"] == "EACCES" and parsed["result"] == -13
    assert parsed["args"]["dfd"] == "AT_FDCWD" and parsed["raw_args"][0] == -100


class Out:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


def test_sink_writes_lines_and_collects_losses() -> None:
    out = Out()
    sink = TraceSink(Trace(["openat"]), out)
    sink.event(ValueEvent(OPENAT))  # type: ignore[call-arg, arg-type]
    sink.event(ValueEvent(OPENAT))  # type: ignore[call-arg, arg-type]
    assert out.data == b""
    sink.flush()
    assert out.data.count(b"\n") == 2 and out.data.endswith(b" = 3 <0.000012>\n")
    sink.event(LostEvent("x", 3, 3))
    assert sink.warnings == ["3 events lost: the ring buffer was full"]

"""The command line on the running kernel, with workloads whose system calls are known."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import eventually

from kernscope.output.quantities import display_width

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not os.path.isdir("/sys/kernel/tracing/events/syscalls"),
    reason="needs root and tracefs",
)

KERNSCOPE = [sys.executable, "-m", "kernscope.cli"]
# Without site-packages and environment the interpreter makes the fewest calls of its own.
PYTHON = [sys.executable, "-I", "-S", "-c"]


def kernscope(*arguments: str, **kwargs: Any) -> "subprocess.CompletedProcess[str]":
    kwargs.setdefault("timeout", 60)
    return subprocess.run([*KERNSCOPE, *arguments], capture_output=True, text=True, **kwargs)


def summary(*arguments: str) -> dict[str, Any]:
    result = kernscope("syscalls", "-f", "json", *arguments)
    assert result.returncode == 0 and result.stderr == "", result.stderr
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def wait_until_attached(tracer: "subprocess.Popen[Any]") -> None:
    """Both programs, of entry and of return. How long that takes depends on what else the machine does."""

    def links() -> int:
        folder, found = f"/proc/{tracer.pid}/fd", 0
        try:
            for name in os.listdir(folder):
                found += os.readlink(f"{folder}/{name}").endswith(("bpf_link", "bpf-raw-tracepoint"))
        except OSError:  # a descriptor that was closed meanwhile
            return 0
        return found

    assert eventually(lambda: links() >= 2, 60)


def row(parsed: dict[str, Any], **wanted: object) -> dict[str, Any]:
    (found,) = [r for r in parsed["rows"] if all(r[k] == v for k, v in wanted.items())]
    return dict(found)


# Calls that neither the interpreter nor the C library makes by itself: 1000 from the main thread, 500 from
# each of 3 threads, 250 from each of 2 children.
COUNTED = """
import os, threading
def calls(n):
    for _ in range(n):
        os.sched_get_priority_max(os.SCHED_FIFO)
threads = [threading.Thread(target=calls, args=(500,)) for _ in range(3)]
for t in threads: t.start()
calls(1000)
for t in threads: t.join()
for _ in range(2):
    if os.fork() == 0:
        calls(250)
        os._exit(0)
for _ in range(2): os.wait()
for _ in range(40):
    try: os.getsid(1 << 30)
    except ProcessLookupError: pass
for _ in range(7):
    try: os.sched_get_priority_min(77)
    except OSError: pass
os.sched_get_priority_min(0)
"""


def test_counts_are_exact_over_threads_and_children() -> None:
    parsed = summary("--", *PYTHON, COUNTED)
    assert row(parsed, syscall="sched_get_priority_max")["calls"] == 1000 + 3 * 500 + 2 * 250
    assert row(parsed, syscall="sched_get_priority_max")["returned"] == 3000
    getsid = row(parsed, syscall="getsid")
    assert getsid["calls"] == 40 and getsid["errors"] == {"ESRCH": 40}
    lowest = row(parsed, syscall="sched_get_priority_min")
    assert lowest["calls"] == 8 and lowest["errors"] == {"EINVAL": 7}
    assert 0 < lowest["average_ns"] <= lowest["max_ns"] <= lowest["time_ns"]
    # Calls that do not return are counted, without time: three processes and three threads end.
    ends = row(parsed, syscall="exit_group")
    assert ends["calls"] == 3 and ends["returned"] == 0 and ends["time_ns"] == 0
    assert row(parsed, syscall="exit")["calls"] == 3
    # The command is seen from its first instruction, and only it: its own start is the first execve.
    assert row(parsed, syscall="execve")["calls"] == 1
    assert parsed["lost"] == 0


def test_rows_by_process_and_by_pid() -> None:
    script = "for i in 1 2 3; do /bin/true; done; exec /bin/true"
    by_name = summary("--by", "process", "--", "sh", "-c", script)
    assert {r["process"] for r in by_name["rows"]} >= {"sh", "true"}
    by_pid = summary("--by", "pid", "--", "sh", "-c", script)
    assert len({r["pid"] for r in by_pid["rows"]}) == 4
    assert sum(r["calls"] for r in by_pid["rows"]) == by_pid["calls"]
    # A call that renames its process (execve) is counted and timed under the name it began with.
    assert all(r["returned"] <= r["calls"] for r in by_pid["rows"])


# Waits for a line on standard input, so that it can be found before it begins.
WAITING = "import os, sys; sys.stdin.readline(); [os.getsid(0) for _ in range(123)]; sys.stdin.readline()"


@pytest.mark.parametrize("by", ["pid", "comm"])
def test_filters_by_pid_and_comm(by: str, tmp_path: Path) -> None:
    renamed = tmp_path / "ks-filter-test"
    renamed.symlink_to(sys.executable)
    pipe = {"stdin": subprocess.PIPE, "text": True}
    with subprocess.Popen([renamed, "-I", "-S", "-c", WAITING], **pipe) as child:
        wanted = str(child.pid) if by == "pid" else "ks-filter-test"
        tracer = subprocess.Popen(
            [*KERNSCOPE, "syscalls", f"--{by}", wanted, "-d", "2", "-f", "json"], stdout=-1
        )
        wait_until_attached(tracer)
        assert child.stdin is not None and tracer.stdout is not None
        child.stdin.write("\n")
        child.stdin.flush()
        out = tracer.stdout.read()
        tracer.wait(30)
        child.stdin.write("\n")
        child.stdin.close()
    parsed = json.loads(out)
    assert row(parsed, syscall="getsid")["calls"] == 123
    assert {r["syscall"] for r in parsed["rows"]} <= {"getsid", "read", "write", "fstat", "ioctl", "lseek"}


def lines(output: str) -> list[str]:
    """`call(…) = result` of each traced line: time, process and duration differ from run to run."""
    found = []
    for line in output.splitlines():
        match = re.fullmatch(
            r"(\d\d:\d\d:\d\d\.\d{6}) (.{15,}) +(\d+(?:/\d+)?) "
            r"(\w+\(.*\) (?:= .*?|<unfinished \.\.\.>))(?: <(\d+\.\d{6})>)?",
            line,
        )
        assert match is not None, line
        found.append(match[4])
    return found


def test_a_known_sequence_of_calls(tmp_path: Path) -> None:
    script = f"""
import os, socket
os.chdir({str(tmp_path)!r})
def attempt(call, *arguments):
    try: return call(*arguments)
    except OSError: pass
os.mkdir("new", 0o750)
attempt(os.mkdir, "new", 0o700)
attempt(os.rmdir, "absent")
os.rename("new", "na\\x1b[31mme")
os.symlink("target", "link")
os.readlink("link")
attempt(os.link, "absent", "other")
os.chmod("na\\x1b[31mme", 0o711)
attempt(os.truncate, "na\\x1b[31mme", 5)
attempt(os.kill, 1 << 22, 15)
r, w = os.pipe2(os.O_NONBLOCK)
os.write(w, b"text\\x00\\n")
os.read(r, 50)
attempt(os.read, r, 50)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("127.0.0.9", 53))
u = socket.socket(socket.AF_UNIX)
attempt(u.connect, "absent.sock")
attempt(os.chroot, "x" * 300)
os.unlink("link")
os.rmdir("na\\x1b[31mme")
os._exit(7)
"""
    calls = "mkdir rmdir rename symlink readlink link chmod truncate kill pipe2 connect chroot unlink"
    traced = [*calls.split(), "exit_group"]
    result = kernscope("trace", *traced, "--", *PYTHON, script)
    assert result.returncode == 0 and result.stderr == ""
    shown = [line for line in lines(result.stdout) if "python" not in line and "pyvenv" not in line]
    start = shown.index('mkdir("new", 0750) = 0')
    enoent = "-1 ENOENT (No such file or directory)"
    assert shown[start:] == [
        'mkdir("new", 0750) = 0',
        'mkdir("new", 0700) = -1 EEXIST (File exists)',
        f'rmdir("absent") = {enoent}',
        'rename("new", "na\\x1b[31mme") = 0',
        'symlink("target", "link") = 0',
        'readlink("link", "target", 4096) = 6',
        f'link("absent", "other") = {enoent}',
        'chmod("na\\x1b[31mme", 0711) = 0',
        'truncate("na\\x1b[31mme", 5) = -1 EISDIR (Is a directory)',
        "kill(4194304, SIGTERM) = -1 ESRCH (No such process)",
        "pipe2([3, 4], O_NONBLOCK) = 0",
        "connect(5, {AF_INET 127.0.0.9:53}, 16) = 0",
        f'connect(6, {{AF_UNIX "absent.sock"}}, 14) = {enoent}',
        f'chroot("{"x" * 255}"...) = -1 ENAMETOOLONG (File name too long)',
        'unlink("link") = 0',
        'rmdir("na\\x1b[31mme") = 0',
        "exit_group(7) = ?",
    ]


def test_buffers_and_only_failures() -> None:
    script = """
import os
r, w = os.pipe2(os.O_NONBLOCK)
os.write(w, b"text\\x00\\n")
os.read(r, 50)
try: os.read(r, 50)
except OSError: pass
os.close(w)
try: os.close(w)
except OSError: pass
"""
    result = kernscope("trace", "write", "read", "close", "--", *PYTHON, script)
    shown = lines(result.stdout)
    assert 'write(4, "text\\0\\n", 6) = 6' in shown and 'read(3, "text\\0\\n", 50) = 6' in shown
    result = kernscope("trace", "--failed", "write", "read", "close", "--", *PYTHON, script)
    failed = lines(result.stdout)
    assert failed and all(" = -1 E" in line for line in failed)
    assert any(re.fullmatch(r"read\(3, 0x[0-9a-f]+, 50\) = -1 EAGAIN \(.*\)", line) for line in failed)
    assert "close(4) = -1 EBADF (Bad file descriptor)" in failed


def test_children_are_followed_from_their_first_instruction() -> None:
    result = kernscope("trace", "execve", "exit_group", "--", "sh", "-c", "/bin/true; (exit 3); /bin/false")
    shown = lines(result.stdout)
    started = [line for line in shown if line.startswith("execve(") and line.endswith(" = 0")]
    assert [line.split('"')[1].rsplit("/", 1)[1] for line in started] == ["sh", "true", "false"]
    codes = sorted(int(line[len("exit_group(")]) for line in shown if line.startswith("exit_group("))
    assert codes == [0, 1, 1, 3]


def test_json_lines() -> None:
    result = kernscope("trace", "-f", "json", "getsid", "--", *PYTHON, "import os; os.getsid(0)")
    (event,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert event["syscall"] == "getsid" and event["args"] == {"pid": "0"} and event["error"] is None
    assert abs(event["time_ns"] - time.time_ns()) < 60e9 and event["duration_ns"] > 0
    assert event["process"].startswith("python")


_LEAVES_A_CHILD_WAITING = """
import os, signal
child = os.fork()
if child == 0:
    signal.alarm(2)  # which ends it
    signal.pause()
while open(f"/proc/{child}/stat").read().rpartition(")")[2].split()[0] != "S":
    pass
"""


def test_a_call_that_has_not_returned() -> None:
    result = kernscope("trace", "pause", "--", *PYTHON, _LEAVES_A_CHILD_WAITING)
    assert (result.returncode, result.stderr) == (0, "")
    assert lines(result.stdout) == ["pause() <unfinished ...>"]


def test_every_call_of_a_command() -> None:
    """`*` traces all system calls; what it shows agrees with the summary of the same command."""
    result = kernscope("trace", "*", "--", "/bin/true")
    assert result.returncode == 0 and result.stderr == ""
    traced: dict[str, int] = {}
    for line in lines(result.stdout):
        name = line.partition("(")[0]
        traced[name] = traced.get(name, 0) + 1
    counted = {r["syscall"]: r["calls"] for r in summary("--", "/bin/true")["rows"]}
    assert traced == counted


def test_duration_ends_it() -> None:
    start = time.monotonic()
    parsed = summary("-d", "0.5")
    assert 0.5 <= parsed["elapsed_s"] < 2 and time.monotonic() - start < 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_with_the_result(number: signal.Signals) -> None:
    tracer = subprocess.Popen(
        [*KERNSCOPE, "syscalls", "-f", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_until_attached(tracer)
    os.getppid()
    time.sleep(0.1)
    tracer.send_signal(number)
    out, err = tracer.communicate(timeout=20)
    assert (tracer.returncode, err) == (0, b"")
    assert json.loads(out)["calls"] > 0


def read_for(fd: int, seconds: float) -> bytes:
    """What arrives at a pseudo-terminal's master end within that time."""
    data, end = b"", time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([fd], [], [], left)[0]:
            try:
                chunk = os.read(fd, 65536)
            except OSError:
                break
            if not chunk:
                break
            data += chunk
    return data


def on_terminal(arguments: list[str], seconds: float, drawings: int = 0) -> tuple[bytes, int]:
    """Run the command on a terminal of its own; returns what it wrote there and its exit code.

    After so many `drawings` of the table, if it is not 0, it is interrupted.
    """
    pid, master = pty.fork()
    if pid == 0:
        os.execv(KERNSCOPE[0], [*KERNSCOPE, *arguments])
    data, end = read_for(master, seconds), time.monotonic() + 30
    while drawings and data.count(b"system calls,") < drawings and time.monotonic() < end:
        data += read_for(master, 0.1)
    if drawings:
        os.write(master, b"\x03")
    data += read_for(master, 30)
    _, status = os.waitpid(pid, 0)
    os.close(master)
    return data, os.waitstatus_to_exitcode(status)


HOSTILE = """
import ctypes, os
ctypes.CDLL(None).prctl(15, b"\\x1b[2J\\x1b[1mBAD", 0, 0, 0)
for _ in range(20):
    try: os.open(b"/tmp/\\x1b]0;title\\x07\\x9b2J", os.O_RDONLY)
    except OSError: pass
"""


def test_the_live_table_is_redrawn_and_leaves_the_final_one() -> None:
    data, code = on_terminal(["syscalls", "-i", "300ms"], 1, drawings=3)
    assert code == 0
    text = data.decode()
    assert text.count("system calls,") >= 3, "several drawings and the final one"
    assert "\x1b[?25l" in text and text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    final = text[text.rindex("\x1b[?25h") + 6 :]
    assert "SYSCALL" in final and "\x1b" not in final


def test_hostile_names_do_not_reach_the_terminal() -> None:
    data, code = on_terminal(["syscalls", "--by", "process", "--", *PYTHON, HOSTILE], 2)
    assert code == 0
    assert b"\\x1b[2J\\x1b[1mBAD" in data
    own = {b"\x1b[?25l", b"\x1b[?25h", b"\x1b[K", b"\x1b[J"}
    sequences = set(re.findall(rb"\x1b\[[?0-9;]*[A-Za-z]|\x1b.?", data))
    assert {s for s in sequences if not re.fullmatch(rb"\x1b\[\d+A", s)} <= own
    data, code = on_terminal(["trace", "openat", "--failed", "--", *PYTHON, HOSTILE], 2)
    assert code == 0 and data.count(b"\\x1b]0;title\\x07\\x9b2J") == 20 and b"\x1b" not in data


def test_the_table_fits_the_terminal() -> None:
    data, _ = on_terminal(["syscalls", "-d", "1", "-i", "200ms"], 2)
    text = data.decode()
    live = text[: text.rindex("\x1b[?25h")]
    plain = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", live).replace("\r", "")
    assert max(map(display_width, plain.split("\n"))) <= 80


def test_a_closed_pipe_ends_it_quietly() -> None:
    tracer = subprocess.Popen(
        [*KERNSCOPE, "trace", "*"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert tracer.stdout is not None and tracer.stderr is not None
    # Something to see, also on an idle machine.
    with subprocess.Popen([sys.executable, "-c", "while True: open('/dev/null').close()"]) as busy:
        try:
            assert " = " in tracer.stdout.readline()
            tracer.stdout.close()
            assert tracer.wait(20) == 0
        finally:
            busy.kill()
    assert tracer.stderr.read() == ""
    tracer.stderr.close()


@pytest.mark.parametrize("command", ["syscalls", "trace"])
def test_a_command_that_cannot_be_started(command: str) -> None:
    what = ["openat"] if command == "trace" else []
    result = kernscope(command, *what, "--", "/does/not/exist")
    assert result.returncode == 3 and result.stdout == ""
    assert "/does/not/exist" in result.stderr and "No such file or directory" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_full_disk_under_the_output() -> None:
    result = kernscope("run", "-e", 'begin { printf("precious\\n"); exit() }', "-o", "/dev/full")
    assert result.returncode == 3
    assert "/dev/full: No space left on device" in result.stderr and "precious" in result.stderr


def test_run_ends_with_the_programs_code() -> None:
    assert kernscope("run", "-q", "-e", "begin { exit(9) }").returncode == 9
    result = kernscope(
        "run", "-q", "-e", 'begin { printf("%d %s\\n", $1, str($2)); exit() }', "--", "5", "five"
    )
    assert result.stdout.startswith("5 five\n") and result.returncode == 0


def test_list_and_doctor() -> None:
    result = kernscope("list", "-v", "tracepoint:syscalls:sys_exit_openat")
    assert result.stdout == "tracepoint:syscalls:sys_exit_openat\n    int __syscall_nr\n    long ret\n"
    assert kernscope("list", "tracepoint:nothing:here").returncode == 1
    result = kernscope("doctor")
    assert result.returncode == 0 and "ring buffer" in result.stdout
    parsed = json.loads(kernscope("doctor", "-f", "json").stdout)
    assert parsed["main_job_works"] is True and parsed["facts"]["kernel"].startswith("Linux ")


def test_the_search_for_the_command_is_not_traced() -> None:
    (line,) = lines(kernscope("trace", "execve", "--", "true").stdout)
    assert re.fullmatch(r'execve\("/.*/true", 0x[0-9a-f]+, 0x[0-9a-f]+\) = 0', line)


def test_verbose_run_says_what_is_loaded() -> None:
    program = "tracepoint:syscalls:sys_enter_openat { @ = count(); } begin { exit() }"
    result = kernscope("run", "-v", "-e", program)
    assert re.search(r"^\S+: \d+ instructions, at \S*sys_enter\S*(, by .*)?$", result.stderr, re.MULTILINE)
    assert "2 probes, 1 map of the program" in result.stderr

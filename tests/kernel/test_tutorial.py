"""The tutorial's programs, as they are written there, on the running kernel with real work to see."""

import errno
import http.server
import os
import pty
import re
import select
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import KERNSCOPE, Tracer, counts, kernscope, needs_tracing

pytestmark = needs_tracing

EXEC = r'tracepoint:sched:sched_process_exec { printf("exec: %s\n", comm); }'
COUNT = "tracepoint:syscalls:sys_enter_* { @[probe] = count(); }"
OPENAT = (
    r'tracepoint:syscalls:sys_enter_openat { printf("PID %d called openat(\"%s\")\n", pid, '
    r"str(args->filename)); }"
)
READ = r'tracepoint:syscalls:sys_enter_read /comm == "curl"/ { printf("curl is reading fd %d\n", args->fd); }'
RETURNED = (
    r'tracepoint:syscalls:sys_exit_openat { printf("Process: %s (PID: %d) returned FD: %d\n", '
    r"comm, pid, args.ret); }"
)
BROKEN = r'tracepoint:syscalls:sys_exit_openat { printf("Returned fd=%d (ret=%d)\n", args->fd, retval); }'


def test_programs_that_start(tmp_path: Path) -> None:
    program = tmp_path / "ks_tutor_exec"
    shutil.copy(shutil.which("true") or "/bin/true", program)
    with Tracer("-e", EXEC) as tracer:
        for _ in range(5):
            subprocess.run([program], check=True)
        done = tracer.stop()
    assert done.code == 0
    assert done.lines.count("exec: ks_tutor_exec") == 5
    assert all(line.startswith("exec: ") for line in done.lines if line)
    assert done.err == "Attached 1 probe\n"


def test_all_system_calls() -> None:
    with Tracer("-e", COUNT) as tracer:
        for _ in range(1000):
            os.getpriority(os.PRIO_PROCESS, 0)
        done = tracer.stop()
    assert done.code == 0
    found = counts(done.out)
    assert found["tracepoint:syscalls:sys_enter_getpriority"] >= 1000
    # By value, the largest last; equal ones by key. Nothing else is printed.
    order = [(value, key) for key, value in found.items()]
    assert order == sorted(order)
    assert len(found) == len([line for line in done.lines if line])


def test_files_that_are_opened(tmp_path: Path) -> None:
    path = tmp_path / "a file.txt"
    path.write_text("x")
    with Tracer("-e", OPENAT) as tracer:
        process = subprocess.Popen(["cat", path], stdout=subprocess.DEVNULL)
        process.wait()
        done = tracer.stop()
    assert done.code == 0
    assert done.lines.count(f'PID {process.pid} called openat("{path}")') == 1


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A local web server with one page."""
    (tmp_path / "page").write_text("hello\n" * 20_000)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def translate_path(self, path: str) -> str:
            return str(tmp_path / "page")

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/page"
        running.shutdown()


def test_curl_reading(server: str, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    strace = shutil.which("strace")
    log = tmp_path / "strace"
    # strace, where installed, tells how often and from which files curl reads.
    prefix = [strace, "-f", "-qq", "-e", "trace=read", "-e", "signal=none", "-o", str(log)] if strace else []
    with Tracer("-e", READ) as tracer:
        subprocess.run([*prefix, "curl", "-s", "-o", "/dev/null", server], check=True)
        done = tracer.stop()
    assert done.code == 0
    seen = sorted(line for line in done.lines if line)
    assert seen and all(re.fullmatch(r"curl is reading fd \d+", line) for line in seen)
    if strace:
        fds = re.findall(r"\bread\((\d+)", log.read_text())
        assert seen == sorted(f"curl is reading fd {fd}" for fd in fds)


def test_results_of_openat(tmp_path: Path) -> None:
    present, absent = tmp_path / "present", tmp_path / "absent"
    present.touch()
    with Tracer("-e", RETURNED) as tracer:
        processes = [subprocess.Popen(["cat", p], stderr=subprocess.DEVNULL) for p in (present, absent)]
        for process in processes:
            process.wait()
        done = tracer.stop()
    assert done.code == 0
    # The file is the last thing that cat opens; 0, 1 and 2 are taken.
    for process, result in zip(processes, (3, -errno.ENOENT), strict=True):
        lines = [line for line in done.lines if f"(PID: {process.pid})" in line]
        assert lines[-1] == f"Process: cat (PID: {process.pid}) returned FD: {result}"


def test_broken_program_gets_both_mistakes_explained() -> None:
    done = kernscope("run", "-e", BROKEN)
    assert done.returncode == 1 and done.stdout == ""
    first, second = done.stderr.split("\n\n")
    column = BROKEN.index("fd, retval") + 1
    assert first.startswith("error[unknown-field]: `tracepoint:syscalls:sys_exit_openat` has no field `fd`\n")
    assert f":1:{column}\n" in first
    assert "its fields are: `__syscall_nr` (int), `ret` (long)" in first
    assert "`args.ret`" in first
    column = BROKEN.index("retval") + 1
    assert "`retval`" in second.splitlines()[0]
    assert f":1:{column}\n" in second
    assert "`args.ret`" in second
    # The marks stand under the words.
    for part, word in ((first, "fd"), (second, "retval")):
        lines = part.splitlines()
        mark = next(n for n, line in enumerate(lines) if "^" in line)
        at = lines[mark].index("^")
        assert lines[mark - 1][at : at + len(word)] == word
        assert lines[mark].count("^") == len(word)


def test_what_the_diagnostic_says_to_write_works() -> None:
    corrected = BROKEN.replace("args->fd", "args.ret").replace("retval", "args.ret")
    with Tracer("-e", corrected) as tracer:
        os.close(os.open("/dev/null", os.O_RDONLY))
        done = tracer.stop()
    assert done.code == 0
    pairs = re.findall(r"^Returned fd=(-?\d+) \(ret=(-?\d+)\)$", done.out, re.MULTILINE)
    assert pairs and all(fd == ret for fd, ret in pairs)


def test_ctrl_c_on_a_terminal() -> None:
    """The key itself, typed on a terminal: maps are printed, and the last line is ended."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(KERNSCOPE[0], [*KERNSCOPE, "run", "-e", COUNT])
    output = b""
    typed = False
    while select.select([fd], [], [], 30)[0]:
        try:
            data = os.read(fd, 1 << 16)
        except OSError:  # EIO: the other side is closed
            break
        if not data:
            break
        output += data
        if b"Attached" in output and not typed:
            typed = True
            os.getpriority(os.PRIO_PROCESS, 0)
            os.write(fd, b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    assert os.waitstatus_to_exitcode(status) == 0
    text = output.decode()
    assert "@[tracepoint:syscalls:sys_enter_getpriority]: " in text
    assert "Traceback" not in text and text.endswith("\n")

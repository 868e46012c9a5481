"""What goes wrong on real machines: a clear message, the right exit code, no traceback, nothing collected lost."""

import errno
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import KERNSCOPE, Tracer, counts, eventually, kernscope, needs_tracing

from kernscope.kernel.syscall import Buffer, bpf_result
from kernscope.tables.bpf import Command

pytestmark = needs_tracing

COUNT = "tracepoint:syscalls:sys_enter_* { @[probe] = count(); }"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def refused(done: "subprocess.CompletedProcess[str]", code: int, *parts: str) -> None:
    """It ended with this code, a message with these parts, and no sign of a crash."""
    assert done.returncode == code, done.stderr
    assert all(part in done.stderr for part in parts), done.stderr
    assert "Traceback" not in done.stderr and "our-bug" not in done.stderr
    assert re.match(r"error(\[[a-z-]+\])?: \S|kernscope: \S", done.stderr)


def in_changed_machine(preparation: str, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command with other mounts than the machine's, for it alone."""
    need_own_mounts()
    script = f'{preparation} && exec "$@"'
    return subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script, "sh", *command],
        capture_output=True,
        text=True,
        timeout=60,
    )


def need_own_mounts() -> None:
    """unshare(1) makes all mounts private before it runs anything, or refuses."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount namespace can be made here (in a chroot, perhaps)")


def as_nobody(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as a user without privileges."""
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    script = [*NOBODY, *KERNSCOPE]
    if subprocess.run([*script, "--version"], capture_output=True, cwd="/").returncode != 0:
        pytest.skip("this Python's folder is closed to other users")
    return subprocess.run([*script, *arguments], capture_output=True, text=True, timeout=60, cwd="/")


# --- privileges and the machine ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["run", "-e", "begin { exit(); }"], ["syscalls", "-d", "1"], ["trace", "openat"]]
)
def test_not_root(arguments: list[str]) -> None:
    refused(as_nobody(*arguments), 3, "= help: run it as root, for instance with sudo")


def test_doctor_without_root() -> None:
    done = as_nobody("doctor")
    assert done.returncode != 0
    assert "CAP_BPF" in done.stdout and "no   ring buffer" in done.stdout


HIDE_TRACEFS = (
    "umount -l /sys/kernel/tracing 2>/dev/null || true; umount -l /sys/kernel/debug 2>/dev/null || true; true"
)


def test_tracefs_is_mounted_where_it_is_not() -> None:
    """Root can mount it, so a program just runs."""
    program = "tracepoint:sched:sched_process_exec { exit(); } interval:ms:50 { exit(); }"
    done = in_changed_machine(HIDE_TRACEFS, *KERNSCOPE, "run", "-e", program)
    assert done.returncode == 0, done.stderr


def test_no_tracefs() -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    program = "tracepoint:sched:sched_process_exec { exit(); }"
    without = ["setpriv", "--bounding-set=-sys_admin", *KERNSCOPE]
    done = in_changed_machine(HIDE_TRACEFS, *without, "run", "-e", program)
    refused(done, 3, "tracefs", "/sys/kernel/tracing")


@pytest.fixture
def hide_btf(tmp_path: Path) -> str:
    return f"mount --bind {shlex.quote(str(tmp_path))} /sys/kernel/btf"


def test_no_btf(hide_btf: str) -> None:
    done = in_changed_machine(hide_btf, *KERNSCOPE, "run", "-e", "begin { print(ppid); exit(); }")
    refused(done, 3, "CONFIG_DEBUG_INFO_BTF")
    # What needs no kernel types works without.
    done = in_changed_machine(hide_btf, *KERNSCOPE, "run", "-e", "interval:ms:20 { @ = count(); exit(); }")
    assert done.returncode == 0 and "@: 1\n" in done.stdout


def test_doctor_says_that_there_is_no_btf(hide_btf: str) -> None:
    done = in_changed_machine(hide_btf, *KERNSCOPE, "doctor")
    assert re.search(r"^no   kernel types \(BTF\)", done.stdout, re.MULTILINE)
    assert "CONFIG_DEBUG_INFO_BTF" in done.stdout


# --- mistakes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "parts"),
    [
        (
            "tracepoint:syscalls:sys_enter_opennat { }",
            ["no tracepoint", "`tracepoint:syscalls:sys_enter_openat`"],
        ),
        ("tracepint:syscalls:sys_enter_openat { }", ["`tracepint`", "did you mean `tracepoint`?"]),
        ("tracepoint:syscals:* { }", ["syscals", "did you mean"]),
        ("tracepoint:syscalls:sys_enter_openat { print(args.filenam); }", ["`filenam`", "`filename`"]),
        ('begin { @a = 1; @a = "x"; }', ["@a"]),
        ('begin { $x = 1; $x = "x"; }', ["$x"]),
        ("begin { print($nothing); }", ["$nothing"]),
        ('begin { printf("%d\\n"); }', ["printf"]),
        ("begin { conut(); }", ["conut"]),
        ("begin { print(1 +); }", [":1:"]),
        ("kprobe:no_such_function { }", ["no_such_function"]),
    ],
)
def test_wrong_programs(program: str, parts: list[str]) -> None:
    refused(kernscope("run", "-e", program), 1, " --> <command line>:1:", *parts)


def test_all_mistakes_of_a_program_are_named() -> None:
    done = kernscope("run", "-e", "tracepoint:syscalls:sys_enter_read { print(args.a); print(args.b); }")
    assert done.returncode == 1 and done.stderr.count("error[unknown-field]") == 2


def test_command_that_cannot_be_started() -> None:
    for arguments in (
        ["run", "-e", 'begin { printf("x\\n"); }', "-c", "/does/not/exist"],
        ["syscalls", "--", "/does/not/exist"],
        ["trace", "openat", "--", "/does/not/exist"],
    ):
        done = kernscope(*arguments)
        refused(done, 3, "`/does/not/exist`: No such file or directory")
    refused(
        kernscope("syscalls", "--", "/etc/passwd"), 3, "`/etc/passwd`: Permission denied", "not executable"
    )


def test_no_such_process() -> None:
    pid = subprocess.Popen(["true"])
    pid.wait()
    for arguments in (["run", "-e", "interval:s:1 {}"], ["syscalls"], ["trace", "openat"]):
        refused(kernscope(*arguments, "-p", str(pid.pid)), 3, f"no process {pid.pid}")


REFUSED = """
import sys
from kernscope import bundle, compiler
from kernscope.cli import main

compile_source = compiler.compile_source

def broken(*args, **kwargs):
    # The first program reads a register that holds nothing, which no verifier accepts.
    made = compile_source(*args, **kwargs)
    program = made.programs[0]
    program.code = b"\\xbf\\x60\\0\\0\\0\\0\\0\\0" + program.code[8:]
    return made

compiler.compile_source = broken
sys.exit(main(["run", "-e", "tracepoint:sched:sched_process_exec { @ = count(); }"]))
"""


def test_verifier_refusal() -> None:
    """A defect of ours, said as such, with the verifier's reason."""
    done = subprocess.run([sys.executable, "-c", REFUSED], capture_output=True, text=True, timeout=60)
    assert done.returncode == 70, done.stderr
    assert done.stderr.startswith("error[verifier]: ") and "Traceback" not in done.stderr
    assert "R6 !read_ok" in done.stderr
    assert "KERNSCOPE_DEBUG=1" in done.stderr
    environment = {**os.environ, "KERNSCOPE_DEBUG": "1"}
    more = subprocess.run(
        [sys.executable, "-c", REFUSED], capture_output=True, text=True, timeout=60, env=environment
    )
    assert len(more.stderr) > len(done.stderr) and "R6 !read_ok" in more.stderr


# --- losses that are counted ------------------------------------------------------------------------------


def test_map_that_fills_up() -> None:
    program = (
        "config = { max_map_keys = 10 } "
        'tracepoint:syscalls:sys_enter_getpriority /comm == "ks-mapfull"/ { @[args.who] = count(); @all = count(); }'
    )
    script = (
        "import ctypes, os\nctypes.CDLL(None).prctl(15, b'ks-mapfull')\n"
        "for n in range(100):\n"
        "    try: os.getpriority(os.PRIO_PROCESS, n + 1)\n"
        "    except OSError: pass\n"
    )
    with Tracer("-e", program) as tracer:
        subprocess.run([sys.executable, "-c", script], check=True)
        done = tracer.stop()
    assert done.code == 0
    # What found room stays, the rest is counted and reported with its place in the program.
    assert counts(done.out) == {str(n + 1): 1 for n in range(10)}
    assert "@all: 100\n" in done.out
    assert "map `@` is full" in done.err and "(90 times)" in done.err
    assert " --> <command line>:1:" in done.err


# --- processes that die -----------------------------------------------------------------------------------


def test_traced_process_dies() -> None:
    victim = subprocess.Popen(["sleep", "60"])
    with Tracer("-p", str(victim.pid), "-e", 'end { printf("bye\\n"); } interval:s:60 { }') as tracer:
        victim.kill()
        done = tracer.wait(10)
        victim.wait()
    assert done.code == 0 and "bye" in done.lines


def test_process_dies_within_a_system_call() -> None:
    """What it had begun is counted; calls that never return are known as such."""
    done = kernscope("syscalls", "-f", "json", "--", "sh", "-c", "sleep 60 & sleep 0.3; kill -9 $!")
    assert done.returncode == 0, done.stderr
    rows = {row["syscall"]: row for row in json.loads(done.stdout)["rows"]}
    assert rows["clock_nanosleep"]["calls"] == 2
    # The shell and the sleep that was not killed.
    assert (rows["exit_group"]["calls"], rows["exit_group"]["returned"]) == (2, 0)


def test_command_that_is_killed() -> None:
    done = kernscope("run", "-e", 'end { printf("bye\\n"); }', "-c", "sh -c 'kill -9 $$'")
    assert done.returncode == 0 and "bye" in done.stdout and "Traceback" not in done.stderr


# --- outputs that end -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "-e", 'tracepoint:syscalls:sys_enter_* { printf("%s\\n", probe); }'],
        ["run", "-f", "json", "-e", 'tracepoint:syscalls:sys_enter_* { printf("%s\\n", probe); }'],
        ["trace", "*"],
        ["list"],
        ["syscalls", "-d", "0.2", "-f", "csv"],
    ],
    ids=["run", "json", "trace", "list", "syscalls"],
)
def test_closed_pipe(arguments: list[str]) -> None:
    """As with `| head -1`: it ends by itself, quietly."""
    with subprocess.Popen(
        [*KERNSCOPE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        # Something to see, also on an idle machine.
        busy = subprocess.Popen([sys.executable, "-c", "while True: open('/dev/null').close()"])
        try:
            assert process.stdout.readline()
            process.stdout.close()
            assert process.wait(30) == 0
        finally:
            busy.kill()
            busy.wait()
        err = process.stderr.read().decode()
    assert re.fullmatch(r"(Attached \d+ probes?\n)?", err), err


def test_full_disk() -> None:
    """What no longer fits into the file goes to standard error; together they are all there is."""
    program = 'begin { $i = 0; while ($i < 300) { printf("%030d\\n", $i); $i++; } @kept[1] = 7; exit(); }'
    script = (
        "mount -t tmpfs -o size=4k none /mnt || exit 99\n"
        f"{shlex.join(KERNSCOPE)} run -o /mnt/out -e {shlex.quote(program)}\n"
        'code=$?; cat /mnt/out; exit "$code"'
    )
    need_own_mounts()
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, timeout=60
    )
    if done.returncode == 99:
        pytest.skip("no tmpfs can be mounted here")
    refused(
        subprocess.CompletedProcess([], done.returncode, "", done.stderr.partition("\n")[2]),
        3,
        "writing to /mnt/out: No space left on device",
    )
    rescued = done.stderr.partition("follows\n")[2]
    text = done.stdout + rescued
    assert [line for line in text.splitlines() if line.isdigit()] == [f"{n:030d}" for n in range(300)]
    assert "@kept[1]: 7\n" in rescued


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "-e", "begin { @kept = 7; exit(); }"],
        ["syscalls", "-d", "0.1"],
        ["trace", "openat", "--", "true"],
        ["list"],
        ["doctor"],
    ],
    ids=["run", "syscalls", "trace", "list", "doctor"],
)
def test_full_standard_output(arguments: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = kernscope(*arguments, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 3
    assert "No space left on device" in done.stderr and "Traceback" not in done.stderr
    if arguments[0] == "run":
        assert "@kept: 7\n" in done.stderr


# --- signals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_run_cleanly(number: int) -> None:
    with Tracer("-e", COUNT + ' end { printf("the end\\n"); }') as tracer:
        os.getpriority(os.PRIO_PROCESS, 0)
        done = tracer.stop(number)
    assert done.code == 0
    assert "the end" in done.lines
    assert counts(done.out)["tracepoint:syscalls:sys_enter_getpriority"] >= 1
    assert done.err == "Attached 362 probes\n" or re.fullmatch(r"Attached \d+ probes\n", done.err)


def objects_of(pid: int) -> dict[str, set[int]]:
    """The BPF programs and links a process holds, from the fdinfo of its descriptors."""
    found: dict[str, set[int]] = {"prog": set(), "link": set(), "map": set()}
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            text = path.read_text()
        except FileNotFoundError:
            continue  # it has closed it
        for kind, identity in re.findall(r"^(prog|link|map)_id:\s+(\d+)$", text, re.MULTILINE):
            found[kind].add(int(identity))
    return found


def alive(kind: str, identity: int) -> bool:
    """Whether the kernel still has that object."""
    command = {
        "prog": Command.PROG_GET_FD_BY_ID,
        "link": Command.LINK_GET_FD_BY_ID,
        "map": Command.MAP_GET_FD_BY_ID,
    }[kind]
    fd = bpf_result(command, Buffer(identity.to_bytes(4, sys.byteorder) + bytes(8)))
    if fd >= 0:
        os.close(fd)
    return fd != -errno.ENOENT


@pytest.mark.parametrize(
    "program",
    [COUNT, "tracepoint:sched:* { @ = count(); }", "profile:hz:99 { @ = count(); } interval:s:1 { }"],
    ids=["system calls", "classic tracepoints", "timers"],
)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_behind(program: str, number: int) -> None:
    with Tracer("-e", program) as tracer:
        objects = objects_of(tracer.process.pid)
        assert objects["prog"] and objects["map"]
        assert all(alive(kind, identity) for kind, found in objects.items() for identity in found)
        tracer.process.send_signal(number)
        tracer.process.wait(60)
    left = [(kind, identity) for kind, found in objects.items() for identity in found]
    # The kernel frees programs after a grace period.
    assert eventually(lambda: not any(alive(*object) for object in left), 20)


def maps_with_entries(entries: int) -> list[int]:
    """The ids of the kernel's maps that have just so many entries."""
    found, last = [], 0
    while True:
        next_id = Buffer(last.to_bytes(4, sys.byteorder) + bytes(8))
        if bpf_result(Command.MAP_GET_NEXT_ID, next_id) < 0:
            return found
        last = int.from_bytes(next_id.bytes()[4:8], sys.byteorder)
        fd = bpf_result(Command.MAP_GET_FD_BY_ID, Buffer(last.to_bytes(4, sys.byteorder) + bytes(8)))
        if fd < 0:
            continue
        # struct bpf_map_info begins: type, id, key_size, value_size, max_entries.
        about = Buffer(80)
        request = struct.pack("=IIQ", fd, len(about), about.address)
        known = bpf_result(Command.OBJ_GET_INFO_BY_FD, Buffer(request)) == 0
        if known and struct.unpack_from("=5I", about.bytes())[4] == entries:
            found.append(last)
        os.close(fd)


def test_killed_while_it_starts() -> None:
    """At any moment, also between loading and attaching: programs hold maps, so no map means no program."""
    entries = 50_000 + os.getpid() % 10_000
    program = f"config = {{ max_map_keys = {entries} }} tracepoint:sched:* {{ @[pid] = count(); }}"
    with Tracer("-e", program):
        assert maps_with_entries(entries)
    started = time.monotonic()
    for milliseconds in range(20, 180, 10):
        with subprocess.Popen([*KERNSCOPE, "run", "-e", program], stderr=subprocess.DEVNULL) as process:
            time.sleep(milliseconds / 1000)
            process.kill()
    assert time.monotonic() - started < 30
    assert eventually(lambda: not maps_with_entries(entries), 20)


# --- terminals --------------------------------------------------------------------------------------------


def on_terminal(*arguments: str) -> bytes:
    """What a run writes to a terminal."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(KERNSCOPE[0], [*KERNSCOPE, *arguments])
    output = b""
    while select.select([fd], [], [], 30)[0]:
        try:
            data = os.read(fd, 1 << 16)
        except OSError:  # EIO: the other side is closed
            break
        output += data
    os.waitpid(pid, 0)
    os.close(fd)
    return output


HOSTILE = b"x\x1b[2J\x1b]0;title\x07\r\x9b31m\xff\xe2\x80\xaey"
SHOWN = rb"x\x1b[2J\x1b]0;title\x07\x0d\x9b31m\xff\u202ey"


@pytest.fixture
def hostile_file(tmp_path: Path) -> bytes:
    path = os.fsencode(tmp_path) + b"/" + HOSTILE
    Path(os.fsdecode(path)).touch()
    return path


HOSTILE_PROGRAM = (
    'tracepoint:syscalls:sys_enter_openat /pid == cpid/ { printf("\\x1b[1m%s\\n", str(args.filename)); '
    "@[str(args.filename)] = count(); print(str(args.filename)); }"
)


def test_control_characters_on_a_terminal(hostile_file: bytes) -> None:
    command = f"cat {shlex.quote(os.fsdecode(hostile_file))}"
    output = on_terminal("run", "-c", command, "-e", HOSTILE_PROGRAM)
    # The program's own format is trusted, its arguments are not.
    assert b"\x1b[1m" in output
    cleaned = output.replace(b"\x1b[1m", b"").replace(b"\r\n", b"\n")
    assert not set(cleaned) & (set(range(32)) - {10}) and b"\x9b" not in cleaned and b"\x7f" not in cleaned
    assert cleaned.count(SHOWN) == 3


def test_control_characters_in_a_pipe_are_kept(hostile_file: bytes) -> None:
    command = f"cat {shlex.quote(os.fsdecode(hostile_file))}"
    done = subprocess.run([*KERNSCOPE, "run", "-c", command, "-e", HOSTILE_PROGRAM], capture_output=True)
    assert done.stdout.count(hostile_file) == 3


def test_control_characters_in_a_trace(hostile_file: bytes) -> None:
    output = on_terminal("trace", "openat", "--", "cat", os.fsdecode(hostile_file))
    assert b"\x1b" not in output and b"\x07" not in output and b"\x9b" not in output
    assert b"title" in output and "\u202e".encode() not in output


def test_control_characters_in_a_process_name() -> None:
    script = "import ctypes, os\nctypes.CDLL(None).prctl(15, b'\\x1b[2J\\x1b[31mred')\nos.getpriority(0, 0)\n"
    program = "tracepoint:syscalls:sys_enter_getpriority /pid == cpid/ { @[comm] = count(); }"
    output = on_terminal("run", "-c", shlex.join([sys.executable, "-c", script]), "-e", program)
    assert b"\x1b" not in output and rb"@[\x1b[2J\x1b[31mred]: 1" in output
    table = on_terminal("syscalls", "--once", "--by", "process", "--", sys.executable, "-c", script)
    assert b"red" in table and b"\x1b[31m" not in table and b"\x1b[2J" not in table

"""`kernscope detect run` on the running kernel: what processes do becomes alerts with the right fields."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from command_line import KERNSCOPE, Tracer, eventually, kernscope, needs_tracing
from known_work import build

pytest.importorskip("yaml", reason="rules are YAML")
pytestmark = needs_tracing


class Alerts(Protocol):
    def __call__(self, word: str, **wanted: str) -> list[dict[str, object]]:
        """The fields of all alerts so far whose text holds a word. `wanted` are beginnings of fields' values, by the
        name behind the last point, or of the rule's name. Waits until there is one."""


FIELDS = (
    "type=%evt.type res=%evt.res fd=%fd.name path=%fs.path.name source=%fs.path.source target=%fs.path.target "
    "client=%fd.cip:%fd.cport server=%fd.sip:%fd.sport proto=%fd.l4proto kind=%fd.type name=%proc.name "
    "cmd=%proc.cmdline parent=%proc.pname exe=%proc.exepath cwd=%proc.cwd user=%user.name "
    "memfd=%proc.is_exe_from_memfd in=%proc.stdin.type "
    "flags=%evt.arg.flags mode=%evt.arg.mode request=%evt.arg.request uid=%evt.arg.uid"
)
FILE_CALLS = (
    "open, openat, openat2, creat, rename, renameat, renameat2, unlink, unlinkat, mkdir, mkdirat, link, linkat, "
    "symlink, symlinkat, chmod, fchmod, fchmodat, truncate"
)
RULES = """
- rule: file
  desc: files in the test's folder
  condition: >
    evt.type in ({calls}) and (fd.name startswith {folder}/ or fs.path.name startswith {folder}/ or
    fs.path.source startswith {folder}/ or fs.path.target startswith {folder}/)
  output: "{fields}"
  priority: WARNING
- rule: program
  desc: programs that the test starts
  condition: evt.type in (execve, execveat) and proc.cmdline contains {mark}
  output: "{fields}"
  priority: NOTICE
- rule: below
  desc: programs below the test's shell
  condition: evt.type = execve and proc.aname = "{shell}"
  output: "{fields}"
  priority: NOTICE
- rule: net
  desc: ports of the test
  condition: evt.type in (connect, bind, accept4, accept, sendto) and fd.sport = {port}
  output: "{fields}"
  priority: ERROR
- rule: rights
  desc: other calls of the test's programs
  condition: evt.type in (setuid, ptrace, kill, memfd_create, prctl) and proc.cmdline contains {mark}
  output: "{fields}"
  priority: CRITICAL
"""
MARK, SHELL, PORT = "kernscope-detect-test", "ks-test-shell", 47_631


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watched").resolve()


@pytest.fixture(scope="module")
def detector(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracer]:
    rules = tmp_path_factory.mktemp("rules") / "rules.yaml"
    rules.write_text(
        RULES.format(calls=FILE_CALLS, folder=folder, fields=FIELDS, mark=MARK, shell=SHELL, port=PORT)
    )
    command = [*KERNSCOPE, "detect", "run", str(rules), "-f", "json", "--no-store"]
    with Tracer(command=command, ready="watching by") as tracer:
        yield tracer


def _fits(alert: dict[str, object], wanted: dict[str, str]) -> bool:
    fields = alert["fields"]
    assert isinstance(fields, dict)
    known = {key.rpartition(".")[2]: value for key, value in fields.items()}
    known |= {"rule": alert["rule"], "call": fields["evt.type"]}
    return all(str(known.get(key)).startswith(value) for key, value in wanted.items())


@pytest.fixture
def alerts(detector: Tracer) -> Alerts:
    def find(word: str, **wanted: str) -> list[dict[str, object]]:
        def found() -> list[dict[str, object]]:
            lines = detector.out.split("\n")[:-1]
            return [alert for line in lines if word in line and _fits(alert := json.loads(line), wanted)]

        assert eventually(lambda: bool(found()), 20), f"no alert for {word} {wanted}: {detector.err[-2000:]}"
        return [{**alert["fields"], "output": alert["output"]} for alert in found()]  # type: ignore[dict-item]

    return find


def python(text: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-c", text, *map(str, arguments)], check=True, timeout=60)


def test_what_was_opened_is_named_by_the_kernel(alerts: Alerts, folder: Path) -> None:
    real = folder / "real-file"
    real.write_text("x")
    link = folder.parent / f"link-{os.getpid()}"
    link.symlink_to(real)
    try:
        python("import os, sys; os.close(os.open(sys.argv[1], os.O_RDONLY))", link)
    finally:
        link.unlink()
    opened = alerts("real-file", call="open", flags="O_RDONLY")
    assert {found["fd.name"] for found in opened} == {str(real)}
    assert {found["fd.type"] for found in opened} == {"file"}


def test_relative_to_a_directory(alerts: Alerts, folder: Path) -> None:
    text = """
import os, sys
directory = os.open(sys.argv[1], os.O_RDONLY)
os.mkdir("by-descriptor", dir_fd=directory)
os.rmdir("by-descriptor", dir_fd=directory)
"""
    python(text, folder)
    made = alerts("by-descriptor", call="mkdirat")
    assert [found["fs.path.name"] for found in made] == [f"{folder}/by-descriptor"]


def test_relative_to_the_working_directory(alerts: Alerts, folder: Path) -> None:
    (folder / "to-rename").write_text("")
    text = """
import os, sys
os.chdir(sys.argv[1])
os.rename("to-rename", "../" + os.path.basename(sys.argv[1]) + "/renamed")
"""
    python(text, folder)
    found = alerts("to-rename", call="rename")
    assert [(one["fs.path.source"], one["fs.path.target"]) for one in found] == [
        (f"{folder}/to-rename", f"{folder}/renamed")
    ]


def test_what_failed_is_an_attempt(alerts: Alerts, folder: Path) -> None:
    python("import os, sys\ntry: os.unlink(sys.argv[1])\nexcept OSError: pass", folder / "never-there")
    found = alerts("never-there", call="unlink")
    assert {(one["evt.res"], one["fs.path.name"]) for one in found} == {("ENOENT", f"{folder}/never-there")}


def test_bits_of_a_mode_have_names(alerts: Alerts, folder: Path) -> None:
    (folder / "with-bits").write_text("")
    python("import os, sys; os.chmod(sys.argv[1], 0o4755)", folder / "with-bits")
    modes = [one["evt.arg.mode"] for one in alerts("S_ISUID")]
    assert modes == ["S_ISUID|S_IRUSR|S_IWUSR|S_IXUSR|S_IRGRP|S_IXGRP|S_IROTH|S_IXOTH"]


def test_a_program_and_where_it_came_from(alerts: Alerts, folder: Path) -> None:
    shell = folder / SHELL
    shutil.copy("/bin/sh", shell)
    subprocess.run(
        [shell, "-c", f"true; /bin/echo {MARK}-one >/dev/null; true"], cwd=folder, check=True, timeout=60
    )
    one = alerts(f"{MARK}-one", cmdline="echo", rule="program")[0]
    assert one["proc.cmdline"] == f"echo {MARK}-one"
    assert (one["proc.pname"], one["proc.cwd"], one["user.name"]) == (SHELL, str(folder), "root")
    assert str(one["proc.exepath"]).endswith("/echo")
    assert alerts(f"echo {MARK}-one", rule="below")


def test_a_program_out_of_memory(alerts: Alerts) -> None:
    text = """
import os, sys
fd = os.memfd_create("hidden")
with open("/bin/true", "rb") as program:
    os.write(fd, program.read())
os.execve(fd, ["x", "innocent", sys.argv[1]], {})
"""
    python(text, f"{MARK}-memory")
    found = alerts("innocent kernscope", rule="program")
    assert ("execveat", True) in {(one["evt.type"], one["proc.is_exe_from_memfd"]) for one in found}
    assert alerts("memfd_create", rule="rights")


@pytest.mark.parametrize(("family", "address"), [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")])
def test_connections(alerts: Alerts, family: str, address: str) -> None:
    text = """
import socket, sys
family, address = getattr(socket, sys.argv[1]), sys.argv[2]
server = socket.socket(family)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((address, int(sys.argv[3])))
server.listen()
client = socket.socket(family)
client.connect((address, int(sys.argv[3])))
server.accept()
"""
    python(text, family, address, PORT)
    assert alerts(f'"{address}"', rule="net", call="bind")
    connect, accept = (alerts(f'"{address}"', rule="net", call=call)[0] for call in ("connect", "accept"))
    assert connect["fd.type"] == accept["fd.type"] == ("ipv4" if family == "AF_INET" else "ipv6")
    for one in (connect, accept):
        ends = (one["fd.sip"], one["fd.sport"], one["fd.cip"], one["fd.l4proto"])
        assert ends == (address, PORT, address, "tcp")
    assert connect["fd.cport"] == accept["fd.cport"]


def test_through_io_uring(alerts: Alerts, folder: Path, tmp_path: Path) -> None:
    program = build("uring", tmp_path)
    if isinstance(program, str):
        pytest.skip(program)
    (folder / "by-ring").write_text("")
    done = subprocess.run(
        [program, "open", "by-ring"], cwd=folder, capture_output=True, text=True, timeout=60
    )
    if done.returncode == 3:
        pytest.skip(f"no io_uring here: {done.stderr.strip()}")
    found = alerts("by-ring", cmdline="uring open")
    assert [(one["evt.type"], one["fd.name"]) for one in found] == [("openat", f"{folder}/by-ring")]


def test_the_way_of_32_bit_programs(alerts: Alerts, folder: Path, tmp_path: Path) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("calls of 32-bit programs are told apart on x86_64 only")
    program = build("compat", tmp_path)
    if isinstance(program, str):
        pytest.skip(program)
    wanted = folder / "by-interrupt"
    wanted.write_text("")
    for call in ("open", "unlink"):
        done = subprocess.run([program, call, wanted], capture_output=True, text=True, timeout=60)
        if done.returncode == 3:
            pytest.skip("this kernel runs no 32-bit programs")
    opened = alerts("by-interrupt", call="open", cmdline="compat open")
    assert [(one["evt.type"], one["fd.name"], one["evt.res"]) for one in opened] == [
        ("open", str(wanted), "SUCCESS")
    ]
    removed = alerts("by-interrupt", call="unlink", cmdline="compat unlink")
    assert [(one["evt.type"], one["fs.path.name"]) for one in removed] == [("unlink", str(wanted))]


def test_names_cannot_forge_lines(alerts: Alerts, folder: Path, detector: Tracer) -> None:
    name = b"\x1b[2Jevil\nWarning forged \xff\xe2\x80\xae"
    os.close(os.open(os.fsencode(folder) + b"/" + name, os.O_CREAT))
    alert = alerts("evil")[0]
    output = str(alert["output"])
    assert "\n" not in output and "\x1b" not in output and "\u202e" not in output
    assert str(alert["fd.name"]).startswith(f"{folder}/\x1b[2Jevil\nWarning forged ")
    assert not any(line.startswith("Warning") for line in detector.out.split("\n"))


def test_calls_about_rights(alerts: Alerts) -> None:
    text = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace(16, 999999, 0, 0)
os.setuid(12345)
"""
    python(text, f"{MARK}-rights")
    ptrace = alerts(f"{MARK}-rights", rule="rights", request="PTRACE")[0]
    assert (ptrace["evt.arg.request"], ptrace["evt.res"]) == ("PTRACE_ATTACH", "ESRCH")
    setuid = alerts(f"{MARK}-rights", rule="rights", uid="12345")[0]
    assert setuid["evt.res"] == "SUCCESS"


def test_recorded_events_give_the_same_alerts(folder: Path, tmp_path: Path) -> None:
    rules, events = tmp_path / "rules.yaml", tmp_path / "events.jsonl"
    text = RULES.format(
        calls=FILE_CALLS, folder=folder, fields=FIELDS, mark="recorded-mark", shell=SHELL, port=1
    )
    rules.write_text(text)
    events.write_text("what was there before\n")
    events.chmod(0o644)
    command = [*KERNSCOPE, "detect", "record", str(events), str(rules)]
    with Tracer(command=command, ready="recording") as tracer:
        subprocess.run(["/bin/echo", "recorded-mark"], check=True, stdout=subprocess.DEVNULL)
        (folder / "recorded").write_text("")
        done = tracer.stop()
    assert done.code == 0
    assert events.stat().st_mode & 0o777 == 0o600
    tested = kernscope("detect", "test", str(rules), "--events", str(events))
    assert tested.returncode == 0, tested.stderr
    assert "cmd=echo recorded-mark" in tested.stdout
    assert f"fd={folder}/recorded" in tested.stdout


def test_a_kill_leaves_nothing(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("- rule: r\n  desc: d\n  condition: evt.type = setuid\n  output: o\n  priority: INFO\n")
    command = [*KERNSCOPE, "detect", "run", str(rules), "--store", str(tmp_path / "alerts.db")]
    with Tracer(command=command, ready="watching by") as tracer:
        tracer.process.send_signal(signal.SIGKILL)
        tracer.process.wait(30)
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(rules) not in left


def test_without_root(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root, to become somebody else")
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", *KERNSCOPE, "detect", "run", "--no-store", "-d", "1s"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert done.returncode == 3
    assert "as root" in done.stderr
    assert "Traceback" not in done.stderr

"""Tools that probe functions of programs, each against work whose events are known."""

import os
import pty
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from command_line import Tracer, needs_tracing
from tool_runs import Tool, child, rows

import kernscope as library
from kernscope.kernel import Kernel

pytestmark = [
    needs_tracing,
    pytest.mark.skipif(not Kernel().has_feature("uprobe"), reason="this kernel has no uprobes"),
]


def needs_function(target: str) -> None:
    if not library.list_probes(target):
        pytest.skip(f"nothing here has the function of `{target}`")


def test_bashreadline(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    if not library.list_probes("uprobe:bash:readline"):
        needs_function("uprobe:libreadline:readline")
    lines = ["echo first", "no-such-command-of-ours 2", ": 'a third'"]
    with Tool("bashreadline") as tracer:
        ours, theirs = pty.openpty()
        shell = subprocess.Popen(
            [bash, "--norc", "--noprofile", "-i"],
            stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, start_new_session=True,
            env=os.environ | {"HISTFILE": "", "TERM": "dumb"},
        )  # fmt: skip
        os.close(theirs)
        os.write(ours, "".join(f"{line}\n" for line in [*lines, "exit"]).encode())
        while True:  # what it prints must be read for it to go on
            try:
                if not os.read(ours, 4096):
                    break
            except OSError:
                break
        shell.wait(30)
        os.close(ours)
        done = tracer.stop()
    assert done.code == 0, done.err
    found = [" ".join(row[4:]) for row in rows(done, shell.pid)]
    assert found == [*lines, "exit"]


def _lookups() -> None:
    import ctypes

    libc = ctypes.CDLL(None)
    socket.getaddrinfo("127.0.0.1", 80)
    for name in ("192.0.2.7", "not a name"):
        libc.getaddrinfo(name.encode(), None, None, ctypes.byref(ctypes.c_void_p()))
    libc.gethostbyname(b"127.0.0.2")


def _lookups_seen(tracer: Tracer) -> list[list[str]]:
    pid = child(_lookups)
    done = tracer.stop()
    assert done.code == 0, done.err
    return rows(done, pid)


def test_gethostlatency() -> None:
    needs_function("uprobe:libc:getaddrinfo")
    with Tool("gethostlatency") as tracer:
        found = _lookups_seen(tracer)
    assert [(row[4], " ".join(row[5:])) for row in found] == [
        ("yes", "127.0.0.1"),
        ("yes", "192.0.2.7"),
        ("no", "not a name"),
        ("yes", "127.0.0.2"),
    ]
    assert all(float(row[3]) >= 0 for row in found)

"""Reactions that enforce, on the running kernel: whom they are about, who is left alone, and that nothing is left."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import eventually, needs_tracing
from private_network import own_network

import kernscope
from kernscope.detector.alert import Alert
from kernscope.detector.reactions import Context, Match, Protection, Reactions, make_ladder
from kernscope.detector.reactions.kernel_blocks import block_text, deny_text
from kernscope.kernel import Kernel
from kernscope.kernel.process_table import boot_offset_ns, start_of

KERNEL = Kernel()
pytestmark = needs_tracing


class Unprotected(Protection):
    """What these tests are about is started by them, and they stand for the detector."""

    def of_process(self, pid: int) -> str:
        return ""


def reaction(name: str, protection: Protection, **given: object) -> Reactions:
    context = Context(protection, enforce=True, run=kernscope.run)
    reactions = Reactions([make_ladder("l", Match(), [(name, given, 1)], context)], context)
    reactions.prepare()
    return reactions


@pytest.fixture
def network(request: pytest.FixtureRequest) -> Iterator[None]:
    if "cgroup" in request.node.name and KERNEL.cgroup_folder("/") is None:
        pytest.skip("no control groups of version 2 here")
    if "netfilter" in request.node.name and not KERNEL.has_feature("netfilter"):
        pytest.skip("no netfilter links here")
    with own_network():
        yield


def connects(server: socket.socket) -> bool:
    try:
        socket.create_connection(server.getsockname()[:2], timeout=0.3).close()
    except TimeoutError:
        return False
    return True


def about_peer(address: str) -> Alert:
    return Alert("r", "notice", [], "o", fields={"evt.type": "connect", "fd.sip": address})


@pytest.mark.parametrize("by", ["netfilter", "cgroup"])
@pytest.mark.parametrize(("address", "other"), [("127.0.0.9", "127.0.0.8"), ("::1", "127.0.0.8")])
def test_a_peer_is_blocked_for_a_time(network: None, by: str, address: str, other: str) -> None:
    protection = Protection(addresses=[])
    protection.of_address = lambda text: ""  # type: ignore[method-assign]
    families = {True: socket.AF_INET6, False: socket.AF_INET}
    with (
        socket.create_server((address, 0), family=families[":" in address]) as server,
        socket.create_server((other, 0)) as second,
    ):
        reactions = reaction("block", protection, by=by, ttl="1h")
        assert connects(server)
        (done,) = reactions.take(about_peer(address), 1)
        assert done.text == f"blocks {address} for 3600 s"
        assert not connects(server) and connects(second)
        reactions.tick()
        assert not connects(server)
        reactions.close()
        assert connects(server)
        reactions = reaction("block", protection, by=by, ttl="50ms")
        reactions.take(about_peer(address), 1)
        time.sleep(0.06)  # the kernel looks at the time itself
        assert connects(server)
        reactions.tick()
        reactions.close()


def test_what_is_protected_is_not_blocked(network: None) -> None:
    if not KERNEL.has_feature("netfilter"):
        pytest.skip("no netfilter links here")
    reactions = reaction("block", Protection())
    (done,) = reactions.take(about_peer("127.0.0.1"), 1)
    assert done.state == "refused"
    assert done.text == "did not block: 127.0.0.1 must not be blocked: `127.0.0.0/8` is protected"
    reactions.close()


_BLOCKS = """
import sys, time
sys.path[:0] = [sys.argv[1]]
from test_reactions import about_peer, reaction
from kernscope.detector.reactions import Protection
protection = Protection(addresses=[])
protection.of_address = lambda text: ""
reaction("block", protection, by=sys.argv[2]).take(about_peer("127.0.0.9"), 1)
print("blocks", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("by", ["netfilter", "cgroup"])
def test_a_block_ends_with_the_detector_that_is_killed(network: None, by: str) -> None:
    with socket.create_server(("127.0.0.9", 0)) as server:
        folders = f"{Path(__file__).parent}:{Path(__file__).parents[1] / 'support'}"
        command = [sys.executable, "-c", _BLOCKS, str(Path(__file__).parent), by]
        detector = subprocess.Popen(
            command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": folders}
        )
        assert detector.stdout is not None and detector.stdout.readline() == b"blocks\n"
        assert not connects(server)
        detector.send_signal(signal.SIGKILL)
        detector.wait()
        detector.stdout.close()
        assert eventually(lambda: connects(server))


_CHILD = """
import os, sys
def works():
    try:
        os.close(os.open(sys.argv[1], os.O_RDONLY))
        return "opened"
    except PermissionError as problem:
        return "refused"
for line in sys.stdin:
    if line == "self\\n":
        print(works(), flush=True)
    else:
        if os.fork() == 0:
            print(works(), flush=True)
            os._exit(0)
        os.wait()
"""


@pytest.mark.skipif(not KERNEL.has_feature("lsm"), reason="`bpf` is not among this kernel's security modules")
def test_a_process_and_its_children_are_denied(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")

    def start() -> "subprocess.Popen[str]":
        command = [sys.executable, "-S", "-c", _CHILD, str(secret)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(process: "subprocess.Popen[str]", what: str) -> str:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(what + "\n")
        return process.stdout.readline().strip()

    with start() as marked, start() as other:
        try:
            reactions = reaction("deny", Unprotected(), hooks=["file_open"], ttl="1h")
            assert [ask(marked, "self"), ask(marked, "fork")] == ["opened", "opened"]
            process = {
                "pid": marked.pid,
                "start_ns": (start_of(marked.pid) or 0) + boot_offset_ns(),
                "name": "m",
            }
            (done,) = reactions.take(Alert("r", "notice", [], "o", process=[process]), 1)
            assert done.state == "done", done.text
            assert [ask(marked, "self"), ask(marked, "fork")] == ["refused", "refused"]
            assert ask(other, "fork") == "opened"
            reactions.tick()
            assert ask(marked, "self") == "refused"
            reactions.close()
            assert [ask(marked, "self"), ask(marked, "fork")] == ["opened", "opened"]
        finally:
            for child in (marked, other):
                child.kill()


def test_the_programs_compile_for_this_kernel() -> None:
    for by in ("netfilter", "cgroup"):
        if by == "cgroup" or KERNEL.has_feature("netfilter"):
            kernscope.compile(block_text(by), settings={"enforce": True})
    if KERNEL.has_feature("lsm"):
        kernscope.compile(deny_text(["file_open", "bprm_check_security"]), settings={"enforce": True})

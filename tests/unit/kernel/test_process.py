"""Commands that wait before their exec."""

import errno
import os
import signal
import time
from pathlib import Path

import pytest

from kernscope.kernel import process
from kernscope.kernel.errors import KernelError


def open_fds() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_nothing_runs_before_resume(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    before = open_fds()
    with process.start(["touch", str(mark)]) as command:
        time.sleep(0.05)
        assert process.exists(command.pid) and command.poll() is None and not mark.exists()
        command.resume()
        assert command.wait() == 0 and mark.exists()
        assert command.wait() == 0
    assert open_fds() == before


def test_return_codes() -> None:
    for script, expected in (("exit 3", 3), ("kill -9 $$", -9)):
        with process.start(["sh", "-c", script]) as command:
            command.resume()
            assert command.wait() == expected == command.returncode


def test_signals_and_pidfd() -> None:
    with process.start(["sleep", "30"]) as command:
        command.resume()
        assert command.fileno() >= 0 and command.poll() is None
        command.send_signal(signal.SIGTERM)
        assert command.wait() == -signal.SIGTERM
        command.kill()
        assert not process.exists(command.pid)


def test_closing_a_waiting_command_ends_it(tmp_path: Path) -> None:
    command = process.start(["touch", str(tmp_path / "ran")])
    command.close()
    assert not (tmp_path / "ran").exists() and not process.exists(command.pid)


@pytest.mark.parametrize("name", ["no-such-program-anywhere", "/no/such/program", ""])
def test_programs_that_do_not_exist(name: str) -> None:
    before = open_fds()
    with pytest.raises(KernelError) as caught:
        process.start([name])
    assert (caught.value.errno, caught.value.command, caught.value.object) == (errno.ENOENT, "exec", name)
    assert open_fds() == before


def test_files_that_are_not_programs(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"\0\1\2\3")
    with pytest.raises(KernelError) as caught:
        process.start([str(plain)])
    assert caught.value.errno == errno.EACCES
    with pytest.raises(KernelError) as caught:
        process.start([str(tmp_path)])
    assert caught.value.errno == errno.EACCES
    # Executable, but nothing the kernel can run: known only at exec.
    plain.chmod(0o755)
    with process.start([str(plain)]) as command, pytest.raises(KernelError) as caught:
        command.resume()
    assert caught.value.errno == errno.ENOEXEC and "#!" in caught.value.hint
    assert not process.exists(command.pid)


def test_the_command_gets_default_signals() -> None:
    # SigIgn of /proc/self/status: SIGPIPE is signal 13, bit 12.
    with process.start(
        ["sh", "-c", "test $((0x$(awk '/SigIgn/{print $2}' /proc/self/status) & 0x1000)) -eq 0"]
    ) as it:
        it.resume()
        assert it.wait() == 0


def test_children_and_existence() -> None:
    with process.start(["sleep", "30"]) as command:
        assert command.pid in process.children(os.getpid())
        command.kill()
    assert not process.exists(2**22 + 5) and not process.exists(2**60)

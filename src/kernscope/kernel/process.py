"""Processes: a command that waits before its exec, so that tracing sees it from the first instruction."""

import errno
import os
import signal

from kernscope.kernel.errors import KernelError
from kernscope.kernel.facts import read_text

__all__ = ["Command", "children", "exists", "start"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn, Self


class Command:
    """A started command. It does not exec before `resume`, and ends unseen if we die before that.

    Attributes:
        pid: its process id, the same before and after exec.
        returncode: exit status, or the negated signal number; None while it runs.
        has_copies: whether it has the files of its own that were wanted.
    """

    __slots__ = ("_errors", "_gate", "_pidfd", "arguments", "has_copies", "pid", "returncode")

    def __init__(self, arguments: "Sequence[str]", pid: int, gate: int, errors: int) -> None:
        self.arguments = list(arguments)
        self.pid = pid
        self.returncode: int | None = None
        self.has_copies = False
        self._gate = gate
        self._errors = errors
        self._pidfd = -1

    def resume(self) -> None:
        """Let it exec, and wait until it has.

        Raises:
            KernelError: exec failed (ENOENT, EACCES, ENOEXEC …); the process is gone then.
        """
        if self._gate < 0:
            return
        gate, self._gate = self._gate, -1
        try:
            os.write(gate, b"!")
        except BrokenPipeError:
            pass  # it was killed while it waited; `wait` will tell
        finally:
            os.close(gate)
        # The other end closes on exec: an empty read is success.
        failed = _read_all(self._errors)
        os.close(self._errors)
        self._errors = -1
        if failed:
            self.wait()
            raise KernelError(int(failed), "exec", self.arguments[0])

    def fileno(self) -> int:
        """A pidfd (5.3+): readable when the command has ended. Open until `close`."""
        if self._pidfd < 0:
            self._pidfd = os.pidfd_open(self.pid)
        return self._pidfd

    def poll(self) -> int | None:
        """The return code if it has ended, else None."""
        return self._reap(os.WNOHANG)

    def wait(self) -> int:
        """Wait for its end; the return code."""
        code = self._reap(0)
        return -1 if code is None else code

    def _reap(self, options: int) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:  # someone else reaped it: what it returned is unknown
                self.returncode = -1
                return self.returncode
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def send_signal(self, number: int = signal.SIGTERM) -> None:
        """Signal it if it has not ended."""
        if self.poll() is None:
            try:  # noqa: SIM105
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        self.send_signal(signal.SIGKILL)
        self.wait()

    def close(self) -> None:
        """Give back descriptors. A command that waits for `resume` ends; a running one is left alone."""
        waiting = self._gate >= 0
        for name in ("_gate", "_errors", "_pidfd"):
            fd = getattr(self, name)
            setattr(self, name, -1)
            if fd >= 0:
                os.close(fd)
        if waiting:
            self.wait()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def start(
    arguments: "Sequence[str]",
    environment: "Mapping[str, str] | None" = None,
    *,
    copies: "Sequence[str]" = (),
) -> Command:
    """A child that will run `arguments` once resumed, with copies of its own of some files where that is allowed.

    Raises:
        KernelError: command ``exec`` with ENOENT or EACCES if the program plainly cannot be run.
    """
    if not arguments:
        raise KernelError(errno.ENOENT, "exec", "")
    path = _find_program(arguments[0])
    gate_read, gate_write = os.pipe()
    try:
        errors_read, errors_write = os.pipe()
    except OSError:
        os.close(gate_read)
        os.close(gate_write)
        raise
    pid = -1
    try:
        pid = os.fork()
        if pid == 0:
            _run_child(path, arguments, environment, tuple(copies), gate_read, gate_write, errors_write)
    finally:
        os.close(gate_read)
        os.close(errors_write)
        if pid < 0:
            os.close(gate_write)
            os.close(errors_read)
    command = Command(arguments, pid, gate_write, errors_read)
    command.has_copies = bool(copies) and os.read(errors_read, 1) == _HAS_COPIES
    return command


def _run_child(
    path: str,
    arguments: "Sequence[str]",
    environment: "Mapping[str, str] | None",
    copies: tuple[str, ...],
    gate: int,
    gate_write: int,
    errors: int,
) -> "NoReturn":
    """The child's whole life before exec: no clean-up of the parent's things, no exception out."""
    try:
        os.close(gate_write)
        # Python ignores these; a program expects the default.
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        if copies:
            os.write(errors, _HAS_COPIES if _takes_copies(copies) else b"-")
        if os.read(gate, 1) == b"!":
            os.execve(path, list(arguments), os.environ if environment is None else environment)
    except OSError as error:
        os.write(errors, str(error.errno or errno.EINVAL).encode())
    except BaseException:
        os.write(errors, str(errno.EINVAL).encode())
    finally:
        os._exit(127)


_HAS_COPIES = b"+"


def _takes_copies(copies: tuple[str, ...]) -> bool:
    from kernscope.kernel.private_files import take_copies

    try:
        take_copies(copies)
    except OSError:
        return False
    return True


def _find_program(program: str) -> str:
    """The file that `program` means, found before anything is attached, so that the search is not traced.

    Raises KernelError with ENOENT or EACCES; the rest shows at exec.
    """
    candidates = [program] if "/" in program else [os.path.join(d, program) for d in os.get_exec_path()]
    refused = 0
    for path in candidates:
        if os.path.isfile(path):
            if os.access(path, os.X_OK):
                return path
            refused = errno.EACCES
        elif os.path.isdir(path) and "/" in program:
            refused = errno.EACCES
    raise KernelError(refused or errno.ENOENT, "exec", program)


def _read_all(fd: int) -> bytes:
    parts = []
    while part := os.read(fd, 64):
        parts.append(part)
    return b"".join(parts)


def exists(pid: int) -> bool:
    """Whether a process or thread of this number runs (also of other users)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except OverflowError:
        return False
    return pid > 0


def children(pid: int) -> list[int]:
    """Direct children of `pid`, of all its threads, now (needs CONFIG_PROC_CHILDREN)."""
    found: set[int] = set()
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    for thread in threads:
        found.update(int(child) for child in (read_text(f"/proc/{pid}/task/{thread}/children") or "").split())
    return sorted(found)

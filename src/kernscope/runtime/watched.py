"""The process whose end ends a session: a command that the session starts, or one that runs already."""

import os

from kernscope.runtime.errors import SessionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernscope.kernel.interface import KernelAccess
    from kernscope.kernel.process import Command
    from kernscope.runtime.wait import Waiter

__all__ = ["Watched"]

COMMAND_SECONDS = 1.0
"""How long a command has to end after SIGTERM."""

_SIGTERM = 15


class Watched:
    """At most one command and one process."""

    def __init__(self, command: "Sequence[str] | Command | None", pid: int | None) -> None:
        self._arguments, self._pid = command, pid
        self._command: Command | None = None
        self._pidfd = -1
        self.status: int | None = None
        """Exit status of the command as a shell tells it (128 + signal number), None while it runs."""

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that it watches."""
        command = () if self._command is None else (self._command.pid,)
        return command if self._pid is None else (*command, self._pid)

    @property
    def programs(self) -> "list[str]":
        """The file that the command is going to execute, where that can be told."""
        if self._command is None:
            return []
        name = self._command.arguments[0]
        paths = [name] if "/" in name else [os.path.join(folder, name) for folder in os.get_exec_path()]
        return [path for path in paths if os.access(path, os.X_OK)][:1]

    def start(self, kernel: "KernelAccess", waiter: "Waiter") -> None:
        """Start the command (it waits for `resume`), open the process; their end will wake `waiter`."""
        if isinstance(self._arguments, list | tuple):
            self._command = kernel.start_command(self._arguments)
        else:
            self._command = self._arguments  # type: ignore[assignment]  # a Command, or None
        if self._command is not None:
            waiter.add(self._command.fileno())
        if self._pid is not None:
            try:
                self._pidfd = os.pidfd_open(self._pid)
            except OSError:
                raise SessionError(f"there is no process {self._pid}") from None
            waiter.add(self._pidfd)

    def resume(self) -> None:
        """Let the command go. KernelError if it cannot be executed."""
        if self._command is not None:
            self._command.resume()

    def ended(self, ready: set[int]) -> bool:
        """Whether one of them has ended, given the descriptors that are ready."""
        if self._command is not None and self._command.poll() is not None:
            self._note()
            return True
        return self._pidfd in ready

    def _note(self) -> None:
        code = self._command.returncode if self._command is not None else None
        if code is not None:
            self.status = code if code >= 0 else 128 - code

    def close(self) -> None:
        """A command that outlives the session gets SIGTERM, and SIGKILL if that does not help."""
        import time

        fd, self._pidfd = self._pidfd, -1
        if fd >= 0:
            os.close(fd)
        command = self._command
        if command is None:
            return
        command.close()
        if command.poll() is None:
            command.send_signal(_SIGTERM)
            limit = time.monotonic() + COMMAND_SECONDS
            while command.poll() is None and time.monotonic() < limit:
                time.sleep(0.005)
            if command.poll() is None:
                command.kill()
        self._note()
        self._command = None

"""Waiting for whatever comes first: records, the end of a command or process, a signal, stop()."""

import os
import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType
    from typing import Any

__all__ = ["SignalWatch", "Waiter"]


class Waiter:
    """Wakes up for file descriptors, and for `wake()`, which is safe in signal handlers and other threads."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._wake = -1
        try:
            self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._poll.register(self._wake, select.EPOLLIN)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Readable when there is something to wake up for."""
        return self._poll.fileno()

    def add(self, fd: int) -> None:
        self._poll.register(fd, select.EPOLLIN)

    def add_pipe(self, fd: int) -> None:
        """Wake up when the reader of this pipe goes away."""
        try:  # noqa: SIM105 - contextlib takes long to import
            self._poll.register(fd, 0)  # asked for nothing, epoll tells of errors and of hanging up
        except FileExistsError:
            pass  # several sinks may write to one pipe

    def wake(self) -> None:
        if self._wake >= 0:
            try:  # noqa: SIM105
                os.eventfd_write(self._wake, 1)
            except OSError:
                pass  # another thread has closed it just now

    def wait(self, timeout: float) -> set[int]:
        """The descriptors that are ready after at most `timeout` seconds."""
        ready = {fd for fd, _ in self._poll.poll(timeout)}
        if self._wake in ready:
            os.eventfd_read(self._wake)
        return ready

    def close(self) -> None:
        self._poll.close()
        fd, self._wake = self._wake, -1
        if fd >= 0:
            os.close(fd)


class SignalWatch:
    """Calls `take(number)` for signals, while active; what was installed before comes back after.

    Handlers can only be installed by the main thread; elsewhere this does nothing.
    """

    def __init__(self, take: "Callable[[int], None]") -> None:
        self._take = take
        self._previous: dict[int, Any] = {}

    def watch(self, numbers: "Iterable[int]") -> None:
        import _signal  # type: ignore[import-not-found]  # `signal` makes enumerations of it: 2 ms

        for number in numbers:
            if number in self._previous:
                continue
            try:
                previous = _signal.signal(number, self._handle)
            except ValueError:  # not the main thread
                return
            self._previous[number] = previous

    def _handle(self, number: int, frame: "FrameType | None") -> None:
        self._take(number)

    def close(self) -> None:
        """Put the previous handlers back."""
        import _signal

        previous, self._previous = self._previous, {}
        for number, handler in previous.items():
            # None: it was not installed from Python, and cannot be put back.
            _signal.signal(number, _signal.SIG_DFL if handler is None else handler)

"""Bytes to a file, pipe or terminal, completely or with the error kept."""

import errno
import os

__all__ = ["Writer"]

_KEPT_BYTES = 4 << 20


class Writer:
    """Writes to `out`: a file descriptor, or an object with `write(bytes)`.

    After the first error nothing is written any more: `error` holds it, and `unwritten` what could not be
    written since, up to 4 MiB (`unwritten_bytes` counts all), so that the caller can still save it
    elsewhere.
    """

    __slots__ = ("_fd", "_out", "error", "unwritten", "unwritten_bytes")

    def __init__(self, out: object) -> None:
        self._out = out
        self._fd = out if isinstance(out, int) else -1
        self.error: OSError | None = None
        self.unwritten: list[bytes] = []
        self.unwritten_bytes = 0

    @property
    def pipe_fd(self) -> int:
        """The descriptor, if it is a pipe's, whose reader may go away; -1 otherwise."""
        import stat

        try:
            return self._fd if self._fd >= 0 and stat.S_ISFIFO(os.fstat(self._fd).st_mode) else -1
        except OSError:  # closed: the first write will tell
            return -1

    def reader_gone(self) -> None:
        """Nobody reads the pipe any more: as if a write had told so."""
        self.error = self.error or BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    def write(self, data: bytes) -> None:
        """Write all of `data`, waiting where a slow reader makes that necessary."""
        if not data:
            return
        if self.error is None:
            if self._fd < 0:
                data = self._write_object(data)
            else:
                data = self._write_fd(data)
        if data:
            self._keep(data)

    def _write_object(self, data: bytes) -> bytes:
        try:
            self._out.write(data)  # type: ignore[attr-defined]
        except OSError as error:
            self.error = error
            return data
        return b""

    def _write_fd(self, data: bytes) -> bytes:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    self._wait()
                    continue
                self.error = error
                return bytes(view)
        return b""

    def _wait(self) -> None:
        import select

        select.select([], [self._fd], [], 1.0)

    def _keep(self, data: bytes) -> None:
        room = _KEPT_BYTES - self.unwritten_bytes
        if room > 0:
            self.unwritten.append(data[:room])
        self.unwritten_bytes += len(data)

"""JSON lines in a file, which is rotated by size: `alerts.jsonl`, `alerts.jsonl.1`, …

A line is whole or not there: what a full disk let through of one is taken back.
"""

from __future__ import annotations

import os

from kernscope.detector.private_files import UnsafePath, open_private, private_folder
from kernscope.detector.sinks.base import Setting, Sink, SinkError, SinkKind
from kernscope.detector.sinks.record import alert_object, json_line
from kernscope.detector.sinks.settings import file_path, number, size_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from kernscope.detector.alert import Alert

__all__ = ["KIND", "JsonLinesSink"]


class JsonLinesSink(Sink):
    """Raises UnsafePath, OSError.

    Args:
        path: the file; its folder is made where it is missing.
        max_bytes: how large it may grow; a single line may go beyond.
        keep: how many older files are kept.
    """

    def __init__(self, path: str, *, max_bytes: int = 16 << 20, keep: int = 5) -> None:
        super().__init__(f"the file `{path}`")
        self._path, self._max_bytes, self._keep = path, max_bytes, keep
        self._lines: list[bytes] = []
        self._fd = -1
        self._open()

    def take(self, alert: Alert, incident: int, count: int = 1, number: int = 0) -> None:
        self._lines.append(json_line(alert_object(alert, incident, count, number)) + b"\n")

    def flush(self) -> None:
        """Write what was taken, all lines or those that find room."""
        lines, self._lines = self._lines, []
        while lines:
            try:
                done = self._write(lines)
            except UnsafePath as problem:
                self._fails(len(lines), str(problem))
                return
            except OSError as problem:
                self._fails(len(lines), problem.strerror or str(problem))
                return
            self._works(done)
            lines = lines[done:]

    def close(self) -> None:
        self.flush()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        private_folder(os.path.dirname(self._path))
        self._fd = open_private(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        found = os.fstat(self._fd)
        self._inode, self._bytes = found.st_ino, found.st_size
        if self._bytes and os.pread(self._fd, 1, self._bytes - 1) != b"\n":
            self._bytes += os.write(self._fd, b"\n")  # whoever wrote the line was killed

    def _write(self, lines: list[bytes]) -> int:
        """Write as many lines as fit in the file; how many that were."""
        if self._fd < 0 or not self._is_same():
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
            self._open()
        if self._bytes and self._bytes + len(lines[0]) > self._max_bytes:
            self._rotate()
        end, size = 1, self._bytes + len(lines[0])
        while end < len(lines) and size + len(lines[end]) <= self._max_bytes:
            size += len(lines[end])
            end += 1
        data = b"".join(lines[:end])
        try:
            written = 0
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError:
            if written:
                os.ftruncate(self._fd, self._bytes)
            raise
        self._bytes += len(data)
        return end

    def _is_same(self) -> bool:
        """Whether the file is still the one of this name: others may have rotated it."""
        try:
            return os.stat(self._path, follow_symlinks=False).st_ino == self._inode
        except OSError:
            return False

    def _rotate(self) -> None:
        os.close(self._fd)
        self._fd = -1
        if self._keep == 0:
            os.unlink(self._path)
        for place in range(self._keep, 0, -1):
            older = f"{self._path}.{place - 1}" if place > 1 else self._path
            if os.path.lexists(older):
                os.replace(older, f"{self._path}.{place}")
        self._open()


def _make(values: Mapping[str, object]) -> JsonLinesSink:
    path, max_bytes, keep = values["path"], values["max_size"], values["keep"]
    assert isinstance(path, str) and isinstance(max_bytes, int) and isinstance(keep, int)
    try:
        return JsonLinesSink(path, max_bytes=max_bytes, keep=keep)
    except UnsafePath as problem:
        raise SinkError(str(problem), "path", problem.help) from None
    except OSError as problem:
        raise SinkError(f"cannot write `{path}`: {problem.strerror}", "path") from None


KIND = SinkKind(
    "jsonl",
    "JSON objects in a file, one a line",
    [
        Setting("path", "the file", file_path, needed=True),
        Setting("max_size", "when it is this large, a new one is begun", size_bytes, "16M"),
        Setting("keep", "how many older files are kept: `path.1`, `path.2`, …", number(0, 100), 5),
    ],
    _make,
)

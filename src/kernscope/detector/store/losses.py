"""What could not be stored: a count in a small file beside the database.

The count must survive a SIGKILL while the disk is full. So the file gets its block when there is room, and is then
overwritten in place. Its lock says that one process writes to the store.
"""

from __future__ import annotations

import os
import struct

from kernscope.detector.private_files import UnsafePath, open_private
from kernscope.detector.store.database import StoreError

__all__ = ["LossPage"]

_PAGE = struct.Struct("<8sQQQ")
"""Magic, count, first and last time in ns since 1970."""
_MAGIC = b"KSlosses"


class LossPage:
    """Raises StoreError where another process has it, or it cannot be used.

    Attributes:
        before: what an earlier run left: count, first and last time.
    """

    def __init__(self, store_path: str) -> None:
        import fcntl

        path = store_path + ".lost"
        try:
            self._fd = open_private(path, os.O_RDWR | os.O_CREAT)
        except UnsafePath as problem:
            raise StoreError(f"the store is not safe: {problem}", problem.help) from None
        except OSError as problem:
            raise StoreError(f"cannot open `{path}`: {problem.strerror}") from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._fd)
            raise StoreError(
                f"another detector writes to the store `{store_path}`",
                "stop it, or name another file with `--store FILE`",
            ) from None
        found = os.pread(self._fd, _PAGE.size, 0)
        self.before = (0, 0, 0)
        if len(found) == _PAGE.size and found.startswith(_MAGIC):
            _, count, first_ns, last_ns = _PAGE.unpack(found)
            self.before = (count, first_ns, last_ns)
        self._last = (-1, 0, 0)
        if not self.before[0]:
            self.write(0, 0, 0)

    def write(self, count: int, first_ns: int, last_ns: int) -> None:
        """How many alerts are not in the store that should be. On a full disk this overwrites what is there."""
        if (count, first_ns, last_ns) == self._last:
            return
        try:
            os.pwrite(self._fd, _PAGE.pack(_MAGIC, count, first_ns, last_ns), 0)
        except OSError:
            return  # the count is still told at the end
        self._last = (count, first_ns, last_ns)

    def close(self) -> None:
        os.close(self._fd)

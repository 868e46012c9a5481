"""A kernel object held by a file descriptor."""

import os

__all__ = ["KernelObject"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class KernelObject:
    """Owns `fd`; closing it (or leaving the `with` block) gives the object back to the kernel."""

    __slots__ = ("fd", "name")

    def __init__(self, fd: int, name: str = "") -> None:
        self.fd = fd
        self.name = name

    def fileno(self) -> int:
        return self.fd

    @property
    def closed(self) -> bool:
        return self.fd < 0

    def close(self) -> None:
        """Close the descriptor; again does nothing."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name or '?'} fd={self.fd}>"


def object_name(text: str) -> bytes:
    """`text` as the kernel allows it in a name: at most 15 letters, digits, `_` and `.`."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_.") else "_" for c in text)
    return kept[:15].encode()

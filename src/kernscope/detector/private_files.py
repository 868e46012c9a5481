"""Files that hold alerts: the runner's alone, in folders where nobody else can put or exchange anything.

Names are opened without following links, new files have mode 0600 and new folders 0700.
"""

from __future__ import annotations

import os
import stat

__all__ = ["UnsafePath", "open_private", "private_folder", "state_folder"]

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class UnsafePath(Exception):
    """Others could read, replace or redirect the file; the message says how, `help` what to do."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help


def state_folder() -> str:
    """Where alerts are kept by default: /var/lib/kernscope for root, else in $XDG_STATE_HOME or ~/.local/state.

    (XDG Base Directory Specification 0.8.)
    """
    if os.geteuid() == 0:
        return "/var/lib/kernscope"
    base = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(base, "kernscope")


def private_folder(path: str, *, create: bool = True) -> None:
    """Make sure that a folder exists and that nobody but its owner, who is us or root, can change it.

    Raises UnsafePath, OSError.
    """
    path = path or "."
    if create:
        os.makedirs(path, mode=0o700, exist_ok=True)
    found = os.stat(path)
    help = "choose a folder of your own, by default " + state_folder()
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafePath(f"`{path}` is no folder", help)
    if found.st_uid not in (0, os.geteuid()):
        raise UnsafePath(f"the folder `{path}` belongs to another user", help)
    if found.st_mode & _WRITABLE_BY_OTHERS:
        raise UnsafePath(f"others may write to the folder `{path}`", f"{help}, or `chmod go-w` it")


def open_private(path: str, flags: int) -> int:
    """A descriptor of a regular file that is ours alone; created with mode 0600 where `flags` say so.

    Raises UnsafePath, OSError.
    """
    more = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    try:
        fd = os.open(path, flags | more, 0o600)
    except OSError:
        if os.path.islink(path):
            raise UnsafePath(f"`{path}` is a link", "name the file itself") from None
        raise
    found = os.fstat(fd)
    wrong = ""
    if not stat.S_ISREG(found.st_mode):
        wrong = "is no regular file"
    elif found.st_uid not in (0, os.geteuid()):
        wrong = "belongs to another user"
    elif found.st_nlink > 1:
        wrong = "has another name too (a hard link)"
    if wrong:
        os.close(fd)
        raise UnsafePath(f"`{path}` {wrong}", "remove it, or choose another name")
    if found.st_mode & 0o077 and flags & os.O_ACCMODE != os.O_RDONLY and found.st_uid == os.geteuid():
        os.fchmod(fd, 0o600)
    return fd

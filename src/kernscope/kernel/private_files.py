"""Files of a command's own: it and all that descend from it find copies of some files in the place of these.

A probe in a library is met by every process that has it mapped, and a trap costs microseconds. The copy is a file of
its own, so that a probe in it is met by nobody else, while whatever the command starts has it too. The copies are in
the memory of a mount namespace that belongs to the command, and go with it (mount_namespaces(7)).
"""

import os

from kernscope.kernel.syscall import Buffer, syscall
from kernscope.tables.syscalls import numbers

__all__ = ["take_copies"]

_CLONE_NEWNS = 0x20000
_MS_BIND, _MS_REC, _MS_SLAVE = 0x1000, 0x4000, 0x80000
_MNT_DETACH = 2
_PLACES = ("/mnt", "/tmp", "/run", "/")
"""Folders one of which is covered while copies are made."""


def take_copies(paths: "tuple[str, ...]") -> None:
    """In the child, before it becomes the command. What is mounted later outside is seen, what it mounts itself is not.

    Raises OSError: the kernel, or whoever set up this container, does not allow it.
    """
    _do("unshare", _CLONE_NEWNS)
    _mount("", "/", "", _MS_REC | _MS_SLAVE)
    # One of them may be where the folder below is covered.
    wanted = [(os.open(path, os.O_PATH | os.O_CLOEXEC), os.stat(path), _content(path)) for path in paths]
    place = next(path for path in _PLACES if os.path.isdir(path))
    _mount("tmpfs", place, "tmpfs", 0)
    for number, (target, status, content) in enumerate(wanted):
        copy = f"{place}/{number}"
        with open(copy, "wb") as file:
            file.write(content)
        os.chmod(copy, status.st_mode & 0o7777)
        os.chown(copy, status.st_uid, status.st_gid)
        _mount(copy, f"/proc/self/fd/{target}", "", _MS_BIND)
        os.close(target)
    covered = _text(place)
    _do("umount2", covered.address, _MNT_DETACH)


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _mount(source: str, target: str, type: str, flags: int) -> None:
    texts = [_text(text) for text in (source or "none", target, type or "none")]
    _do("mount", *[text.address for text in texts], flags, 0)


def _text(text: str) -> Buffer:
    return Buffer(os.fsencode(text) + b"\0")


def _do(name: str, *arguments: int) -> None:
    result = syscall(numbers(os.uname().machine)[name], *arguments)
    if result < 0:
        raise OSError(-result, os.strerror(-result))

"""Files that commands write: whole, or not at all."""

import os

from kernscope.cli.terminal import write_bytes

__all__ = ["write_file"]


def write_file(path: str, data: bytes) -> None:
    """A reader never finds half a file, and where there is no room what was there before stays.

    What is no file, such as a device or a pipe, is written to: it must not become one. Raises OSError.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        _fill(target, os.O_WRONLY | os.O_CLOEXEC, data)
        return
    partial = f"{target}.{os.getpid()}.part"
    try:
        _fill(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, data)
        if os.path.exists(target):
            os.chmod(partial, os.stat(target).st_mode & 0o7777)
        os.replace(partial, target)
    except BaseException:
        if os.path.exists(partial):
            os.unlink(partial)
        raise


def _fill(path: str, flags: int, data: bytes) -> None:
    fd = os.open(path, flags, 0o666)
    try:
        write_bytes(data, fd)
    finally:
        os.close(fd)

"""Compiled programs kept in the cache folder: large ones that are run again and again, as the detector's.

What is kept is found by the program's text and by the code that compiled it; whether it fits this kernel is checked
where it is loaded.
"""

import os
from hashlib import sha256

from kernscope.kernel.cache import keep_newest, read_cached, write_cached

__all__ = ["keep_program", "kept_program", "program_key"]

_PREFIX, _SUFFIX = "program-", ".ks"
MOST_KEPT = 8


def program_key(text: str, version: str) -> str:
    """The name under which a program is kept."""
    digest = sha256(f"{version}\0{_code_stamp()}\0".encode())
    digest.update(text.encode("utf-8", "surrogateescape"))
    return f"{_PREFIX}{digest.hexdigest()[:32]}{_SUFFIX}"


def _code_stamp() -> str:
    """Sizes and times of our own files: who changes the compiler must not meet what it made before."""
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    total, newest = 0, 0
    folders = [top]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != "__pycache__":
                        folders.append(entry.path)
                elif entry.name.endswith(".py"):
                    found = entry.stat()
                    total, newest = total + found.st_size, max(newest, found.st_mtime_ns)
    return f"{total} {newest}"


def kept_program(key: str) -> bytes | None:
    """What was kept, or None."""
    return read_cached(key)


def keep_program(key: str, content: bytes) -> None:
    """Keep it; what was kept longest ago makes room."""
    if write_cached(key, content):
        keep_newest(_PREFIX, _SUFFIX, MOST_KEPT)

"""Programs and libraries as people name them: by path, as the shell finds commands, as the linker finds libraries.

With a process they are those that the process sees: its mount namespace is below /proc/PID/root, so that a container's
files need no entering of it. Files that were deleted are reached by what the process still has mapped.

Source of the cache's layout: glibc's sysdeps/generic/dl-cache.h (`struct cache_file_new`).
"""

import os
from struct import Struct, error

__all__ = ["UserPath", "find_user_files", "map_file"]

_CACHE = "/etc/ld.so.cache"
_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_CACHE_HEADER = Struct("<20sII20x")
_CACHE_ENTRY = Struct("<iIIIQ")
"""flags, where the name and the path are, version, hardware"""
_CACHE_KINDS = (0x0303, 0x0A03)
"""Flags of 64-bit libraries for glibc: x86-64, AArch64."""

_LIBRARY_FOLDERS = ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")
_COMMAND_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_MOST_FILES = 10_000


class UserPath:
    """A file as it is named for people (`path`), and where it is opened from here (`opened`)."""

    __slots__ = ("opened", "path")

    def __init__(self, path: str, opened: str) -> None:
        self.path, self.opened = path, opened

    def __repr__(self) -> str:
        return f"UserPath({self.path!r}, {self.opened!r})"


def find_user_files(text: str, pid: int = 0) -> list[UserPath]:
    """The files that `text` names: a path, perhaps with wildcards, the name of a command or of a library.

    Args:
        text: with a `/`, a path; `*` alone, everything that the process has mapped, or without a process all commands
            and libraries; else a name.
        pid: whose files; 0 for those that we see ourselves.

    Raises:
        OSError: there is no such process, or it is not ours to look into.
    """
    root = _root(pid)
    if text == "*":
        return [
            UserPath(path, opened) for path, opened in (_mapped(pid, root) if pid else _installed()).items()
        ]
    if "/" in text:
        return _by_path(text, pid, root)
    found = _mapped_library(text, pid, root) if pid else []
    return found or _command(text, pid, root) or _library(text, root)


def map_file(path: str) -> memoryview:
    """A file's content, mapped. OSError where it cannot be read."""
    import mmap

    with open(path, "rb", buffering=0) as file:
        try:
            return memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
        except ValueError:  # it is empty
            return memoryview(b"")


def _root(pid: int) -> str:
    """What stands before a path of the process; empty where it sees what we see."""
    if not pid:
        return ""
    theirs = os.stat(f"/proc/{pid}/root/")
    ours = os.stat("/")
    same_root = (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)
    try:
        same_mounts = os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
    except OSError:
        same_mounts = False
    return "" if same_root and same_mounts else f"/proc/{pid}/root"


def _by_path(text: str, pid: int, root: str) -> list[UserPath]:
    absolute = text
    if not text.startswith("/"):
        folder = os.readlink(f"/proc/{pid}/cwd") if pid else os.getcwd()
        absolute = os.path.join(folder, text.removeprefix("./"))
    exact = root + absolute
    if pid:
        # Mapped files have no symbolic links in their paths; in another root, ours cannot follow them.
        meant = (os.path.normpath(absolute), "" if root else os.path.realpath(absolute))
        for mapped, opened in _mapped(pid, root).items():
            if mapped in meant:  # it may have been deleted or replaced since: what runs counts
                return [UserPath(text, opened)]
    if os.path.exists(exact):
        return [UserPath(text, exact)]
    if not any(c in text for c in "*?["):
        return []
    from glob import escape, iglob  # loads `re`

    found = []
    here = "./" if text.startswith("./") else ""
    before = len(exact) - len(text) + len(here)
    for path in iglob(escape(root) + absolute, recursive=True):
        if os.path.isfile(path):
            found.append(UserPath(here + path[before:], path))
            if len(found) >= _MOST_FILES:
                break
    return sorted(found, key=lambda file: file.path)


def _mapped(pid: int, root: str) -> dict[str, str]:
    """Every file of which a process has code mapped, and where it is opened from here."""
    from kernscope.kernel.mappings import read_mappings

    found: dict[str, str] = {}
    for mapping in read_mappings(pid):
        if mapping.path.startswith("/") and mapping.path not in found:
            opened = root + mapping.path
            try:
                there = os.stat(opened).st_ino == mapping.inode
            except OSError:
                there = False
            found[mapping.path] = (
                opened if there else f"/proc/{pid}/map_files/{mapping.start:x}-{mapping.end:x}"
            )
    return found


def _installed() -> dict[str, str]:
    """All commands in PATH and all libraries of the linker's cache, each file under one name."""
    found: dict[str, str] = {}
    seen = set()
    folders = [folder for folder in os.environ.get("PATH", "").split(":") if folder.startswith("/")]
    paths = []
    for folder in folders or _COMMAND_FOLDERS:
        try:
            paths += [entry.path for entry in os.scandir(folder) if entry.is_file()]
        except OSError:
            continue
    for path in (*sorted(paths), *(path for _, path in _cached_libraries(_CACHE))):
        try:
            status = os.stat(path)
        except OSError:
            continue
        key = status.st_dev, status.st_ino
        if key not in seen:
            seen.add(key)
            found[path] = path
    return found


def _mapped_library(name: str, pid: int, root: str) -> list[UserPath]:
    """The library, or the program, that a process really uses, whatever the linker's cache says now."""
    for path, opened in _mapped(pid, root).items():
        file = os.path.basename(path)
        if file == name or _is_library(file, name):
            return [UserPath(path, opened)]
    return []


def _is_library(file: str, name: str) -> bool:
    """`libc.so.6` is called `libc`, `libc.so` and `libc.so.6`."""
    return file == name or (".so" in file and file.startswith((f"{name}.", f"{name}-")) and "lib" in name)


def _command(name: str, pid: int, root: str) -> list[UserPath]:
    folders: list[str] | tuple[str, ...] = _COMMAND_FOLDERS
    if not pid:
        folders = [f for f in os.environ.get("PATH", "").split(":") if f] or _COMMAND_FOLDERS
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.isfile(root + path) and os.access(root + path, os.X_OK):
            return [UserPath(path, root + path)]
    return []


def _library(name: str, root: str) -> list[UserPath]:
    """As the run-time linker finds it: by its cache, else in its usual folders."""
    for library, path in _cached_libraries(root + _CACHE):
        if _is_library(library, name) and os.path.exists(root + path):
            return [UserPath(_real(path, root), root + path)]
    for folder in _LIBRARY_FOLDERS:
        for deeper in (folder, *_architecture_folders(root, folder)):
            try:
                names = sorted(os.listdir(root + deeper))
            except OSError:
                continue
            for file in names:
                if _is_library(file, name) and os.path.isfile(f"{root}{deeper}/{file}"):
                    return [UserPath(f"{deeper}/{file}", f"{root}{deeper}/{file}")]
    return []


def _real(path: str, root: str) -> str:
    """The file itself, where links lead to it; a container's links are not followed: they lead elsewhere here."""
    return path if root else os.path.realpath(path)


def _architecture_folders(root: str, folder: str) -> list[str]:
    machine = os.uname().machine
    return [path for path in (f"{folder}/{machine}-linux-gnu", f"{folder}/{machine}-linux-musl")
            if os.path.isdir(root + path)]  # fmt: skip


def _cached_libraries(path: str) -> list[tuple[str, str]]:
    """(name, path) of the 64-bit libraries in the linker's cache, in its order; empty if there is none."""
    try:
        with open(path, "rb", buffering=0) as file:
            content = file.read()
        start = content.index(_CACHE_MAGIC)
        _, count, _ = _CACHE_HEADER.unpack_from(content, start)
        found = []
        for i in range(min(count, len(content) // _CACHE_ENTRY.size)):
            at = start + _CACHE_HEADER.size + i * _CACHE_ENTRY.size
            flags, name, where, _, _ = _CACHE_ENTRY.unpack_from(content, at)
            if flags in _CACHE_KINDS:
                found.append((_text(content, start + name), _text(content, start + where)))
    except (OSError, ValueError, error):
        return []
    return found


def _text(content: bytes, at: int) -> str:
    return content[at : content.index(b"\0", at)].decode("utf-8", "surrogateescape")

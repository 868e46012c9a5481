"""What processes have mapped: proc(5) /proc/PID/maps and /proc/PID/map_files."""

import os
import stat
from _thread import allocate_lock  # `threading` costs 5 ms to import

__all__ = [
    "FileContent",
    "Mapping",
    "mapping_at",
    "namespace_pid",
    "open_mapped_file",
    "open_regular",
    "read_mappings",
    "read_memory",
    "start_time",
    "user_ids",
]

MOST_PART_BYTES = 1 << 29
"""Of a file that are read at once; a hostile one may claim any size without having it."""


class Mapping:
    """One line of /proc/PID/maps. `path` is empty for memory without a file, `[vdso]` and the like for others."""

    __slots__ = ("device", "end", "inode", "offset", "path", "start")

    def __init__(self, start: int, end: int, offset: int, device: str, inode: int, path: str) -> None:
        self.start, self.end, self.offset = start, end, offset
        self.device, self.inode, self.path = device, inode, path


def read_mappings(pid: int) -> list[Mapping]:
    """The executable mappings of a process, by address; OSError if it is gone or not ours to see."""
    with open(f"/proc/{pid}/maps", "rb", buffering=0) as file:
        text = file.read().decode("utf-8", "surrogateescape")
    found = []
    for line in text.splitlines():
        where, permissions, offset, device, inode, *path = line.split(maxsplit=5)
        if "x" in permissions:
            start, _, end = where.partition("-")
            name = path[0].removesuffix(" (deleted)") if path else ""
            found.append(Mapping(int(start, 16), int(end, 16), int(offset, 16), device, int(inode), name))
    return found


def mapping_at(pid: int, start: int, end: int, offset: int) -> Mapping | None:
    """The mapping that lies exactly there; None if the process has it no more. Costs less than reading all."""
    try:
        path = os.readlink(f"/proc/{pid}/map_files/{start:x}-{end:x}").removesuffix(" (deleted)")
        return Mapping(start, end, offset, "", 0, path)
    except OSError:  # no file, or we may not see it there
        pass
    try:
        found = [one for one in read_mappings(pid) if (one.start, one.end) == (start, end)]
    except (OSError, ValueError):
        return None
    return found[0] if found else None


def start_time(pid: int) -> str:
    """When a process started, in clock ticks since boot: with its pid it names it for ever. "" if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return ""


class FileContent:
    """The bytes of a file, read where they are asked for: a file that is mapped and then cut short by its owner would
    end us by a signal.

    Opened by the first of `paths` that can be. After `park` it is opened anew for every read, as long as one of the
    paths still leads to the same file. Slices are memoryviews. Safe to use from several threads.
    """

    __slots__ = ("_fd", "_lock", "_paths", "identity", "size")

    def __init__(self, *paths: str) -> None:
        self._paths, self._lock = paths, allocate_lock()
        self.identity: tuple[int, ...] = ()
        self._fd, self.identity = self._open()
        self.size = self.identity[2]

    def _open(self) -> tuple[int, tuple[int, ...]]:
        failure: OSError | None = None
        for path in self._paths:
            try:
                fd = open_regular(path)
            except OSError as problem:
                failure = problem
                continue
            status = os.fstat(fd)
            identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            if not self.identity or identity == self.identity:
                return fd, identity
            os.close(fd)
        raise failure or FileNotFoundError(f"{self._paths[-1]} is another file by now")

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> memoryview:
        start, stop, _ = part.indices(self.size)
        if stop - start > MOST_PART_BYTES:
            raise OSError("a part of the file is larger than what is read of one")
        with self._lock:
            fd = self._fd if self._fd >= 0 else self._open()[0]
            try:
                return memoryview(os.pread(fd, max(0, stop - start), start))
            finally:
                if self._fd < 0:
                    os.close(fd)

    def park(self) -> None:
        """Close the file until it is read again."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            os.close(self._fd)


def open_regular(path: str, *, follow: bool = True) -> int:
    """A descriptor to read a file with. OSError for what is none: a pipe in its place would keep us waiting, and merely
    to open a device may start something. Unless `follow`, links in its place are none either.
    """
    place = os.open(path, os.O_PATH | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    try:
        if not stat.S_ISREG(os.fstat(place).st_mode):
            raise OSError(f"{path} is not a file")
        return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    finally:
        os.close(place)


def open_mapped_file(pid: int, mapping: Mapping) -> FileContent:
    """The file behind a mapping, as the process sees it, even if it was deleted. OSError if it cannot be read."""
    return FileContent(
        f"/proc/{pid}/map_files/{mapping.start:x}-{mapping.end:x}",
        f"/proc/{pid}/root{mapping.path}",
        mapping.path,
    )


def namespace_pid(pid: int) -> int:
    """What a process is called in its own pid namespace; `pid` itself where that cannot be told."""
    return (_status(pid, b"NSpid:") or [pid])[-1]


def user_ids(pid: int) -> list[int]:
    """The real, effective, saved and file system user of a process; empty where they cannot be told."""
    return _status(pid, b"Uid:")


def _status(pid: int, name: bytes) -> list[int]:
    """The numbers of a line of /proc/PID/status."""
    try:
        with open(f"/proc/{pid}/status", "rb", buffering=0) as file:
            for line in file.read().splitlines():
                if line.startswith(name):
                    return list(map(int, line.split()[1:]))
    except (OSError, ValueError):
        pass
    return []


def read_memory(pid: int, start: int, size: int) -> bytes:
    """Memory of a process. OSError if it cannot be read."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        file.seek(start)
        return file.read(size)

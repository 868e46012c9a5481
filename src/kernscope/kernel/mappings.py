"""What processes have mapped: proc(5) /proc/PID/maps and /proc/PID/map_files."""

__all__ = ["Mapping", "read_mapped_file", "read_mappings", "read_memory", "start_time"]


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


def start_time(pid: int) -> str:
    """When a process started, in clock ticks since boot: with its pid it names it for ever. "" if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return ""


def read_mapped_file(pid: int, mapping: Mapping) -> memoryview:
    """The file behind a mapping, as the process sees it, even if it was deleted. OSError if it cannot be read."""
    import mmap

    paths = (
        f"/proc/{pid}/map_files/{mapping.start:x}-{mapping.end:x}",
        f"/proc/{pid}/root{mapping.path}",
        mapping.path,
    )
    failure: OSError | ValueError | None = None
    for path in paths:
        try:
            with open(path, "rb", buffering=0) as file:
                return memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
        except (OSError, ValueError) as problem:  # ValueError: an empty file
            failure = problem
    raise OSError(str(failure))


def read_memory(pid: int, start: int, size: int) -> bytes:
    """Memory of a process. OSError if it cannot be read."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        file.seek(start)
        return file.read(size)

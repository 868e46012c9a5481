"""What /proc tells of processes: for those that were there before watching began, and for what no event carries.

Everything here races with the processes: each function gives None, or an empty value, where a process is gone.
Layouts: proc(5), Documentation/filesystems/proc.rst.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ProcessFacts",
    "boot_offset_ns",
    "children_of_all",
    "link",
    "parent_of",
    "pids",
    "read_file",
    "read_process",
    "start_of",
    "status_of",
]

_LONGEST = 1 << 20
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_UNSET = 0xFFFF_FFFF


class ProcessFacts:
    """One process.

    Attributes:
        start_ns: when it started, in nanoseconds since boot, exact to a clock tick.
        arguments: its command line; empty for kernel threads.
        exe, cwd: paths; empty where they cannot be read.
        loginuid: -1 for nobody.
        tty: the device number of its terminal, 0 for none.
    """

    __slots__ = (
        *("arguments", "comm", "cwd", "exe", "gid", "loginuid", "pgid", "pid", "ppid", "sid", "start_ns"),
        *("tty", "uid"),
    )

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ppid = self.pgid = self.sid = self.tty = self.start_ns = self.uid = self.gid = 0
        self.loginuid = -1
        self.comm = self.exe = self.cwd = ""
        self.arguments: list[str] = []


def boot_offset_ns() -> int:
    """What must be added to nanoseconds since boot to get nanoseconds since 1970."""
    import time

    return time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def pids() -> "Iterator[int]":
    """All processes that there are."""
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in names:
        if name.isdigit():
            yield int(name)


def read_file(pid: int, name: str) -> bytes | None:
    """A file of a process, at most 1 MiB of it."""
    try:
        descriptor = os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        parts = []
        while part := os.read(descriptor, _LONGEST):
            parts.append(part)
            if len(part) >= _LONGEST:
                break
        return b"".join(parts)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def link(pid: int, name: str) -> str | None:
    """What a link of a process (`exe`, `cwd`, `fd/0`) points to."""
    try:
        return os.readlink(f"/proc/{pid}/{name}")
    except OSError:
        return None


def _stat(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat behind the name, which may itself hold parentheses and blanks."""
    text = read_file(pid, "stat")
    if not text or b")" not in text:
        return None
    return text[text.rindex(b")") + 2 :].split()


def start_of(pid: int) -> int | None:
    """When it started, in nanoseconds since boot."""
    fields = _stat(pid)
    return int(fields[19]) * _TICK_NS if fields is not None and len(fields) > 19 else None


def parent_of(pid: int) -> int | None:
    """Its parent now."""
    fields = _stat(pid)
    return int(fields[1]) if fields is not None and len(fields) > 1 else None


def status_of(pid: int) -> dict[str, str]:
    """The lines of /proc/PID/status: `VmRSS` → `1024 kB`."""
    text = (read_file(pid, "status") or b"").decode("utf-8", "surrogateescape")
    found = {}
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            found[name] = value.strip()
    return found


def children_of_all() -> dict[int, list[int]]:
    """Each process's children."""
    found: dict[int, list[int]] = {}
    for pid in pids():
        fields = _stat(pid)
        if fields is not None and len(fields) > 1:
            found.setdefault(int(fields[1]), []).append(pid)
    return found


def read_process(pid: int) -> ProcessFacts | None:
    """All of it; None where there is no such process."""
    fields = _stat(pid)
    if fields is None or len(fields) < 20:
        return None
    facts = ProcessFacts(pid)
    facts.ppid, facts.pgid, facts.sid, facts.tty = (int(field) for field in fields[1:5])
    facts.start_ns = int(fields[19]) * _TICK_NS
    facts.comm = (read_file(pid, "comm") or b"").rstrip(b"\n").decode("utf-8", "surrogateescape")
    line = (read_file(pid, "cmdline") or b"").decode("utf-8", "surrogateescape")
    facts.arguments = line.rstrip("\0").split("\0") if line.strip("\0") else []
    facts.exe = link(pid, "exe") or ""
    facts.cwd = link(pid, "cwd") or ""
    try:
        owner = os.stat(f"/proc/{pid}")
        facts.uid, facts.gid = owner.st_uid, owner.st_gid
    except OSError:
        pass
    login = (read_file(pid, "loginuid") or b"").strip()
    facts.loginuid = int(login) if login.isdigit() and int(login) != _UNSET else -1
    return facts

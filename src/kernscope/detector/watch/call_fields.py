"""Fields about what a call did: families `evt`, `fd`, `fs`."""

from __future__ import annotations

import os
import stat

from kernscope.detector.watch.live_event import LiveEvent
from kernscope.detector.watch.targets import target_process
from kernscope.tables.syscalls.calls import STRINGS
from kernscope.tables.syscalls.number_text import number_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kernscope.detector.watch.calls import WatchedCall
    from kernscope.detector.watch.processes import Process

__all__ = [
    "CALL_DOTTED",
    "CALL_FIELDS",
    "CALL_INDEXED",
    "MODE_NAMES",
    "OPENS",
    "argument_place",
    "type_of_mode",
]

_REGISTERS = 6
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
OPENS = ("open", "openat", "openat2", "creat", "open_by_handle_at")
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp", 255: "raw"}
_STREAM, _DATAGRAM, _RAW = 1, 2, 3
_TYPE_PROTOCOLS = {_STREAM: "tcp", _DATAGRAM: "udp", _RAW: "raw"}
_SERVER_SIDE = ("accept", "accept4", "bind", "listen")
_CATEGORIES = {
    "file": (
        *(*OPENS, "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink"),
        *(
            "unlinkat",
            "mkdir",
            "mkdirat",
            "rmdir",
            "chmod",
            "fchmod",
            "fchmodat",
            "chown",
            "fchown",
            "fchownat",
        ),
    ),
    "net": (
        "connect",
        "bind",
        "listen",
        "accept",
        "accept4",
        "sendto",
        "sendmsg",
        "socket",
        "recvfrom",
        "recvmsg",
    ),
    "process": ("execve", "execveat", "clone", "clone3", "fork", "vfork", "procexit"),
    "memory": ("mmap", "mprotect", "munmap", "brk", "memfd_create"),
    "signal": ("kill", "tkill", "tgkill"),
    "user": ("setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid"),
    "ipc": ("pipe", "pipe2"),
}
_CATEGORY_OF = {name: category for category, names in _CATEGORIES.items() for name in names}
_READS = ("read", "readv", "pread64", "preadv", "preadv2", "recvfrom", "recvmsg", "recvmmsg")
_WRITES = ("write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg")
_ABOUT_PROCESSES = (
    *("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "ptrace", "process_vm_readv"),
    *("process_vm_writev", "pidfd_open", "prlimit64", "kcmp"),
)
"""Calls whose first process number says whom they are done to."""
_ALIASES = {
    "path": ("filename", "pathname", "dir_name", "name"),
    "name": ("filename", "pathname", "uname"),
    "oldpath": ("oldname",),
    "newpath": ("newname",),
    "target": ("oldname",),
    "linkpath": ("newname",),
    "request": ("request",),
    "signal": ("sig",),
    "dev": ("dev_name",),
    "dir": ("dir_name",),
    "domain": ("family",),
    "flags": ("unshare_flags", "clone_flags"),
    "nstype": ("flags",),
}
"""Falco's names of arguments → those of the kernel."""


def _flags(event: LiveEvent) -> int | None:
    value = event.raw.get("flags")
    return value if isinstance(value, int) else None


def _opens(event: LiveEvent, test: Callable[[int], bool]) -> bool:
    flags = _flags(event)
    return event.type in OPENS and flags is not None and test(flags)


def _created(event: LiveEvent) -> bool:
    """Whether the file was not there before; of operations of io_uring, whether it may have been made."""
    made = _opens(event, lambda flags: bool(flags & os.O_CREAT))
    return made and bool(event.raw.get("created", True))


def _created_executable(event: LiveEvent) -> bool:
    index = {"open": 2, "openat": 3, "creat": 1}.get(event.type)
    if index is None or index >= len(event.arguments):
        return False
    return _opens(event, lambda flags: bool(flags & os.O_CREAT)) and bool(event.arguments[index] & 0o111)


def type_of_mode(mode: int, family: int = 0, path: str = "") -> tuple[str, str] | None:
    """The type of a descriptor and its character, by `i_mode`, the socket's family and the path."""
    if stat.S_ISSOCK(mode):
        return {_AF_INET: ("ipv4", "4"), _AF_INET6: ("ipv6", "6"), _AF_UNIX: ("unix", "u")}.get(family)
    if stat.S_ISDIR(mode):
        return "directory", "d"
    if stat.S_ISFIFO(mode):
        return "pipe", "p"
    if path.startswith(("memfd:", "/memfd:")):
        return "memfd", "m"
    if stat.S_ISREG(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        return "file", "f"
    return None


def _type(event: LiveEvent, which: int) -> object:
    mode, family = event.raw.get("mode"), event.raw.get("family", 0)
    if not isinstance(mode, int) or not isinstance(family, int):
        return None
    found = type_of_mode(mode, family, str(event.raw.get("path", "")))
    return found[which] if found is not None else None


def _number(event: LiveEvent) -> object:
    if event.call is None:
        return None
    if event.type in (*OPENS, "accept", "accept4", "socket", "memfd_create", "dup"):
        return event.result
    for argument, value in zip(event.call.arguments, event.arguments):
        if argument.kind == "fd":
            return value if value < 1 << 31 else (value & 0xFFFF_FFFF) - (1 << 32)
    return None


def _has_file(event: LiveEvent) -> bool:
    return "mode" in event.raw or event.type in OPENS


def _name(event: LiveEvent) -> object:
    raw = event.raw
    if "rip" in raw or "lip" in raw:
        near = f"{raw.get('lip', '')}:{raw.get('lport', 0)}"
        far = f"{raw.get('rip', '')}:{raw.get('rport', 0)}"
        if event.type in ("bind", "listen"):
            return near
        return f"{far}->{near}" if event.type in _SERVER_SIDE else f"{near}->{far}"
    return raw.get("path") or None if _has_file(event) else None


def _file_name(event: LiveEvent) -> str | None:
    value = _name(event)
    return value if isinstance(value, str) and "rip" not in event.raw and "lip" not in event.raw else None


def _end(near_is_client: bool, what: str) -> Callable[[LiveEvent], object]:
    """The client's or the server's `ip` or `port`: who connects is the client, who accepts the server."""

    def get(event: LiveEvent) -> object:
        serving = event.type in _SERVER_SIDE
        side = "l" if near_is_client is not serving else "r"
        return event.raw.get(f"{side}{what}")

    return get


def _protocol(event: LiveEvent) -> object:
    if event.raw.get("family") not in (_AF_INET, _AF_INET6):
        return None
    number = event.raw.get("protocol")
    found = _PROTOCOLS.get(number) if isinstance(number, int) else None
    type = event.raw.get("socket_type")
    return found or (_TYPE_PROTOCOLS.get(type) if isinstance(type, int) else None)


def _family(event: LiveEvent) -> object:
    return {_AF_UNIX: "unix", _AF_INET: "ip", _AF_INET6: "ip"}.get(event.raw.get("family"))  # type: ignore[call-overload]


def _mode_text(value: int) -> str:
    """`S_ISUID|S_IRUSR`, so that rules can look for a bit by name."""
    names = [name for name in MODE_NAMES if value & getattr(stat, name)]
    return "|".join(names) or "0"


MODE_NAMES = (
    *("S_ISUID", "S_ISGID", "S_ISVTX", "S_IRUSR", "S_IWUSR", "S_IXUSR", "S_IRGRP", "S_IWGRP", "S_IXGRP"),
    *("S_IROTH", "S_IWOTH", "S_IXOTH"),
)


def _argument_text(event: LiveEvent, name: str) -> object:
    """An argument by the kernel's name, Falco's, or its place."""
    call = event.call
    if name == "res":
        return event.result_text
    if name == "flags" and "flags" in event.raw:
        return number_text("open_flags", _flags(event) or 0)
    if call is None:
        texts = event.raw.get("texts")
        return texts.get(name) if isinstance(texts, dict) else None
    place = argument_place(call, name)
    return _text_of(event, place) if place is not None and place < len(event.arguments) else None


def argument_place(call: WatchedCall, name: str) -> int | None:
    """Which of the six registers an argument is in, by its name, one of Falco's for it, or its number."""
    arguments = call.arguments[:_REGISTERS]
    if name.isdigit():
        return int(name) if int(name) < len(arguments) else None
    # The kernel's own name first: setxattr has a `pathname` and a `name`.
    for wanted in (name, *_ALIASES.get(name, ())):
        for place, argument in enumerate(arguments):
            if argument.name == wanted:
                return place
    return None


def _text_of(event: LiveEvent, place: int) -> object:
    call = event.call
    assert call is not None
    argument, value = call.arguments[place], event.arguments[place]
    texts = event.raw.get("texts")
    if argument.kind == "path":
        keys = [n for n, other in enumerate(call.arguments) if other.kind == "path"]
        key = "path" if len(keys) == 1 else ("source", "target")[min(keys.index(place), 1)]
        return event.raw.get(f"{key}_raw") or event.raw.get(key)
    if argument.kind in STRINGS:
        return texts.get(argument.name) if isinstance(texts, dict) else None
    if argument.length or argument.in_memory:
        return hex(value)
    if argument.kind == "select":  # depends on another argument
        return str(value)
    return _mode_text(value) if argument.kind in ("mode", "file_mode") else number_text(argument.kind, value)


def _raw_argument(event: LiveEvent, name: str) -> object:
    call = event.call
    if call is None:
        return None
    place = argument_place(call, name)
    if place is None or place >= len(event.arguments):
        return None
    value = event.arguments[place]
    return value if value < 1 << 63 else value - (1 << 64)


def _all_arguments(event: LiveEvent) -> object:
    if event.call is None:
        return None
    found = [f"res={event.result_text if event.result < 0 else event.result}"]
    for place, argument in enumerate(event.call.arguments[: len(event.arguments)]):
        found.append(f"{argument.name}={_text_of(event, place)}")
    return " ".join(found)


def _target_pid(event: LiveEvent) -> int | None:
    """The process that the call names, as the caller's namespace numbers it."""
    if event.call is None or event.type not in _ABOUT_PROCESSES:
        return None
    for argument, value in zip(event.call.arguments, event.arguments):
        if argument.kind == "pid":
            pid = value & 0xFFFF_FFFF
            return pid if 0 < pid < 1 << 31 else None
    return None


def _target(what: Callable[[Process], object]) -> Callable[[LiveEvent], object]:
    def get(event: LiveEvent) -> object:
        pid = _target_pid(event)
        process = target_process(event.tree, event.process, pid) if pid is not None else None
        return what(process) if process is not None else None

    return get


def _path(key: str) -> Callable[[LiveEvent], object]:
    def get(event: LiveEvent) -> object:
        return event.raw.get(key) or None

    return get


CALL_FIELDS: dict[str, Callable[[LiveEvent], object]] = {
    "evt.type": lambda event: event.type,
    "syscall.type": lambda event: event.type if event.call is not None else None,
    "evt.category": lambda event: _CATEGORY_OF.get(event.type, "other"),
    "evt.args": _all_arguments,
    "evt.info": _all_arguments,
    "evt.res": lambda event: event.result_text,
    "evt.rawres": lambda event: event.result,
    "evt.failed": lambda event: event.result < 0,
    "evt.is_io": lambda event: event.type in _READS or event.type in _WRITES,
    "evt.is_io_read": lambda event: event.type in _READS,
    "evt.is_io_write": lambda event: event.type in _WRITES,
    "evt.io_dir": lambda event: "r" if event.type in _READS else "w" if event.type in _WRITES else None,
    "evt.count": lambda event: 1,
    "evt.count.error": lambda event: int(event.result < 0),
    "evt.count.exit": lambda event: 1,
    "evt.is_open_read": lambda event: _opens(event, lambda flags: flags & os.O_ACCMODE != os.O_WRONLY),
    "evt.is_open_write": lambda event: _opens(event, lambda flags: flags & os.O_ACCMODE != os.O_RDONLY),
    "evt.is_open_exec": _created_executable,
    "evt.is_open_create": _created,
    "fd.num": _number,
    "fd.type": lambda event: _type(event, 0),
    "fd.typechar": lambda event: _type(event, 1),
    "fd.name": _name,
    "fd.nameraw": lambda event: event.raw.get("path_raw") or _file_name(event) if _has_file(event) else None,
    "fd.directory": lambda event: os.path.dirname(name) if (name := _file_name(event)) else None,
    "fd.filename": lambda event: os.path.basename(name) if (name := _file_name(event)) else None,
    "fd.lip": lambda event: event.raw.get("lip"),
    "fd.rip": lambda event: event.raw.get("rip"),
    "fd.lport": lambda event: event.raw.get("lport"),
    "fd.rport": lambda event: event.raw.get("rport"),
    "fd.cip": _end(True, "ip"),
    "fd.cport": _end(True, "port"),
    "fd.sip": _end(False, "ip"),
    "fd.sport": _end(False, "port"),
    "fd.l4proto": _protocol,
    "fd.sockfamily": _family,
    "fd.is_server": lambda event: event.type in _SERVER_SIDE if "family" in event.raw else None,
    "fd.connected": lambda event: (
        event.result >= 0 or event.result_text == "EINPROGRESS" if "rip" in event.raw else None
    ),
    "fd.dev": lambda event: event.raw.get("device"),
    "fd.ino": lambda event: event.raw.get("inode"),
    "target.pid": _target_pid,
    "target.name": _target(lambda process: process.comm or None),
    "target.exepath": _target(lambda process: process.exe or None),
    "target.cmdline": _target(lambda process: process.command_line),
    "fs.path.name": _path("path"),
    "evt.abspath": _path("path"),
    "fs.path.nameraw": _path("path_raw"),
    "fs.path.source": _path("source"),
    "fs.path.sourceraw": _path("source_raw"),
    "fs.path.target": _path("target"),
    "fs.path.targetraw": _path("target_raw"),
}


def _absolute(event: LiveEvent, which: str) -> object:
    return event.raw.get({"src": "source", "dst": "target"}.get(which, which))


CALL_DOTTED: dict[str, Callable[[LiveEvent, str], object]] = {
    "evt.arg.": _argument_text,
    "evt.rawarg.": _raw_argument,
    "evt.type.is.": lambda event, name: int(event.type == name),
    "evt.abspath.": _absolute,
}
CALL_INDEXED: dict[str, Callable[[LiveEvent, str], object]] = {
    "evt.arg": _argument_text,
    "evt.rawarg": _raw_argument,
}

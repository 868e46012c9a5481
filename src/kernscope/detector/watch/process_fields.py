"""Fields about who did it: families `proc`, `thread`, `user`, `group`, `container`.

What the tree of processes knows comes from there; the rest is read from /proc when a rule asks, and is missing where
the process is gone by then.
"""

from __future__ import annotations

import os
import stat
from functools import cache

from kernscope.detector.watch.call_fields import type_of_mode
from kernscope.detector.watch.live_event import LiveEvent
from kernscope.detector.watch.processes import Process
from kernscope.detector.watch.users import group_name, user_entry
from kernscope.kernel.process_table import boot_offset_ns, link, read_file, status_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Of = Callable[[Process], object]

__all__ = ["PROCESS_DOTTED", "PROCESS_FIELDS", "PROCESS_INDEXED", "events_offset_ns"]

_AF_UNIX = 1
events_offset_ns = cache(boot_offset_ns)
"""Asked once: a process's start must be the same whenever it is told, as processes are told apart by it."""


def _own(what: Of) -> Callable[[LiveEvent], object]:
    def get(event: LiveEvent) -> object:
        return what(event.process) if event.process is not None else None

    return get


def _parent(what: Of) -> Callable[[LiveEvent], object]:
    def get(event: LiveEvent) -> object:
        parent = event.process.parent if event.process is not None else None
        return what(parent) if parent is not None else None

    return get


def _ancestor(what: Of) -> Callable[[LiveEvent, str], object]:
    """0 is the process itself, 1 its parent."""

    def get(event: LiveEvent, number: str) -> object:
        if event.process is None or not number.isdigit():
            return None
        wanted = int(number)
        if wanted == 0:
            return what(event.process)
        for place, ancestor in enumerate(event.process.ancestors(), 1):
            if place == wanted:
                return what(ancestor)
        return None

    return get


def _ancestors(what: Of) -> Callable[[LiveEvent], object]:
    """Of all of them, from the parent upwards, up to the first of which it is not known."""

    def get(event: LiveEvent) -> object:
        found = []
        for ancestor in event.process.ancestors() if event.process is not None else ():
            value = what(ancestor)
            if value is None:
                break
            found.append(value)
        return found or None

    return get


def _of_pid(which: str, what: Of) -> Callable[[LiveEvent], object]:
    """Of the leader of the process's session or group."""

    def get(event: LiveEvent) -> object:
        pid = getattr(event.process, which) if event.process is not None else 0
        leader = event.tree.get(pid) if pid else None
        return what(leader) if leader is not None else None

    return get


def _exe_word(process: Process) -> object:
    return process.arguments[0] if process.arguments else process.comm or None


def _arguments(process: Process) -> str:
    return " ".join(process.arguments[1:])


def _exe_line(process: Process) -> str:
    return " ".join(process.arguments)


def _start(process: Process) -> int:
    return process.start_ns + events_offset_ns()


def _name(event: LiveEvent) -> object:
    return event.comm or None


def _command_line(event: LiveEvent) -> object:
    process = event.process
    return " ".join([event.comm, *process.arguments[1:]]) if process is not None else None


def _environment(process: Process) -> list[str] | None:
    if process.environment is None:
        data = read_file(process.pid, "environ")
        if data is not None:
            process.environment = data.decode("utf-8", "surrogateescape").rstrip("\0").split("\0")
    return process.environment


def _all_environment(process: Process) -> object:
    found = _environment(process)
    return " ".join(found) if found else None


def _variable(process: Process, name: str) -> object:
    for entry in _environment(process) or ():
        if entry.startswith(f"{name}="):
            return entry[len(name) + 1 :]
    return None


def _variable_of(event: LiveEvent, name: str) -> object:
    return _variable(event.process, name) if event.process is not None else None


def _ancestor_environment(event: LiveEvent, which: str) -> object:
    """A number is an ancestor's whole environment, a name the variable of the nearest ancestor that has it."""
    if which.isdigit():
        return _ancestor(_all_environment)(event, which)
    for ancestor in event.process.ancestors() if event.process is not None else ():
        found = _variable(ancestor, which)
        if found is not None:
            return found
    return None


def _login_shell(process: Process) -> object:
    found = None
    for ancestor in (process, *process.ancestors()):
        if ancestor.comm.endswith("sh"):
            found = ancestor.pid
    return found


def _is_memfd(process: Process) -> bool:
    return process.exe.startswith(("memfd:", "/memfd:"))


def _writable(event: LiveEvent) -> object:
    process = event.process
    if process is None or process.exe_mode < 0:
        return None
    if event.uid == 0:
        return True
    own = process.exe_owner == event.uid
    return bool(process.exe_mode & (stat.S_IWUSR if own else stat.S_IWOTH))


def _standard(event: LiveEvent, number: int) -> object:
    """The type of a descriptor: at exec as the kernel saw it, later as /proc has it."""
    process = event.process
    if process is None:
        return None
    found = link(process.pid, f"fd/{number}") if event.type not in ("execve", "execveat") else None
    if found is None or found.startswith("socket:"):
        recorded = (process.stdin, process.stdout, process.stderr)[number]
        if recorded < 0:
            return "ipv4" if found else None
        kind = type_of_mode(recorded & 0xFFFF, recorded >> 16)
        return kind[0] if kind is not None else None
    return "pipe" if found.startswith("pipe:") else "file"


def _stat_of_exe(field: str) -> Callable[[LiveEvent], object]:
    def get(event: LiveEvent) -> object:
        process = event.process
        if process is None:
            return None
        for path in (f"/proc/{process.pid}/exe", process.exe):
            try:
                return getattr(os.stat(path), field)
            except OSError:
                continue
        return None

    return get


def _changed_before_start(event: LiveEvent) -> object:
    changed = _stat_of_exe("st_ctime_ns")(event)
    return _start(event.process) - changed if event.process is not None and isinstance(changed, int) else None


def _status(name: str) -> Callable[[LiveEvent], object]:
    """A number of /proc/PID/status; sizes there are in KiB, as in the fields."""

    def get(event: LiveEvent) -> object:
        words = status_of(event.process.pid).get(name, "").split() if event.process is not None else []
        return int(words[0]) if words and words[0].isdigit() else None

    return get


def _namespace_pid(which: str) -> Callable[[LiveEvent], object]:
    def get(event: LiveEvent) -> object:
        words = status_of(event.process.pid).get(which, "").split() if event.process is not None else []
        return int(words[-1]) if words and words[-1].isdigit() else None

    return get


def _open_descriptors(event: LiveEvent) -> object:
    try:
        return len(os.listdir(f"/proc/{event.process.pid}/fd")) if event.process is not None else None
    except OSError:
        return None


def _cgroups(process: Process) -> object:
    data = read_file(process.pid, "cgroup")
    return data.decode("utf-8", "surrogateescape").strip().replace("\n", " ") if data else None


def _capabilities(which: str) -> Callable[[LiveEvent], object]:
    def get(event: LiveEvent) -> object:
        text = status_of(event.process.pid).get(which, "") if event.process is not None else ""
        if not text:
            return None
        from kernscope.tables.capabilities import capability_names

        return " ".join(capability_names(int(text, 16)))

    return get


def _descriptor(number: int) -> Callable[[LiveEvent], object]:
    return lambda event: link(event.process.pid, f"fd/{number}") if event.process is not None else None


def _user(what: str) -> Callable[[LiveEvent], object]:
    def get(event: LiveEvent) -> object:
        entry = user_entry(event.uid)
        return getattr(entry, what) if entry is not None else None

    return get


def _login_name(event: LiveEvent) -> object:
    uid = event.process.loginuid if event.process is not None else -1
    entry = user_entry(uid) if uid >= 0 else None
    return entry.name if entry is not None else None


PROCESS_FIELDS: dict[str, Callable[[LiveEvent], object]] = {
    "proc.exe": _own(_exe_word),
    "proc.aexe": _ancestors(_exe_word),
    "proc.aexepath": _ancestors(lambda process: process.exe or None),
    "proc.aname": _ancestors(lambda process: process.comm or None),
    "proc.acmdline": _ancestors(lambda process: process.command_line),
    "proc.apid": _ancestors(lambda process: process.pid),
    "proc.pexe": _parent(_exe_word),
    "proc.exepath": _own(lambda process: process.exe or None),
    "proc.pexepath": _parent(lambda process: process.exe or None),
    "proc.name": _name,
    "proc.pname": lambda event: event.parent_comm or None,
    "proc.args": _own(_arguments),
    "proc.cmdline": _command_line,
    "proc.pcmdline": _parent(lambda process: process.command_line),
    "proc.cmdnargs": _own(lambda process: max(len(process.arguments) - 1, 0)),
    "proc.cmdlenargs": _own(lambda process: len("".join(process.arguments[1:]))),
    "proc.exeline": _own(_exe_line),
    "proc.env": _own(_all_environment),
    "proc.cwd": _own(lambda process: process.cwd or None),
    "proc.loginshellid": _own(_login_shell),
    "proc.tty": _own(lambda process: process.tty),
    "proc.pid": _own(lambda process: process.pid),
    "proc.ppid": _parent(lambda process: process.pid),
    "proc.vpid": _namespace_pid("NSpid"),
    "proc.pvpid": lambda event: _parent(lambda process: process.pid)(event),
    "proc.sid": _own(lambda process: process.sid),
    "proc.sname": _of_pid("sid", lambda process: process.comm),
    "proc.sid.exe": _of_pid("sid", _exe_word),
    "proc.sid.exepath": _of_pid("sid", lambda process: process.exe or None),
    "proc.pgid": _own(lambda process: process.pgid),
    "proc.pgid.name": _of_pid("pgid", lambda process: process.comm),
    "proc.pgid.exe": _of_pid("pgid", _exe_word),
    "proc.pgid.exepath": _of_pid("pgid", lambda process: process.exe or None),
    "proc.vpgid": _namespace_pid("NSpgid"),
    "proc.vpgid.name": _of_pid("pgid", lambda process: process.comm),
    "proc.vpgid.exe": _of_pid("pgid", _exe_word),
    "proc.vpgid.exepath": _of_pid("pgid", lambda process: process.exe or None),
    "proc.duration": lambda event: (
        event.time_ns - _start(event.process) if event.process is not None else None
    ),
    "proc.ppid.duration": lambda event: (
        event.time_ns - _start(event.process.parent)
        if event.process is not None and event.process.parent is not None
        else None
    ),
    "proc.pid.ts": _own(_start),
    "proc.ppid.ts": _parent(_start),
    "proc.euid": _own(lambda process: process.euid if process.euid >= 0 else None),
    "proc.euid_before": _own(lambda process: process.euid_before if process.euid_before >= 0 else None),
    "proc.is_exe_writable": _writable,
    "proc.is_exe_from_memfd": _own(_is_memfd),
    "proc.is_sid_leader": _own(lambda process: process.sid == process.pid),
    "proc.is_pgid_leader": _own(lambda process: process.pgid == process.pid),
    "proc.is_vpgid_leader": _own(lambda process: process.pgid == process.pid),
    "proc.exe_ino": lambda event: (
        (event.process.exe_inode if event.process is not None and event.process.exe_inode >= 0 else None)
        or _stat_of_exe("st_ino")(event)
    ),
    "proc.exe_ino.ctime": _stat_of_exe("st_ctime_ns"),
    "proc.exe_ino.mtime": _stat_of_exe("st_mtime_ns"),
    "proc.exe_ino.ctime_duration_proc_start": _changed_before_start,
    "proc.fdopencount": _open_descriptors,
    "proc.vmsize": _status("VmSize"),
    "proc.vmrss": _status("VmRSS"),
    "proc.vmswap": _status("VmSwap"),
    "proc.nthreads": _status("Threads"),
    "proc.nchilds": lambda event: n - 1 if isinstance(n := _status("Threads")(event), int) else None,
    "proc.stdin.type": lambda event: _standard(event, 0),
    "proc.stdout.type": lambda event: _standard(event, 1),
    "proc.stderr.type": lambda event: _standard(event, 2),
    "proc.stdin.name": _descriptor(0),
    "proc.stdout.name": _descriptor(1),
    "proc.stderr.name": _descriptor(2),
    "thread.cap_permitted": _capabilities("CapPrm"),
    "thread.cap_inheritable": _capabilities("CapInh"),
    "thread.cap_effective": _capabilities("CapEff"),
    "thread.tid": lambda event: event.tid or None,
    "thread.ismain": lambda event: event.tid == event.process.pid if event.process is not None else None,
    "thread.vtid": lambda event: event.tid or None,
    "thread.cgroups": _own(_cgroups),
    "thread.vmsize": _status("VmSize"),
    "thread.vmrss": _status("VmRSS"),
    "user.uid": lambda event: event.uid,
    "user.name": _user("name"),
    "user.homedir": _user("home"),
    "user.shell": _user("shell"),
    "user.loginuid": _own(lambda process: process.loginuid),
    "user.loginname": _login_name,
    "group.gid": lambda event: event.gid,
    "group.name": lambda event: group_name(event.gid),
    "container.id": lambda event: "host",
    "container.name": lambda event: "host",
    "container.type": lambda event: "host",
}


def _word(event: LiveEvent, number: str) -> object:
    """A word of the command line."""
    words = event.process.arguments if event.process is not None else []
    return words[int(number)] if number.isdigit() and int(number) < len(words) else None


PROCESS_INDEXED: dict[str, Callable[[LiveEvent, str], object]] = {
    "proc.aexe": _ancestor(_exe_word),
    "proc.aexepath": _ancestor(lambda process: process.exe or None),
    "proc.aname": _ancestor(lambda process: process.comm or None),
    "proc.acmdline": _ancestor(lambda process: process.command_line),
    "proc.apid": _ancestor(lambda process: process.pid),
    "proc.apid.ts": _ancestor(_start),
    "proc.auid": _ancestor(lambda process: process.uid),
    "proc.argv": _word,
    "proc.env": _variable_of,
    "proc.aenv": _ancestor_environment,
}


def _cgroup(event: LiveEvent, subsystem: str) -> object:
    for line in str(_cgroups(event.process) or "").split() if event.process is not None else ():
        parts = line.split(":", 2)
        if len(parts) == 3 and (not parts[1] or subsystem in parts[1].split(",")):
            return parts[2]
    return None


PROCESS_DOTTED: dict[str, Callable[[LiveEvent, str], object]] = {"thread.cgroup.": _cgroup}

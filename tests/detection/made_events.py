"""Events as a recording has them, in short: `started("cat /etc/shadow")`, `opened("/etc/shadow", "cat /etc/shadow")`.

Everything that is not said is that of a command that root types into bash: `who` changes it.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "Event",
    "Recording",
    "call",
    "deleted",
    "each",
    "ended",
    "mode",
    "opened",
    "placed",
    "recorded",
    "started",
    "times",
    "wrote",
]

Event = dict[str, object]
Recording = Event | list[Event]
_WHERE = {
    "sshd": "/usr/sbin/sshd",
    "cron": "/usr/sbin/cron",
    "useradd": "/usr/sbin/useradd",
    "passwd": "/usr/bin/passwd",
}


def _who(
    command: str,
    *,
    exe: str = "",
    name: str = "",
    argv0: str = "",
    parents: str = "bash sshd",
    parent_exes: str = "",
    parent_command: str = "",
    pid: int = 100,
    ppid: int = 50,
    uid: int = 0,
    user: str = "",
    **fields: object,
) -> Event:
    word, _, arguments = command.partition(" ")
    own = name or word.rpartition("/")[2]
    event: Event = {
        "proc.name": own[:15],
        "proc.exe": argv0 or word,
        "proc.exepath": exe or (word if word.startswith("/") else _WHERE.get(word, f"/usr/bin/{word}")),
        "proc.args": arguments,
        "proc.cmdline": f"{own} {arguments}".strip(),
        "proc.exeline": command,
        "proc.cmdnargs": len(arguments.split()),
        "proc.pid": pid,
        "proc.pid.ts": pid,
        "proc.ppid": ppid,
        "proc.tty": 0,
        "proc.cwd": "/root",
        "proc.is_exe_from_memfd": False,
        "user.uid": uid,
        "user.name": user or ("root" if uid == 0 else "ann"),
        "user.loginuid": uid,
        "proc.stdin.type": "file",
        "proc.stdout.type": "file",
    }
    exes = parent_exes.split() or [_WHERE.get(parent, f"/usr/bin/{parent}") for parent in parents.split()]
    for number, (parent, path) in enumerate(zip(parents.split(), exes), 1):
        event[f"proc.aname[{number}]"] = parent
        event[f"proc.aexepath[{number}]"] = path
        event[f"proc.acmdline[{number}]"] = parent_command if number == 1 and parent_command else parent
        event[f"proc.apid[{number}]"] = ppid - number + 1
    if parents:
        event["proc.pname"], event["proc.pexepath"] = parents.split()[0], exes[0]
        event["proc.pcmdline"] = parent_command or parents.split()[0]
    return event | _fields(fields)


def _fields(fields: dict[str, object]) -> Event:
    """`evt_arg_flags` → `evt.arg.flags`; `env_LD_PRELOAD` → `proc.env[LD_PRELOAD]`, and in `proc.env`."""
    found: Event = {}
    for key, value in fields.items():
        if key.startswith("env_"):
            found[f"proc.env[{key[4:]}]"] = value
            found["proc.env"] = f"{found.get('proc.env', 'HOME=/root')} {key[4:]}={value}"
        else:
            found[key.replace("_", ".") if key.count("_") < 3 or not key.startswith("proc_is") else key] = (
                value
            )
    return found


def call(type: str, command: str, result: int = 0, *, event: Event | None = None, **who: object) -> Event:
    """A system call of the process that runs `command`; `event` are further fields by their own names."""
    made: Event = {"evt.type": type, "evt.rawres": result, "evt.failed": result < 0}
    made["evt.res"] = "SUCCESS" if result >= 0 else "EPERM"
    return made | _who(command, **who) | (event or {})  # type: ignore[arg-type]


def started(command: str, *, event: Event | None = None, **who: object) -> Event:
    return call("execve", command, event=event, **who)


def opened(
    path: str, command: str, flags: str = "O_RDONLY", *, event: Event | None = None, **who: object
) -> Event:
    found: Event = {
        "fd.name": path,
        "fs.path.name": path,
        "fd.nameraw": path,
        "fd.filename": path.rpartition("/")[2],
        "fd.directory": path.rpartition("/")[0],
        "fd.type": "file",
        "evt.arg.flags": flags,
        "evt.is_open_read": "O_WRONLY" not in flags,
        "evt.is_open_write": "O_WRONLY" in flags or "O_RDWR" in flags,
        "evt.is_open_create": "O_CREAT" in flags,
    }
    return call("openat", command, 3, event=found | (event or {}), **who)


def wrote(path: str, command: str, flags: str = "O_WRONLY|O_CREAT|O_TRUNC", **who: object) -> Event:
    return opened(path, command, flags, **who)


def placed(source: str, target: str, command: str, type: str = "renameat2", **who: object) -> Event:
    return call(type, command, event={"fs.path.source": source, "fs.path.target": target}, **who)


def deleted(path: str, command: str, **who: object) -> Event:
    return call("unlinkat", command, event={"fs.path.name": path}, **who)


def mode(path: str, bits: str, command: str, **who: object) -> Event:
    return call("fchmodat", command, event={"fs.path.name": path, "evt.arg.mode": bits}, **who)


def ended(command: str, code: int, **who: object) -> Event:
    return call("procexit", command, event={"evt.arg.ret": code}, **who)


def times(number: int, event: Event) -> list[Event]:
    return [dict(event) for _ in range(number)]


def each(event: Event, field: str, values: Iterable[object]) -> list[Event]:
    """The event once for each value of a field."""
    return [event | {field: value} for value in values]


def recorded(recording: Recording, *, day: int = 0, step_ns: int = 10_000_000) -> list[Event]:
    """With numbers and times, as if they came one after the other on that day."""
    events = recording if isinstance(recording, list) else [recording]
    begin_ns = (1_700_000_000 + day * 86_400) * 1_000_000_000
    return [
        {"evt.num": n, "evt.rawtime": begin_ns + n * step_ns} | event for n, event in enumerate(events, 1)
    ]

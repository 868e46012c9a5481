"""What Sigma's log sources and fields are in our events: one table.

Names and meaning of Sigma's fields: sigmahq.io, "Sigma taxonomy" (Sysmon for Linux), and auditd's records as
audit(8) and the kernel's audit.c write them. Where a log has something that no event here has, the field is `log.…`,
which is missing: so a rule that needs it cannot fire, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = [
    "CREATED",
    "LEVELS",
    "LOG_FIELD",
    "LOG_MESSAGE",
    "RECORDS",
    "REMOVED",
    "SOURCES",
    "VALUES",
    "OnlyOf",
    "Origin",
    "Places",
    "source_of",
]

LEVELS = {
    "informational": "informational",
    "low": "notice",
    "medium": "warning",
    "high": "error",
    "critical": "critical",
}
"""Sigma's levels → priorities. A rule without one is `medium`, as the specification recommends."""

LOG_MESSAGE = "log.message"
LOG_FIELD = "log.field"

CREATED = (
    *("creat", "mkdir", "mkdirat", "mknod", "mknodat", "link", "linkat", "symlink", "symlinkat"),
    *("rename", "renameat", "renameat2"),
)
REMOVED = ("unlink", "unlinkat", "rmdir")
_OPENED = ("open", "openat", "openat2")
_EXECUTED = ("execve", "execveat")
_CHANGED = (
    *("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "truncate"),
    *("ftruncate", "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr"),
    *("utimensat", "mount", "umount2"),
)


class OnlyOf:
    """A field that counts in events of these types only."""

    __slots__ = ("events", "field")

    def __init__(self, field: str, events: tuple[str, ...]) -> None:
        self.field, self.events = field, events


Places = tuple[str | OnlyOf, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """A log source, or a kind of auditd's records.

    Attributes:
        condition: what makes an event one of it; empty where nothing does.
        events: for records, the types of events that have them.
        fields: Sigma's field → fields of ours, any of which may have the value.
        keywords: what texts without a field are looked for in.
        output: what an alert shows after the rule's title.
    """

    condition: str = ""
    events: tuple[str, ...] = ()
    fields: dict[str, Places] = field(default_factory=dict)
    keywords: Places = (LOG_MESSAGE,)
    output: str = "command=%proc.cmdline exe=%proc.exepath parent=%proc.pname user=%user.name pid=%proc.pid"


_WHO: dict[str, Places] = {
    "Image": ("proc.exepath",),
    "CommandLine": ("proc.exeline",),
    "User": ("user.name",),
    "ProcessId": ("proc.pid",),
    # Sysmon for Linux writes the user's number.
    "LogonId": ("user.uid",),
}
_PROCESS: dict[str, Places] = {
    **_WHO,
    "CurrentDirectory": ("proc.cwd",),
    "ParentImage": ("proc.pexepath",),
    "ParentCommandLine": ("proc.pcmdline",),
    "ParentProcessId": ("proc.ppid",),
}
_NETWORK: dict[str, Places] = {
    **_WHO,
    "DestinationIp": ("fd.sip",),
    "DestinationPort": ("fd.sport",),
    "DestinationHostname": ("fd.sip.name",),
    "SourceIp": ("fd.cip",),
    "SourcePort": ("fd.cport",),
    "SourceHostname": ("fd.cip.name",),
    "Protocol": ("fd.l4proto",),
    "Initiated": ("evt.type",),
}
_FILE_OUTPUT = "file=%fd.name command=%proc.cmdline exe=%proc.exepath user=%user.name pid=%proc.pid"
_PATH_OUTPUT = "event=%evt.type file=%fs.path.name command=%proc.cmdline user=%user.name pid=%proc.pid"
_LINK_OUTPUT = "connection=%fd.name command=%proc.cmdline exe=%proc.exepath user=%user.name pid=%proc.pid"
_CALL_OUTPUT = "event=%evt.type command=%proc.cmdline exe=%proc.exepath user=%user.name pid=%proc.pid"

SOURCES: dict[str, Origin] = {
    "process_creation": Origin(
        condition="evt.type in (execve, execveat)", fields=_PROCESS, keywords=("proc.exeline",)
    ),
    "file_event": Origin(
        condition="evt.type in (open, openat, openat2, creat) and evt.is_open_write = true",
        fields={**_WHO, "TargetFilename": ("fd.name",)},
        keywords=("fd.name",),
        output=_FILE_OUTPUT,
    ),
    "file_delete": Origin(
        condition="evt.type in (unlink, unlinkat, rmdir) and not evt.failed = true",
        fields={**_WHO, "TargetFilename": ("fs.path.name",)},
        keywords=("fs.path.name",),
        output=_PATH_OUTPUT,
    ),
    "network_connection": Origin(
        condition="evt.type in (connect, accept, accept4) and fd.type in (ipv4, ipv6)",
        fields=_NETWORK,
        output=_LINK_OUTPUT,
    ),
    # Its records say which events they are.
    "auditd": Origin(output=_CALL_OUTPUT),
    # What shells and programs log; of that, command lines can be seen.
    "linux": Origin(keywords=(LOG_MESSAGE, OnlyOf("proc.exeline", _EXECUTED))),
}
"""By category or service; `linux` is for rules that name neither."""

_AUDIT_WHO: dict[str, Places] = {
    "exe": ("proc.exepath",),
    "comm": ("proc.name",),
    "pid": ("proc.pid",),
    "ppid": ("proc.ppid",),
    "uid": ("user.uid",),
    "euid": ("user.uid",),
    "gid": ("group.gid",),
    "egid": ("group.gid",),
    "auid": ("user.loginuid",),
    "success": ("evt.failed",),
    "exit": ("evt.rawres",),
    "syscall": ("evt.type",),
    "SYSCALL": ("evt.type",),
    "cwd": ("proc.cwd",),
}
_AUDIT_NAMES: Places = (
    *("fs.path.name", "fs.path.source", "fs.path.target", "fd.name"),
    OnlyOf("proc.exepath", _EXECUTED),
)
RECORDS: dict[str, Origin] = {
    # `a0`, `a1`, … are in the pipeline: there is no end to them.
    "EXECVE": Origin(events=_EXECUTED, fields=_AUDIT_WHO, keywords=("proc.exeline",)),
    "PROCTITLE": Origin(
        events=_EXECUTED,
        fields={**_AUDIT_WHO, "proctitle": ("proc.exeline",)},
        keywords=("proc.exeline",),
    ),
    "PATH": Origin(
        events=tuple(dict.fromkeys((*_OPENED, *CREATED, *REMOVED, *_CHANGED, *_EXECUTED))),
        fields={**_AUDIT_WHO, "name": _AUDIT_NAMES},
        keywords=_AUDIT_NAMES,
    ),
    # Without a call's name: a program that does something was started before.
    "SYSCALL": Origin(events=_EXECUTED, fields=_AUDIT_WHO, keywords=("proc.exeline",)),
}
"""Kinds of auditd's records that events here can show."""

VALUES: dict[str, dict[str, tuple[str, ...]]] = {
    "Initiated": {"true": ("connect",), "false": ("accept", "accept4")},
    "success": {"yes": ("false",), "no": ("true",), "true": ("false",), "false": ("true",)},
}
"""Values that are called otherwise here."""


def source_of(product: str | None, category: str | None, service: str | None) -> Origin | None:
    """The log source, None where no event here is of it."""
    if product not in (None, "linux"):
        return None
    if category is None and service is None:
        return SOURCES["linux"] if product else None
    return SOURCES.get(category or service or "")

"""Alerts for tests, of processes whose ancestry is known."""

import time

from kernscope.detector.alert import Alert

__all__ = ["CRON", "INIT", "NOW_NS", "SSHD", "alert", "process", "session"]

_now = time.localtime()
_today_s = _now.tm_hour * 3600 + _now.tm_min * 60 + _now.tm_sec
NOW_NS = (time.time_ns() // 10**9 - min(600, _today_s)) * 10**9
"""Some minutes ago, as a store lets old alerts go; but today, as other days are shown by their date."""

Process = dict[str, object]


def process(
    pid: int, name: str, *, start_ns: int = 0, exe: str = "", cmdline: str = "", user: str = "root"
) -> Process:
    """`start_ns` is by default the pid in seconds."""
    return {
        "pid": pid,
        "start_ns": start_ns or pid * 10**9,
        "name": name,
        "exe": exe or f"/usr/bin/{name}",
        "cmdline": cmdline or name,
        "uid": 0 if user == "root" else 1000,
        "user": user,
    }


INIT = process(1, "systemd", exe="/usr/lib/systemd/systemd")
SSHD = process(800, "sshd", exe="/usr/sbin/sshd")
CRON = process(700, "cron", exe="/usr/sbin/cron")


def session(*below: Process) -> list[Process]:
    """A login by ssh: its shell, and what is below it, the topmost first."""
    return [
        *reversed(below),
        process(1200, "bash", cmdline="-bash"),
        process(810, "sshd", exe="/usr/sbin/sshd"),
        SSHD,
        INIT,
    ]


def alert(
    rule: str = "r",
    chain: list[Process] | None = None,
    *,
    priority: str = "warning",
    at_s: float = 0.0,
    output: str = "",
    tags: tuple[str, ...] = (),
    **fields: object,
) -> Alert:
    """`fields` are shown by the output; `_` in their names stands for a dot."""
    named = {name.replace("_", ".", 1): value for name, value in fields.items()}
    return Alert(
        rule,
        priority,
        list(tags),
        output or f"{rule} happened",
        time_ns=NOW_NS + int(at_s * 1e9),
        fields=named,
        process=session(process(1300, "cat")) if chain is None else chain,
        shown=tuple(named),
    )

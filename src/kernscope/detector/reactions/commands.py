"""`run`: a command with what is known of an alert in its environment and, as JSON, on its standard input.

No shell is in between. The command gets little of the detector's environment, no descriptor of it, a session and so a
process group of its own; what is left of the group when its time is over is killed. What it writes is kept up to a
limit, and shown where it fails.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from contextlib import suppress

from kernscope.detector.reactions.base import Context, Refused, Step, StepKind
from kernscope.detector.sinks import settings
from kernscope.detector.sinks.base import Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

    from kernscope.detector.alert import Alert

__all__ = ["RUN", "environment"]

_LONGEST_VALUE = 4096
_LONGEST_OUTPUT = 4096
_MOST_FIELDS = 200
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment(alert: Alert, incident: int) -> dict[str, str]:
    """`KERNSCOPE_RULE`, `KERNSCOPE_PRIORITY`, …, and for each field `KERNSCOPE_FIELD_PROC_NAME`.

    NUL bytes, which no environment can hold, are shown as `\\x00`; values end after 4096 characters.
    """
    process = alert.process[0] if alert.process else {}
    values: dict[str, object] = {
        "RULE": alert.rule,
        "PRIORITY": alert.priority,
        "TAGS": ",".join(alert.tags),
        "OUTPUT": alert.output,
        "TIME_NS": alert.time_ns,
        "INCIDENT": incident,
        "PID": process.get("pid"),
        "EXE": process.get("exe"),
        "CMDLINE": process.get("cmdline"),
        "USER": process.get("user"),
        "UID": process.get("uid"),
    }
    for name, value in list(alert.fields.items())[:_MOST_FIELDS]:
        key = "".join(c if c.isascii() and c.isalnum() else "_" for c in name.upper())
        values.setdefault(f"FIELD_{key}", value)
    found = {"PATH": _PATH, "LANG": "C.UTF-8"}
    for name, value in values.items():
        if value is not None:
            found[f"KERNSCOPE_{name}"] = _text(value)
    return found


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = ",".join(map(_text, value)) if isinstance(value, list) else str(value)
    return text[:_LONGEST_VALUE].replace("\0", "\\x00")


class _Run:
    def __init__(self, context: Context, values: Mapping[str, object]) -> None:
        self.context = context
        command, user = values["command"], values["user"]
        assert isinstance(command, list)
        self.command = [str(word) for word in command]
        self.user = None if user is None else str(user)
        self.seconds = float(str(values["timeout"]))
        self.most, self.most_waiting = int(str(values["parallel"])), int(str(values["queue"]))
        self.started = self.dropped = 0
        self._waiting: deque[tuple[dict[str, str], bytes]] = deque()
        self._running = 0
        self._closed = False
        self._groups: set[int] = set()
        self._lock = threading.Condition()

    def would(self, alert: Alert) -> str:
        return f"run `{self.command[0]}`"

    def prepare(self) -> None:
        """Raises ValueError where the command cannot be run."""
        program = self.command[0]
        if not os.access(program, os.X_OK) or os.path.isdir(program):
            raise ValueError(f"`{program}` is no program that can be run")
        found = os.stat(program)
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
            raise ValueError(f"others may write to `{program}`, which would run with the detector's rights")
        if self.user is not None:
            import pwd

            try:
                pwd.getpwnam(self.user)
            except KeyError:
                raise ValueError(f"there is no user `{self.user}`") from None

    def act(self, alert: Alert, incident: int) -> str:
        job = environment(alert, incident), (alert.json() + "\n").encode("utf-8", "surrogateescape")
        with self._lock:
            if self._closed:
                raise Refused("the detector ends")
            if self._running < self.most:
                self._running += 1
                threading.Thread(target=self._work, args=(job,), daemon=True).start()
                return f"runs `{self.command[0]}`"
            if len(self._waiting) >= self.most_waiting:
                self.dropped += 1
                raise Refused(f"{self.most} of `{self.command[0]}` run and {self.most_waiting} wait already")
            self._waiting.append(job)
        return f"will run `{self.command[0]}`: {self.most} of it run already"

    def _work(self, job: tuple[dict[str, str], bytes]) -> None:
        while True:
            try:
                self._one(*job)
            except Exception as problem:  # whatever it is, the detector goes on
                self.context.tell(f"`{self.command[0]}` could not be run: {problem}")
            with self._lock:
                if not self._waiting or self._closed:
                    self._running -= 1
                    self._lock.notify_all()
                    return
                job = self._waiting.popleft()

    def _one(self, variables: dict[str, str], text: bytes) -> None:
        import subprocess
        import tempfile

        with tempfile.TemporaryFile() as stdin:
            stdin.write(text)
            stdin.seek(0)
            process = subprocess.Popen(
                self.command,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=variables,
                cwd="/",
                start_new_session=True,
                user=self.user,
                group=None if self.user is None else _group_of(self.user),
                extra_groups=None if self.user is None else [],
            )
        self.started += 1
        with self._lock:
            self._groups.add(process.pid)
        output, late = b"", False
        try:
            output, late = self._follow(process.pid, process.stdout)
        finally:
            with self._lock:
                self._groups.discard(process.pid)
            # The process is not reaped yet, so the group's number cannot be another's.
            _kill_group(process.pid)
            status = process.wait()
        shown = output.decode("utf-8", "surrogateescape").strip()
        if late:
            self.context.tell(f"`{self.command[0]}` was killed: it took longer than {self.seconds:g} s")
        elif status:
            self.context.tell(f"`{self.command[0]}` ended with status {status}{': ' if shown else ''}{shown}")

    def _follow(self, pid: int, stdout: IO[bytes] | None) -> tuple[bytes, bool]:
        """What it writes, the beginning of it, until it ends; and whether its time was over before.

        The rest is read and thrown away, so that it does not hang; who else has the pipe is not waited for.
        """
        import select

        assert stdout is not None
        deadline = time.monotonic() + self.seconds
        kept = b""
        poll = select.poll()
        with stdout, open(os.pidfd_open(pid), "rb") as ended:
            for file in (stdout, ended):
                poll.register(file, select.POLLIN)
            while True:
                ready = [fd for fd, _ in poll.poll(max(0.0, deadline - time.monotonic()) * 1000)]
                if stdout.fileno() in ready:
                    part = os.read(stdout.fileno(), 65536)
                    kept += part[: max(0, _LONGEST_OUTPUT - len(kept))]
                    if not part:
                        poll.unregister(stdout)
                elif ready:
                    return kept, False
                if time.monotonic() >= deadline:
                    return kept, True

    def tick(self) -> None: ...

    def close(self) -> None:
        """What runs may end within its time; what waits is dropped and said."""
        with self._lock:
            self._closed = True
            dropped = len(self._waiting)
            self._waiting.clear()
            self._lock.wait_for(lambda: self._running == 0, timeout=min(self.seconds, 5.0))
            groups = set(self._groups)
        for group in groups:
            _kill_group(group)
        if dropped:
            self.dropped += dropped
            self.context.tell(f"{dropped} runs of `{self.command[0]}` did not begin")


def _kill_group(group: int) -> None:
    with suppress(OSError):
        os.killpg(group, signal.SIGKILL)


def _group_of(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


def _command(value: object) -> list[str]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
        raise ValueError("is a list of a program's path and its arguments")
    if not words[0].startswith("/"):
        raise ValueError(f"begins with an absolute path, not `{words[0]}`: there is no shell, and no search")
    return [str(word) for word in words]


def _make(values: Mapping[str, object], context: Context) -> Step:
    return _Run(context, values)


RUN = StepKind(
    "run",
    "Run a command, with the alert as JSON on its standard input and as `KERNSCOPE_*` in its environment.",
    (
        Setting("command", "a program's absolute path and its arguments", _command, needed=True),
        Setting("user", "as which user; default the detector's", settings.text),
        Setting("timeout", "when it is killed", settings.duration_s, 10.0),
        Setting("parallel", "how many of them at a time", settings.number(1, 32), 4),
        Setting("queue", "how many wait for one of these to end", settings.number(0, 1000), 64),
    ),
    _make,
    enforces=False,
)

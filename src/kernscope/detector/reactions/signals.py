"""`kill` and `stop`: the process tree of an alert, whole."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from kernscope.detector.reactions.base import Context, Refused, Step, StepKind
from kernscope.detector.reactions.process_trees import Held, Tree, hold
from kernscope.detector.sinks import settings
from kernscope.detector.sinks.base import Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from subprocess import Popen

    from kernscope.detector.alert import Alert

__all__ = ["KILL", "STOP", "target_tree"]

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_MOST_STOPPED = 10_000
_LONGEST_NAME = 40


def target_tree(alert: Alert, context: Context) -> Tree:
    """The process that an alert is about, and its descendants. Raises Refused where it is gone or protected."""
    process = alert.process[0] if alert.process else {}
    pid, start_ns = process.get("pid"), process.get("start_ns")
    if not isinstance(pid, int) or not isinstance(start_ns, int):
        raise Refused("the alert does not say which process it is about")
    reason = context.protection.of_process(pid)
    if reason:
        raise Refused(f"process {pid} must not be touched: {reason}")
    held = hold(pid, start_ns - context.boot_offset_ns())
    if held is None:
        raise Refused(f"process {pid} has ended")
    return Tree(held, context.protection.of_process)


def named(alert: Alert) -> str:
    """The process of an alert, for messages; the name is escaped where they are shown."""
    process = alert.process[0] if alert.process else {}
    return f"process {process.get('pid')} ({str(process.get('name'))[:_LONGEST_NAME]}) and its descendants"


class _Kill:
    def __init__(self, context: Context) -> None:
        self.context = context

    def would(self, alert: Alert) -> str:
        tree = target_tree(alert, self.context)
        tree.look()
        tree.close()
        return f"kill {named(alert)}: {_count(len(tree.members))}{_spared(tree)}"

    def act(self, alert: Alert, incident: int) -> str:
        tree = target_tree(alert, self.context)
        try:
            tree.freeze()
            killed = tree.send(signal.SIGKILL)
        finally:
            tree.close()
        return f"killed {named(alert)}: {_count(killed)}{_spared(tree)}"

    def prepare(self) -> None: ...

    def tick(self) -> None: ...

    def close(self) -> None: ...


class _Stopped:
    __slots__ = ("deadline", "held")

    def __init__(self, held: Held, deadline: float) -> None:
        self.held, self.deadline = held, deadline


class _Stop:
    """Stops for a time. The watchdog continues what is stopped if this process cannot."""

    def __init__(self, context: Context, seconds: float) -> None:
        self.context, self.seconds = context, seconds
        self._stopped: dict[int, _Stopped] = {}
        self._watchdog: Popen[bytes] | None = None

    def would(self, alert: Alert) -> str:
        tree = target_tree(alert, self.context)
        tree.look()
        tree.close()
        return f"stop {named(alert)}: {_count(len(tree.members))}{_spared(tree)}"

    def act(self, alert: Alert, incident: int) -> str:
        if len(self._stopped) >= _MOST_STOPPED:
            raise Refused(f"{_MOST_STOPPED} processes are stopped already")
        tree = target_tree(alert, self.context)
        # The watchdog knows of each before it is stopped.
        deadline = time.monotonic() + self.seconds
        tree.freeze(lambda found: self._tell(found, deadline))
        for held in tree.members:
            before = self._stopped.pop(held.pid, None)
            if before is not None:
                before.held.close()
            self._stopped[held.pid] = _Stopped(held, deadline)
        count = _count(len(tree.members))
        return f"stopped {named(alert)} for {self.seconds:g} s: {count}{_spared(tree)}"

    def prepare(self) -> None: ...

    def _tell(self, members: list[Held], deadline: float) -> None:
        lines = "".join(f"{h.pid} {h.start_ns // _TICK_NS} {deadline + 1.0}\n" for h in members)
        self._write(lines)

    def _write(self, lines: str) -> None:
        watchdog = self._watchdog
        if watchdog is None or watchdog.poll() is not None:
            watchdog = self._watchdog = _start_watchdog()
        assert watchdog.stdin is not None
        try:
            watchdog.stdin.write(lines.encode())
            watchdog.stdin.flush()
        except OSError as problem:
            raise Refused(f"the watchdog that continues stopped processes does not run: {problem}") from None

    def tick(self) -> None:
        now = time.monotonic()
        over = [pid for pid, stopped in self._stopped.items() if stopped.deadline <= now]
        if over:
            self._continue(over)
            self.context.tell(f"{_count(len(over))} run again: the time of `stop` is over")

    def _continue(self, pids: list[int]) -> None:
        for pid in pids:
            stopped = self._stopped.pop(pid)
            stopped.held.send(signal.SIGCONT)
            stopped.held.close()
        if self._watchdog is not None and self._watchdog.poll() is None:
            try:
                self._write("".join(f"-{pid}\n" for pid in pids))
            except Refused as problem:
                self.context.tell(str(problem))

    def close(self) -> None:
        self._continue(list(self._stopped))
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            assert watchdog.stdin is not None
            with suppress(OSError):
                watchdog.stdin.close()
            watchdog.wait(5)


def _start_watchdog() -> Popen[bytes]:
    import subprocess
    import sys

    from kernscope.detector.reactions import watchdog

    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env={},
        )
    except OSError as problem:
        raise Refused(f"the watchdog that continues stopped processes cannot be started: {problem}") from None


def _count(number: int) -> str:
    return "1 process" if number == 1 else f"{number} processes"


def _spared(tree: Tree) -> str:
    return f" ({len(tree.spared)} protected ones left alone)" if tree.spared else ""


def _make_kill(values: Mapping[str, object], context: Context) -> Step:
    return _Kill(context)


def _make_stop(values: Mapping[str, object], context: Context) -> Step:
    seconds = values["ttl"]
    assert isinstance(seconds, float)
    return _Stop(context, seconds)


KILL = StepKind(
    "kill",
    "Freeze the process and all its descendants, then kill them.",
    (),
    _make_kill,
    enforces=True,
)
STOP = StepKind(
    "stop",
    "Freeze the process and all its descendants (SIGSTOP), and let them run on after a time.",
    (Setting("ttl", "how long, for instance 10m", settings.duration_s, 600.0),),
    _make_stop,
    enforces=True,
)

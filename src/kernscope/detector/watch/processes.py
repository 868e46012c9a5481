"""The tree of processes: kept from fork, exec and exit records, seeded from /proc, healed where records were lost.

A process holds its parent, so that ancestors that have ended stay as long as a descendant is known, and no longer. Who
ended stays for a while, as records of what it did may come after the record of its end.
"""

from __future__ import annotations

from collections import deque

from kernscope.detector.fields import MOST_ANCESTORS
from kernscope.kernel.process_table import ProcessFacts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Process", "ProcessTree"]

_GRACE_NS = 10_000_000_000
"""How long a process that has ended is kept."""
_MOST_PROCESSES = 65_536
_TICK_NS = 10_000_000
"""Starting times from /proc are exact to this."""


class Process:
    """What is known of one process.

    Attributes:
        start_ns: when it started, in nanoseconds since boot.
        arguments: the command line's words.
        exe: the executable's path.
        stdin, stdout, stderr: `i_mode` of descriptors 0 to 2 when it was executed; -1 where that is not known.
        euid, euid_before: the effective user when this program was executed, and of the program before; -1 where that
            is not known.
        exe_mode, exe_owner, exe_links, exe_inode: the executable's, -1 where they are not known.
        environment: what was read of it at exec, as NAME=VALUE; None where it is not known.
        ended_ns: when it ended; 0 while it lives.
    """

    __slots__ = (
        *("arguments", "comm", "cwd", "ended_ns", "environment", "exe", "exe_inode", "exe_links", "exe_mode"),
        *(
            "exe_owner",
            "gid",
            "loginuid",
            "parent",
            "pgid",
            "pid",
            "sid",
            "start_ns",
            "stderr",
            "stdin",
            "stdout",
        ),
        *("euid", "euid_before", "tty", "uid", "marks"),
    )

    def __init__(self, pid: int, start_ns: int, parent: Process | None) -> None:
        self.pid, self.start_ns, self.parent = pid, start_ns, parent
        self.comm = self.exe = self.cwd = ""
        self.arguments: list[str] = []
        self.environment: list[str] | None = None
        self.uid = self.gid = self.tty = self.sid = self.pgid = self.ended_ns = 0
        self.euid = self.euid_before = -1
        self.loginuid = self.stdin = self.stdout = self.stderr = -1
        self.exe_mode = self.exe_owner = self.exe_links = self.exe_inode = -1
        self.marks: dict[str, object] = {}

    @property
    def name(self) -> str:
        return self.comm

    @property
    def command_line(self) -> str:
        """Name and arguments, as Falco's `proc.cmdline`."""
        return " ".join([self.comm, *self.arguments[1:]])

    def ancestors(self) -> Iterator[Process]:
        """The parent, its parent, …"""
        process = self.parent
        for _ in range(MOST_ANCESTORS):
            if process is None:
                return
            yield process
            process = process.parent

    def inherit(self, parent: Process) -> None:
        """What a child has from its parent until it execs."""
        for name in _INHERITED:
            setattr(self, name, getattr(parent, name))


_INHERITED = (
    *(
        "comm",
        "exe",
        "cwd",
        "arguments",
        "environment",
        "uid",
        "gid",
        "tty",
        "sid",
        "pgid",
        "loginuid",
        "stdin",
    ),
    *("euid", "euid_before", "stdout", "stderr", "exe_mode", "exe_owner", "exe_links", "exe_inode"),
)


class ProcessTree:
    """All processes that are known, by pid.

    Args:
        read: what /proc tells of a process now.

    Attributes:
        healed: how often a process was not known, or was another one, and was read from /proc.
        forgotten: how many were dropped as there were too many.
    """

    def __init__(self, read: Callable[[int], ProcessFacts | None]) -> None:
        self._read = read
        self._by_pid: dict[int, Process] = {}
        self._ended: deque[Process] = deque()
        self.healed = self.forgotten = 0

    def __len__(self) -> int:
        return len(self._by_pid)

    def __iter__(self) -> Iterator[Process]:
        return iter(list(self._by_pid.values()))

    def seed(self, pids: Iterable[int]) -> None:
        """Read all processes, parents before their children."""
        facts = {pid: found for pid in sorted(pids) if (found := self._read(pid)) is not None}
        for pid in facts:
            chain = []
            while pid in facts and pid not in self._by_pid and pid not in chain:
                chain.append(pid)
                pid = facts[pid].ppid
            for known in reversed(chain):
                self._add(self._made(facts[known]))

    def get(self, pid: int, start_ns: int = 0) -> Process | None:
        """A process by pid, and where `start_ns` is given only if it is that one, else read anew from /proc."""
        found = self._by_pid.get(pid)
        if found is not None and (not start_ns or _same_start(found.start_ns, start_ns)):
            if start_ns and found.start_ns != start_ns:
                found.start_ns = start_ns
            return found
        return self._heal(pid, start_ns)

    def fork(self, pid: int, start_ns: int, parent_pid: int) -> Process:
        """A child of a process began to exist."""
        parent = self._by_pid.get(parent_pid)
        if parent is None:
            parent = self._heal(parent_pid, 0)
        process = Process(pid, start_ns, parent)
        if parent is not None:
            process.inherit(parent)
        self._add(process)
        return process

    def exec(self, pid: int, start_ns: int, parent_pid: int) -> Process:
        """The process that executes a program now; its fields are for the caller to set."""
        process = self._by_pid.get(pid)
        if process is None or not _same_start(process.start_ns, start_ns):
            # Its fork was lost, or it is older than the watching.
            self.healed += process is None
            process = Process(pid, start_ns, self._by_pid.get(parent_pid) or self._heal(parent_pid, 0))
            self._add(process)
        elif process.parent is None or process.parent.pid != parent_pid:
            process.parent = self._by_pid.get(parent_pid) or process.parent
        return process

    def exit(self, pid: int, now_ns: int) -> Process | None:
        """It ended; what had ended long before is forgotten."""
        process = self._by_pid.get(pid)
        if process is not None and not process.ended_ns:
            process.ended_ns = now_ns
            self._ended.append(process)
        self._forget(now_ns)
        return process

    def _forget(self, now_ns: int) -> None:
        while self._ended and (
            self._ended[0].ended_ns + _GRACE_NS < now_ns or len(self._by_pid) > _MOST_PROCESSES
        ):
            old = self._ended.popleft()
            if self._by_pid.get(old.pid) is old:
                del self._by_pid[old.pid]

    def _add(self, process: Process) -> None:
        self._by_pid[process.pid] = process
        while len(self._by_pid) > _MOST_PROCESSES:
            self.forgotten += 1
            del self._by_pid[next(iter(self._by_pid))]

    def _heal(self, pid: int, start_ns: int) -> Process | None:
        facts = self._read(pid) if pid > 0 else None
        if facts is None or (start_ns and not _same_start(facts.start_ns, start_ns)):
            return None
        self.healed += 1
        chain = [facts]
        while len(chain) < MOST_ANCESTORS and facts.ppid and facts.ppid not in self._by_pid:
            above = self._read(facts.ppid)
            if above is None:
                break
            facts = above
            chain.append(facts)
        for facts in reversed(chain):
            self._add(self._made(facts))
        found = self._by_pid[pid]
        if start_ns:
            found.start_ns = start_ns
        return found

    def _made(self, facts: ProcessFacts) -> Process:
        process = Process(facts.pid, facts.start_ns, self._by_pid.get(facts.ppid))
        for name in ("comm", "exe", "cwd", "arguments", "uid", "gid", "tty", "sid", "pgid", "loginuid"):
            setattr(process, name, getattr(facts, name))
        return process


def _same_start(a: int, b: int) -> bool:
    return abs(a - b) <= 2 * _TICK_NS

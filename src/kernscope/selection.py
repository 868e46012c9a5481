"""Whose events count: what the programs of all products share, and how a command's children are followed."""

import os

from kernscope.syntax.literals import encode_string

__all__ = ["Filter", "FilterError", "slashed"]

COMM_MAX_BYTES = 15


class FilterError(ValueError):
    """A filter that cannot match anything; the message says why."""


class Filter:
    """Whose events are looked at.

    Args:
        comm: only tasks of this name.
        pid: only this process.
        command: only the command that the session starts, and all that descend from it.
        cgroup: only processes of the control group (version 2) whose folder this is.
        ignore: process ids left out; our own by default, since what we do is not what the user asks about.
    """

    __slots__ = ("cgroup", "comm", "command", "ignore", "pid")

    def __init__(
        self,
        *,
        comm: str | None = None,
        pid: int | None = None,
        command: bool = False,
        cgroup: str = "",
        ignore: tuple[int, ...] | None = None,
    ) -> None:
        if comm is not None and len(os.fsencode(comm)) > COMM_MAX_BYTES:
            shorter = os.fsdecode(os.fsencode(comm)[:COMM_MAX_BYTES])
            raise FilterError(
                f"process names have at most {COMM_MAX_BYTES} bytes: the kernel knows `{comm}` as `{shorter}`"
            )
        if pid is not None and pid <= 0:
            raise FilterError(f"{pid} is not a process id")
        self.comm, self.pid, self.command, self.cgroup = comm, pid, command, cgroup
        self.ignore = (os.getpid(),) if ignore is None else ignore

    @property
    def everything(self) -> bool:
        """Whether it is the whole machine that is looked at."""
        return self.comm is None and self.pid is None and not self.command and not self.cgroup

    def predicate(self) -> str:
        """The condition as text of our language, without slashes; empty if all calls count."""
        conditions = []
        if self.command:
            conditions.append("has_key(@tree, tid)")
        if self.pid is not None:
            conditions.append(f"pid == {self.pid}")
        if self.comm is not None:
            conditions.append(f"comm == {encode_string(self.comm)}")
        if self.cgroup:
            conditions.append(f"cgroup == cgroupid({encode_string(self.cgroup)})")
        if self.pid is None and not self.command:
            conditions += [f"pid != {pid}" for pid in self.ignore]
        return " && ".join(conditions)

    def clauses(self) -> str:
        """Clauses that keep `@tree`, the thread ids of the command and its descendants; else nothing.

        A thread that calls execve takes the id of its process, hence the third clause.
        """
        if not self.command:
            return ""
        return (
            "begin { @tree[cpid] = 1; }\n"
            "tracepoint:sched:sched_process_fork /has_key(@tree, tid)/ { @tree[args.child_pid] = 1; }\n"
            "tracepoint:sched:sched_process_exec /has_key(@tree, args.old_pid)/ { @tree[tid] = 1; }\n"
            "tracepoint:sched:sched_process_exit /has_key(@tree, tid)/ { delete(@tree, tid); }\n"
        )


def slashed(*conditions: str) -> str:
    """`/condition && …/` of those that are not empty, or nothing."""
    predicate = " && ".join(filter(None, conditions))
    return f"/{predicate}/ " if predicate else ""

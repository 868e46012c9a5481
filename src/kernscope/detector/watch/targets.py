"""Whom a call is done to: the process that it names by a number, as the caller's namespace counts."""

from __future__ import annotations

import os

from kernscope.kernel.process_table import link, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.detector.watch.processes import Process, ProcessTree

__all__ = ["target_process"]

_TICK_NS = 10_000_000
_OWN: list[str] = []


def target_process(tree: ProcessTree, caller: Process | None, pid: int) -> Process | None:
    """The process that `caller` knows as `pid`; None where that cannot be told."""
    if caller is None or not _counts_otherwise(caller.pid):
        return tree.get(pid)
    # Its own /proc has the number; when that process began and its name tell who it is here.
    text = read_file(caller.pid, f"root/proc/{pid}/stat") or b""
    name, end, rest = text.partition(b"(")[2].rpartition(b") ")
    fields = rest.split()
    if not end or len(fields) < 20:
        return None
    comm, ticks = name.decode("utf-8", "surrogateescape"), int(fields[19])
    return next((one for one in tree if one.start_ns // _TICK_NS == ticks and one.comm == comm), None)


def _counts_otherwise(pid: int) -> bool:
    """Whether a process lives in another namespace of pids than this one."""
    if not _OWN:
        _OWN.append(link(os.getpid(), "ns/pid") or "")
    theirs = link(pid, "ns/pid")
    return theirs is not None and theirs != _OWN[0]

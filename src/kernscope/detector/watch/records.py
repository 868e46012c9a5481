"""Records of the program → events, and the tree of processes kept on the way."""

from __future__ import annotations

from kernscope.detector.watch.calls import watched_call
from kernscope.detector.watch.live_event import LiveEvent
from kernscope.detector.watch.processes import Process, ProcessTree
from kernscope.detector.watch.program import ARGUMENT_BYTES, KIND, Plan, Watched
from kernscope.detector.watch.uring import RecentPaths, decode_operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Record = Sequence[Any]
    Handler = Callable[[Record], LiveEvent | None]

__all__ = ["Records"]

_MOST_ENVIRONMENTS = 256
_HEADER = 18
"""Values of a call's record before its parts."""
_DELETED = " (deleted)"
"""As /proc/PID/exe shows a file that no name leads to any more."""


class Records:
    """Makes events of records.

    Args:
        boot_offset_ns: nanoseconds since boot → since 1970, see `kernel.process_table.boot_offset_ns`.

    Attributes:
        count: how many events were made.
        seen: how many records came.
        on_fork: called with the parent of each new process, where it is known.
    """

    def __init__(self, plan: Plan, tree: ProcessTree, *, boot_offset_ns: int, began_ns: int) -> None:
        self.tree = tree
        self.count = self.seen = 0
        self.on_fork: Callable[[Process | None], None] | None = None
        self._calls: dict[int, Watched] = plan.calls
        self._offset, self._began_ns = boot_offset_ns, began_ns
        self._environments: dict[bytes, list[str]] = {}
        self._submitted = RecentPaths() if plan.hooks else None
        self._wants_exit = "procexit" in plan.types
        self._handlers: dict[object, Handler] = {
            KIND["call"]: self._call,
            KIND["exec"]: self._exec,
            KIND["fork"]: self._fork,
            KIND["exit"]: self._exit,
            KIND["uring"]: self._uring,
            KIND["noted"]: self._noted,
        }

    def add_kind(self, kind: int, handler: Handler) -> None:
        """Records of a fragment of the program that begin with `kind` go to `handler`."""
        self._handlers[kind] = handler

    def take(self, record: Record) -> LiveEvent | None:
        """The event of a record; None where it only told of processes."""
        self.seen += 1
        handler = self._handlers.get(record[0])
        return handler(record) if handler is not None else None

    def event(self, type: str, process: Process | None, since_boot_ns: int) -> LiveEvent:
        """A new event, numbered."""
        self.count += 1
        event = LiveEvent(type, self.tree, process, since_boot_ns + self._offset)
        event.number, event.began_ns = self.count, self._began_ns
        return event

    def _call(self, record: Record) -> LiveEvent | None:
        watched = self._calls.get(record[2])
        if watched is None:
            return None
        event = self._acting(watched.call.name, record)
        event.call, event.result, event.arguments = watched.call, record[11], record[12:_HEADER]
        place = _HEADER
        for part in watched.call.parts:
            end = place + len(part.values)
            part.decode(record[place:end], event.raw)
            place = end
        return event

    def _uring(self, record: Record) -> LiveEvent | None:
        raw: dict[str, object] = {}
        type = decode_operation(record, raw)
        if type is None:
            return None
        if self._submitted is not None:
            self._submitted.add(record[3], type, raw)
        event = self._acting(type, record)
        event.call, event.raw = watched_call(type), raw
        return event

    def _noted(self, record: Record) -> LiveEvent | None:
        """What an operation of io_uring really works on: an event where that is not what it was asked for."""
        raw: dict[str, object] = {}
        type = decode_operation(record, raw)
        if type is None or (self._submitted is not None and self._submitted.has(record[3], type, raw)):
            return None
        event = self._acting(type, record)
        event.call, event.raw = watched_call(type), raw
        return event

    def _acting(self, type: str, record: Record) -> LiveEvent:
        """An event of what a process does, from the values that such records begin with."""
        _, now, _, pid, tid, start, ppid, uid, gid, comm, pcomm = record[:11]
        process = self.tree.get(pid, start)
        if process is None:
            # It has ended and nothing was known of it: what the record says is all there is.
            process = Process(pid, start, self.tree.get(ppid))
            process.comm, process.uid, process.gid = comm, uid, gid
        event = self.event(type, process, now)
        event.tid, event.comm, event.parent_comm, event.uid, event.gid = tid, comm, pcomm, uid, gid
        return event

    def _fork(self, record: Record) -> LiveEvent | None:
        _, _, pid, start, parent = record
        child = self.tree.fork(pid, start, parent)
        if self.on_fork is not None:
            self.on_fork(child.parent)
        return None

    def _exit(self, record: Record) -> LiveEvent | None:
        _, now, pid, _, code = record
        process = self.tree.exit(pid, now)
        if not self._wants_exit or process is None:
            return None
        event = self.event("procexit", process, now)
        event.tid = process.pid
        # As wait(2) has it: the low seven bits are the signal, the second byte what exit(2) was given.
        event.raw["texts"] = {"status": code, "ret": code >> 8 & 0xFF, "sig": code & 0x7F}
        return event

    def _exec(self, record: Record) -> LiveEvent | None:
        _, now, pid, start, ppid, uid, gid, loginuid, comm, filename, exe, cwd, size, words, environment = (
            record[:15]
        )
        tty, sid, pgid, stdin, stdout, stderr, mode, owner, links, inode, euid, *named = record[15:]
        process = self.tree.exec(pid, start, ppid)
        process.comm, process.uid, process.gid, process.loginuid = comm, uid, gid, loginuid
        process.exe, process.cwd = exe or filename, cwd
        process.arguments = _words(words)
        process.environment = self._shared_environment(environment)
        process.tty, process.sid, process.pgid = tty, sid, pgid
        process.stdin, process.stdout, process.stderr = stdin, stdout, stderr
        process.exe_mode, process.exe_owner, process.exe_links = mode, owner, links
        process.exe_inode = inode
        process.euid_before, process.euid = process.euid, euid
        if links == 0 and not process.exe.endswith(_DELETED):
            process.exe += _DELETED
        if isinstance(size, int) and size > ARGUMENT_BYTES - 1:
            process.arguments.append("…")
        by_descriptor = isinstance(filename, str) and filename.startswith("/dev/fd/")
        event = self.event("execveat" if by_descriptor else "execve", process, now)
        event.tid = process.pid
        event.raw["path_raw"] = filename
        event.raw["path"] = (named[0] if named else "") or filename
        return event

    def _shared_environment(self, data: object) -> list[str]:
        """Most processes of a session have the same one, of some kilobytes: it is kept once."""
        if not isinstance(data, bytes):
            return []
        found = self._environments.get(data)
        if found is None:
            if len(self._environments) >= _MOST_ENVIRONMENTS:
                self._environments.clear()
            found = self._environments[data] = _words(data)
        return found


def _words(data: object) -> list[str]:
    if not isinstance(data, bytes) or not data:
        return []
    words = data.decode("utf-8", "surrogateescape").split("\0")
    return words[:-1] if not words[-1] else words

"""Links: what keeps a program attached. Closing the link detaches; nothing is pinned."""

import fcntl
import os
from struct import pack

from kernscope.kernel.errors import AttachError
from kernscope.kernel.object import KernelObject
from kernscope.kernel.program import Program
from kernscope.kernel.syscall import Buffer, bpf_result
from kernscope.tables.bpf import Command

__all__ = ["Link", "attach_function", "detach_together", "link_create", "raw_tracepoint_open"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable, Sequence

_DETACH_THREADS = 128
"""Each thread waits in the kernel, not on a CPU; they share RCU grace periods."""

_IOC_DISABLE = 0x2401
"""``PERF_EVENT_IOC_DISABLE`` of include/uapi/linux/perf_event.h."""

_FEW_EVENTS = 4
"""So many take less time to close than is worth a process."""


class Link(KernelObject):
    """An attachment. `event_fd` is the perf event under it, or -1; before Linux 5.15 it is all there is."""

    __slots__ = ("event_fd", "file", "is_tracepoint")

    is_read = False
    """Whether its program runs when it is read (`read_some`), and only then."""

    def read_some(self, objects: int) -> bool:
        """Let its program run for at most so many objects; False if there are no more."""
        return False

    def __init__(self, fd: int, target: str, event_fd: int = -1, *, is_tracepoint: bool = False) -> None:
        super().__init__(fd, target)
        self.event_fd = event_fd
        self.is_tracepoint = is_tracepoint
        self.file: tuple[str, int, int] | None = None
        """The path, device and inode of the file that is probed, where that is a program or a library."""

    @property
    def closed(self) -> bool:
        return self.fd < 0 and self.event_fd < 0

    @property
    def replaced_file(self) -> str:
        """The path of the file that is probed, if it leads to another file by now; else empty."""
        path, *file = self.file or ("", 0, 0)
        now = _identity(path)
        return path if now and now != file else ""

    def follow(self, path: str) -> None:
        """Remember which file `path` leads to."""
        identity = _identity(path)
        if identity:
            self.file = (path, identity[0], identity[1])

    def close_link(self) -> None:
        """Detach the program, and keep the perf event."""
        super().close()

    def close(self) -> None:
        """Detach. Waits tens of ms where a perf tracepoint is under it (see `detach_together`)."""
        super().close()
        event, self.event_fd = self.event_fd, -1
        if event >= 0:
            os.close(event)


def _identity(path: str) -> list[int]:
    try:
        status = os.stat(path)
    except OSError:
        return []
    return [status.st_dev, status.st_ino]


def raw_tracepoint_open(program: Program, name: str = "") -> Link:
    """BPF_RAW_TRACEPOINT_OPEN: attach to the raw tracepoint `name`.

    BTF-typed programs (TRACING with TRACE_RAW_TP, fentry, fexit, LSM) take no name: theirs was given at load.

    Raises:
        AttachError: ENOENT if there is no such tracepoint.
    """
    text = Buffer(name.encode() + b"\0")
    attribute = Buffer(pack("=QIIQ", text.address if name else 0, program.fd, 0, 0))
    fd = bpf_result(Command.RAW_TRACEPOINT_OPEN, attribute)
    if fd < 0:
        raise AttachError(-fd, "BPF_RAW_TRACEPOINT_OPEN", name or program.name)
    return Link(fd, name or program.name)


def link_create(
    program: Program,
    target_fd: int,
    attach_type: int,
    *,
    flags: int = 0,
    extra: bytes = b"",
    target: str = "",
) -> Link:
    """BPF_LINK_CREATE. `extra` is the attach type's own part of the attribute (e.g. the cookie).

    Raises:
        AttachError: with `target`, or the program's name, as the target.
    """
    attribute = Buffer(pack("=IIII", program.fd, target_fd, attach_type, flags) + extra.ljust(48, b"\0"))
    fd = bpf_result(Command.LINK_CREATE, attribute)
    if fd < 0:
        raise AttachError(-fd, "BPF_LINK_CREATE", target or program.name)
    return Link(fd, target or program.name)


def attach_function(program: Program, target: str, *, attach_type: int = 0, cookie: int = 0) -> Link:
    """Attach a program that was loaded for a kernel function: fentry, fexit, LSM.

    `cookie`: what bpf_get_attach_cookie() says there; other numbers than 0 want Linux 5.19, and the `attach_type` that
    the program was loaded with.

    Raises:
        AttachError: the function cannot be patched, or has as many programs as it can have (38).
    """
    if cookie:
        return link_create(program, 0, attach_type, extra=pack("=IIQ", 0, 0, cookie), target=target)
    try:
        return raw_tracepoint_open(program)
    except AttachError as problem:
        raise AttachError(problem.errno or 0, problem.command, target) from None


def detach_together(links: "Sequence[KernelObject]", *, background: bool = False) -> None:
    """Close all `links`. When this returns, none of their programs is attached.

    Two waits are in the way where a perf tracepoint is under a link (seen on 6.18, some 40 ms each):
    - closing the link waits for the programs' RCU grace period. These waits run side by side and are shared.
    - closing the event then waits for the tracepoint's grace period, holding the kernel's `event_mutex`
      (kernel/trace/trace_event_perf.c, perf_trace_destroy), so one after the other, whatever we do.

    Args:
        background: leave the second kind of wait, when it is long, to a short-lived child process. The events
            are stopped and have no program by then; they cost nothing and go away by themselves.
    """
    slow: list[Link] = []
    for link in links:
        if isinstance(link, Link) and link.event_fd >= 0 and link.is_tracepoint:
            slow.append(link)
        else:
            link.close()
    # Before Linux 5.15 there are no links on events: a program is detached when its event is closed.
    linked = all(link.fd >= 0 for link in slow)
    side_by_side([link.close_link for link in slow], _DETACH_THREADS)
    if background and linked and len(slow) > _FEW_EVENTS:
        for link in slow:
            fcntl.ioctl(link.event_fd, _IOC_DISABLE)
        if _close_in_child([link.event_fd for link in slow]):
            for link in slow:
                link.close()  # the child holds them too: this waits for nothing
            return
    side_by_side([link.close for link in slow], _DETACH_THREADS)


def side_by_side(actions: "list[Callable[[], None]]", threads: int) -> None:
    """Run all `actions`, up to `threads` at a time; errors of single ones are dropped."""
    if len(actions) < 2:
        for action in actions:
            action()
        return
    from _thread import allocate_lock, start_new_thread  # `threading` costs 5 ms to import

    remaining = list(actions)

    def work(done: "LockType | None") -> None:
        try:
            while True:
                try:
                    action = remaining.pop()
                except IndexError:
                    return
                try:  # noqa: SIM105
                    action()
                except OSError:
                    pass  # nothing that can be done about a descriptor that does not close
        finally:
            if done is not None:
                done.release()

    running = []
    for _ in range(min(threads, len(actions)) - 1):
        done = allocate_lock()
        done.acquire()
        try:
            start_new_thread(work, (done,))
        except RuntimeError:  # no more threads: this one does the rest
            break
        running.append(done)
    work(None)
    for done in running:
        done.acquire()


def _close_in_child(fds: list[int]) -> bool:
    """Fork a process that only holds `fds` and exits, so that their closing happens in it."""
    try:
        child = os.fork()
    except OSError:
        return False
    if child:
        os.waitpid(child, 0)
        return True
    try:
        # Twice, so that nobody has to wait for the one that takes long; in a session of its own, so that no
        # terminal signal ends it early, and without our files, so that no pipe stays open through it.
        if os.fork() == 0:
            os.setsid()
            kept = sorted(fds)
            for first, last in zip([-1, *kept], [*kept, _highest_fd() + 1], strict=True):
                os.closerange(first + 1, last)
    finally:
        os._exit(0)


def _highest_fd() -> int:
    try:
        return max(int(name) for name in os.listdir("/proc/self/fd"))
    except (OSError, ValueError):
        return os.sysconf("SC_OPEN_MAX")

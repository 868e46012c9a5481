"""BPF iterators: a file whose reading runs a program for one kernel object after the other.

The kernel ends a read when the program has written as many bytes as were asked for (kernel/bpf/bpf_iter.c,
bpf_seq_read), or when there are no more objects. Programs here write one byte per object.
"""

import errno
import os
from struct import pack

from kernscope.kernel.errors import AttachError, KernelError
from kernscope.kernel.link import Link, link_create
from kernscope.kernel.program import Program
from kernscope.kernel.syscall import Buffer, bpf_result
from kernscope.tables.bpf import AttachType, Command

__all__ = ["Iteration", "attach_iterator"]

_INFO_BYTES = 16
"""``union bpf_iter_link_info`` of include/uapi/linux/bpf.h."""

_OF_TASKS = frozenset(("task", "task_file", "task_vma"))
"""These can be told the process: ``task.pid``, behind ``task.tid``, since Linux 6.1."""

_ALWAYS_TOLD = {"cgroup": pack("=I", 2)}
"""What an iterator must be told: cgroup's order, here BPF_CGROUP_ITER_DESCENDANTS_PRE (from the root)."""


class Iteration(Link):
    """The link, and the open file that is read. Closing it ends it."""

    __slots__ = ("_file",)

    is_read = True

    def __init__(self, link: Link, file: int) -> None:
        super().__init__(link.fd, link.name)
        link.fd = -1
        self._file = file

    def read_some(self, objects: int) -> bool:
        """Run the program for at most `objects` more objects. False: there are none left.

        Raises:
            KernelError: the kernel gave up.
        """
        if self._file < 0:
            return False
        try:
            if os.read(self._file, objects):
                return True
        except BlockingIOError:
            return True  # a million objects without a byte: the kernel wants to be asked again
        except OSError as error:
            raise KernelError(error.errno or errno.EIO, "read", self.name) from None
        self._close_file()
        return False

    def _close_file(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def close(self) -> None:
        self._close_file()
        super().close()


def attach_iterator(program: Program, name: str, *, process: int = 0, target: str = "") -> Iteration:
    """An iteration of `program`, which was loaded for iterator `name`, from its first object on.

    Args:
        process: only this process's objects, for iterators over tasks and what tasks have.

    Raises:
        AttachError: ESRCH if there is no such process.
    """
    told = _ALWAYS_TOLD.get(name, b"")
    if process and name in _OF_TASKS:
        told = pack("=II", 0, process)
    info = Buffer(told.ljust(_INFO_BYTES, b"\0"))
    extra = pack("=QI", info.address, len(info)) if told else b""
    try:
        link = link_create(program, 0, AttachType.TRACE_ITER, extra=extra, target=target)
    except AttachError as error:
        if error.errno == errno.ESRCH:
            raise AttachError(errno.ESRCH, error.command, target, f"there is no process {process}") from None
        if error.errno in (errno.EINVAL, errno.E2BIG) and process:
            hint = "this kernel cannot iterate over one process (Linux 6.1 can): leave out `-p`, and test `ctx.task`"
            raise AttachError(error.errno, error.command, target, hint) from None
        raise
    # union bpf_attr, iter_create: link_fd, flags.
    file = bpf_result(Command.ITER_CREATE, Buffer(pack("=II", link.fd, 0)))
    if file < 0:
        link.close()
        raise AttachError(-file, "BPF_ITER_CREATE", target)
    return Iteration(link, file)

"""Programs on functions in user space: one link for many places of a file, or one perf event of source `uprobe` each.

Source of the layouts: the `uprobe_multi` part of ``union bpf_attr`` in include/uapi/linux/bpf.h; of ``struct
perf_event_attr``, config1 (`uprobe_path`) and config2 (`probe_offset`), include/uapi/linux/perf_event.h; the bits of
`config` in /sys/bus/event_source/devices/uprobe/format.
"""

import errno
import os
from struct import pack

from kernscope.kernel.errors import AttachError
from kernscope.kernel.facts import online_cpus
from kernscope.kernel.link import Link, link_create
from kernscope.kernel.perf import attach_event, perf_event_open
from kernscope.kernel.program import Program
from kernscope.kernel.syscall import Buffer
from kernscope.tables.bpf import UPROBE_MULTI_RETURN, AttachType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["attach_uprobe", "attach_uprobe_multi"]

_REFERENCE_SHIFT = 32
"""`ref_ctr_offset` is `config:32-63`."""

_HINTS = {
    errno.ENOENT: "the file is not there any more",
    errno.ESRCH: "the process has ended",
    errno.EBADF: "it is not a regular file",
    errno.EINVAL: "the kernel allows no probe at this place: it is outside the file's code, or not the begin of an "
    "instruction",
    errno.EOPNOTSUPP: "the kernel cannot step over the instruction at this place",
    524: "the kernel cannot step over the instruction at this place",  # ENOTSUPP, known to the kernel alone
    errno.EIO: "the file system of the program allows no probes, or the file changed",
    errno.ENOSPC: "the kernel's list of user probes is full",
}


def attach_uprobe_multi(
    program: Program,
    path: str,
    offsets: "Sequence[int]",
    *,
    at_return: bool = False,
    cookies: "Sequence[int]" = (),
    semaphores: "Sequence[int]" = (),
    process: int = 0,
    target: str = "",
) -> Link:
    """`program`, loaded for TRACE_UPROBE_MULTI, on many places of one file: on all of them, or on none.

    Args:
        offsets: places in the file, in bytes.
        at_return: run when the functions that begin there return.
        cookies: one per place, for bpf_get_attach_cookie().
        semaphores: places in the file of counters that tell a program that it is probed (0: none), one per place.
        process: only in this process; 0 for all.

    Raises:
        AttachError: the kernel does not say at which place it failed.
    """
    count = len(offsets)
    file, places = _path(path), Buffer(pack(f"={count}Q", *offsets))
    numbers = Buffer(pack(f"={count}Q", *cookies)) if cookies else None
    counters = Buffer(pack(f"={count}Q", *semaphores)) if any(semaphores) else None
    extra = pack(
        "=QQQQIII",
        file.address,
        places.address,
        counters.address if counters is not None else 0,
        numbers.address if numbers is not None else 0,
        count,
        UPROBE_MULTI_RETURN if at_return else 0,
        process,
    )
    try:
        link = link_create(program, 0, AttachType.TRACE_UPROBE_MULTI, extra=extra, target=target or path)
    except AttachError as problem:
        raise problem.explained(_HINTS) from None
    if not process:
        link.follow(path)
    return link


def attach_uprobe(
    program: Program,
    path: str,
    offset: int,
    *,
    at_return: bool = False,
    cookie: int = 0,
    semaphore: int = 0,
    process: int = 0,
    target: str = "",
) -> Link:
    """`program` on one place of a file; the arguments are those of `attach_uprobe_multi`.

    Raises:
        AttachError: the kernel allows no probe there.
    """
    from kernscope.kernel.kprobe import event_source

    type, return_bit = event_source("uprobe")
    file = _path(path)
    config = semaphore << _REFERENCE_SHIFT | (1 << return_bit if at_return else 0)
    try:
        event = perf_event_open(
            type,
            config,
            config1=file.address,
            config2=offset,
            period=1,
            pid=process or -1,
            cpu=-1 if process else online_cpus()[0],
            target=target or path,
        )
    except AttachError as problem:
        raise problem.explained(_HINTS) from None
    try:
        link = attach_event(program, event, target or path, cookie=cookie, is_tracepoint=True)
    except AttachError as problem:
        raise problem.explained(_HINTS) from None
    if not process:
        link.follow(path)
    return link


def _path(path: str) -> Buffer:
    return Buffer(os.fsencode(path) + b"\0")

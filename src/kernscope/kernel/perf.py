"""perf_event_open(2): tracepoints by id and software clocks, with a BPF program on them.

Source of the layouts: ``struct perf_event_attr`` (size 64, PERF_ATTR_SIZE_VER0, is enough here) in
include/uapi/linux/perf_event.h.
"""

import errno
import fcntl
import os
from struct import Struct, pack

from kernscope.kernel.errors import AttachError
from kernscope.kernel.facts import online_cpus
from kernscope.kernel.link import Link, link_create
from kernscope.kernel.program import Program
from kernscope.kernel.syscall import Buffer, syscall
from kernscope.tables.arch import ARCHITECTURES
from kernscope.tables.bpf import AttachType

__all__ = [
    "PerfType",
    "SoftwareEvent",
    "attach_event",
    "attach_timer",
    "attach_tracepoint",
    "perf_event_open",
]

_ATTRIBUTE = Struct("=IIQQQQQIIQQQ")
"""type, size, config, period or frequency, sample_type, read_format, flag bits, wakeup, bp_type, config1,
config2, branch_sample_type (72 bytes, PERF_ATTR_SIZE_VER1)."""

_FLAG_DISABLED = 1 << 0
_FLAG_INHERIT = 1 << 1
_FLAG_FREQUENCY = 1 << 10

_OPEN_CLOEXEC = 1 << 3

# _IO('$', n) of include/uapi/linux/perf_event.h; SET_BPF is _IOW('$', 8, __u32).
_IOC_ENABLE = 0x2400
_IOC_SET_BPF = 0x40042408

_machine = os.uname().machine
_NR_PERF_EVENT_OPEN = ARCHITECTURES[_machine].syscall_perf_event_open if _machine in ARCHITECTURES else -1


class PerfType:
    """``enum perf_type_id``."""

    HARDWARE = 0
    SOFTWARE = 1
    TRACEPOINT = 2
    HW_CACHE = 3
    RAW = 4
    BREAKPOINT = 5


class SoftwareEvent:
    """``enum perf_sw_ids``."""

    CPU_CLOCK = 0
    TASK_CLOCK = 1
    PAGE_FAULTS = 2
    CONTEXT_SWITCHES = 3
    CPU_MIGRATIONS = 4
    PAGE_FAULTS_MIN = 5
    PAGE_FAULTS_MAJ = 6
    ALIGNMENT_FAULTS = 7
    EMULATION_FAULTS = 8
    DUMMY = 9
    BPF_OUTPUT = 10
    CGROUP_SWITCHES = 11


def perf_event_open(
    type: int,
    config: int,
    *,
    period: int = 0,
    frequency: int = 0,
    pid: int = -1,
    cpu: int = -1,
    config1: int = 0,
    config2: int = 0,
    breakpoint_type: int = 0,
    inherit: bool = False,
    target: str = "",
) -> int:
    """A new, disabled perf event's file descriptor.

    Args:
        period: events (for clocks: ns) between two samples; or
        frequency: samples per second.
        pid, cpu: -1 means any; not both.
        config1, config2: for a breakpoint its address and length; `breakpoint_type` is the sum of its modes.
        inherit: threads and processes that `pid` starts have it, too.

    Raises:
        AttachError: with `target` as the target.
    """
    attribute = Buffer(
        _ATTRIBUTE.pack(
            type,
            _ATTRIBUTE.size,
            config,
            frequency or period,
            0,
            0,
            _FLAG_DISABLED | (_FLAG_FREQUENCY if frequency else 0) | (_FLAG_INHERIT if inherit else 0),
            # One wakeup per sample; without it nothing is wrong, as no ring buffer is mapped.
            1,
            breakpoint_type,
            config1,
            config2,
            0,
        )
    )
    # The numbers -1 travel as unsigned long; the kernel takes the low 32 bits of each.
    fd = syscall(_NR_PERF_EVENT_OPEN, attribute.address, pid, cpu, -1, _OPEN_CLOEXEC)
    if fd < 0:
        raise AttachError(-fd, "perf_event_open", target or f"type {type} config {config}")
    return fd


def attach_event(
    program: Program, event_fd: int, target: str, *, cookie: int = 0, is_tracepoint: bool = False
) -> Link:
    """Put `program` on a perf event and start it. Takes over `event_fd`, also when it fails.

    Raises:
        AttachError: the kernel does not let this program on this event.
    """
    link: Link | None = None
    try:
        try:
            link = link_create(
                program, event_fd, AttachType.PERF_EVENT, extra=pack("=Q", cookie), target=target
            )
            fd, link.fd = link.fd, -1
        except AttachError as error:
            # Kernels before 5.15 have no perf links: the program then belongs to the event itself.
            if error.errno != errno.EINVAL or cookie:
                raise
            _ioctl(event_fd, _IOC_SET_BPF, program.fd, "PERF_EVENT_IOC_SET_BPF", target)
            fd = -1
        attached = Link(fd, target, event_fd, is_tracepoint=is_tracepoint)
    except BaseException:
        os.close(event_fd)
        raise
    try:
        _ioctl(event_fd, _IOC_ENABLE, 0, "PERF_EVENT_IOC_ENABLE", target)
    except BaseException:
        attached.close()
        raise
    return attached


def attach_tracepoint(program: Program, event_id: int, target: str, *, cookie: int = 0) -> Link:
    """`program` on the tracepoint with tracefs id `event_id`, on all CPUs.

    One event on CPU 0 is enough: tracepoint programs hang on the event's definition, not on the CPU
    (kernel/trace/trace_event_perf.c, perf_event_attach_bpf_prog).
    """
    cpu = online_cpus()[0]
    event = perf_event_open(PerfType.TRACEPOINT, event_id, period=1, cpu=cpu, target=target)
    return attach_event(program, event, target, cookie=cookie, is_tracepoint=True)


def attach_timer(
    program: Program, *, period_ns: int = 0, frequency: int = 0, every_cpu: bool = False, target: str = ""
) -> list[Link]:
    """`program` on the software CPU clock: on one CPU, or on each online CPU.

    The clock may stand still on idle CPUs, in virtual machines above all: then nothing is sampled there.

    Raises:
        AttachError: what was attached by then is detached again.
    """
    links: list[Link] = []
    try:
        for cpu in online_cpus() if every_cpu else online_cpus()[:1]:
            event = perf_event_open(
                PerfType.SOFTWARE,
                SoftwareEvent.CPU_CLOCK,
                period=period_ns,
                frequency=frequency,
                cpu=cpu,
                target=target or "timer",
            )
            links.append(attach_event(program, event, target or "timer"))
    except BaseException:
        for link in links:
            link.close()
        raise
    return links


def _ioctl(fd: int, request: int, argument: int, command: str, target: str) -> None:
    try:
        fcntl.ioctl(fd, request, argument)
    except OSError as error:
        raise AttachError(error.errno or errno.EINVAL, command, target) from None

"""Hardware breakpoints: perf events of PERF_TYPE_BREAKPOINT with a program on them.

Sources: perf_event_open(2), include/uapi/linux/hw_breakpoint.h, kernel/events/hw_breakpoint.c.
"""

import errno

from kernscope.kernel.counter import in_process, on_cpus
from kernscope.kernel.errors import AttachError
from kernscope.kernel.link import Link
from kernscope.kernel.perf import PerfType, perf_event_open
from kernscope.kernel.program import Program

__all__ = ["attach_watchpoint"]

_HINTS = {
    errno.ENOSPC: "all of the processor's debug registers are in use (x86 has four): watch fewer addresses",
    errno.EINVAL: "the processor cannot watch this address in this way",
    errno.EOPNOTSUPP: "the processor, or the hypervisor that this machine runs on, has no debug registers",
    errno.EPERM: "the kernel does not let this process be watched: see `kernel.perf_event_paranoid`",
}


def attach_watchpoint(
    program: Program, address: int, length: int, mode: int, *, process: int = 0, target: str = ""
) -> list[Link]:
    """`program` on each access to an address: in all threads of `process`, or everywhere if that is 0.

    Threads and processes that `process` starts are watched, too.

    Raises:
        AttachError: what was attached by then is detached again.
    """

    def open_event(pid: int, cpu: int) -> int:
        return perf_event_open(
            PerfType.BREAKPOINT,
            0,
            period=1,
            pid=pid,
            cpu=cpu,
            config1=address,
            config2=length,
            breakpoint_type=mode,
            inherit=pid >= 0,
            target=target,
        )

    try:
        if process:
            return in_process(program, process, open_event, target)
        return on_cpus(program, open_event, target)
    except AttachError as error:
        if error.command != "perf_event_open":
            raise
        raise error.explained(_HINTS) from None

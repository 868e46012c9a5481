"""Perf events that count: on each CPU, or in all threads of a process and what they start."""

import errno
import os

from kernscope.kernel.errors import AttachError
from kernscope.kernel.facts import online_cpus
from kernscope.kernel.link import Link
from kernscope.kernel.perf import PerfType, attach_event, perf_event_open
from kernscope.kernel.program import Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["attach_counter", "in_process", "on_cpus"]

_NO_COUNTER = (
    "the processor, or the hypervisor that this machine runs on, has no such counter; software events are always "
    "there: `software:cpu-clock:1e6` fires once per millisecond of each CPU"
)


def attach_counter(
    program: Program, type: int, config: int, *, period: int, process: int = 0, target: str = ""
) -> list[Link]:
    """`program` after every `period` events: counted on each online CPU, or in `process` if that is not 0.

    Raises:
        AttachError: what was attached by then is detached again.
    """

    def open_event(pid: int, cpu: int) -> int:
        return perf_event_open(type, config, period=period, pid=pid, cpu=cpu, inherit=pid >= 0, target=target)

    try:
        return (
            in_process(program, process, open_event, target)
            if process
            else on_cpus(program, open_event, target)
        )
    except AttachError as error:
        missing = (errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV)
        if type == PerfType.SOFTWARE or error.command != "perf_event_open" or error.errno not in missing:
            raise
        raise AttachError(error.errno or 0, error.command, target, _NO_COUNTER) from None


def on_cpus(program: Program, open_event: "Callable[[int, int], int]", target: str) -> list[Link]:
    """`program` on the event that `open_event(-1, cpu)` opens, for each online CPU."""
    return _attach_all(program, [(-1, cpu) for cpu in online_cpus()], open_event, target)


def in_process(
    program: Program, process: int, open_event: "Callable[[int, int], int]", target: str
) -> list[Link]:
    """`program` on the event that `open_event(thread, -1)` opens, for each thread of `process`.

    Threads that are started meanwhile are found by looking again; a thread that ends meanwhile is left out.
    """
    links: list[Link] = []
    known: set[int] = set()
    try:
        while fresh := _threads(process, target) - known:
            known |= fresh
            for thread in sorted(fresh):
                try:
                    links += _attach_all(program, [(thread, -1)], open_event, target)
                except AttachError as error:
                    if error.errno != errno.ESRCH or len(known) == 1:
                        raise
    except BaseException:
        for link in links:
            link.close()
        raise
    return links


def _threads(process: int, target: str) -> set[int]:
    try:
        return {int(name) for name in os.listdir(f"/proc/{process}/task")}
    except OSError:
        raise AttachError(errno.ESRCH, "perf_event_open", target, f"there is no process {process}") from None


def _attach_all(
    program: Program, places: list[tuple[int, int]], open_event: "Callable[[int, int], int]", target: str
) -> list[Link]:
    links: list[Link] = []
    try:
        for pid, cpu in places:
            links.append(attach_event(program, open_event(pid, cpu), target))
    except BaseException:
        for link in links:
            link.close()
        raise
    return links

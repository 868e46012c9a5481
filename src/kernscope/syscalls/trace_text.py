"""Traced calls as lines for people and as JSON lines."""

import time

from kernscope.output.escape import escape_text
from kernscope.syscalls.trace import SyscallEvent

__all__ = ["LineWriter", "json_line"]

_COMM_COLUMNS = 15


class LineWriter:
    """Turns events into lines: `15:43:06.123456 cat 4711 openat(AT_FDCWD, "/x", O_RDONLY) = 3 <0.000012>`.

    Args:
        boot_offset_ns: CLOCK_REALTIME minus CLOCK_BOOTTIME; None asks the clocks.
    """

    def __init__(self, boot_offset_ns: int | None = None) -> None:
        self._offset_ns = clock_offset_ns() if boot_offset_ns is None else boot_offset_ns
        self._second = -1
        self._clock = ""

    def line(self, event: SyscallEvent) -> str:
        """One line without its newline; everything that others chose is escaped."""
        now_ns = event.start_ns + self._offset_ns
        second, rest = divmod(now_ns, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._clock = time.strftime("%H:%M:%S", time.localtime(second))
        who = str(event.pid) if event.tid == event.pid else f"{event.pid}/{event.tid}"
        start = f"{self._clock}.{rest // 1000:06d} {escape_text(event.comm):<{_COMM_COLUMNS}} {who:>7} "
        text = f"{start}{event.call_text} = {event.result_text}"
        if not event.finished:
            return f"{start}{event.call_text} <unfinished ...>"
        if event.result is None:
            return text
        return f"{text} <{event.duration_ns / 1e9:.6f}>"


def clock_offset_ns() -> int:
    """CLOCK_REALTIME minus CLOCK_BOOTTIME, now."""
    return time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def json_line(event: SyscallEvent, boot_offset_ns: int) -> str:
    """One JSON object: raw values beside decoded ones, times in nanoseconds since 1970."""
    import json

    arguments = dict(zip(event.names, event.texts)) | event.strings
    cut = event.cut
    return json.dumps(
        {
            "time_ns": event.start_ns + boot_offset_ns,
            "process": event.comm,
            "pid": event.pid,
            "tid": event.tid,
            "syscall": event.name,
            "args": arguments,
            "raw_args": list(event.values),
            **({"cut": cut} if cut else {}),
            "result": event.result,
            "error": event.error or None,
            "duration_ns": event.duration_ns if event.result is not None else None,
            **({} if event.finished else {"unfinished": True}),
        }
    )

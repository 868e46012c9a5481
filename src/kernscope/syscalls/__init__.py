"""Which system calls run, how often they fail, how long they take: programs of our language, and how to show
them.

`Summary` counts, `Trace` reports call by call. Both only write a program's text and turn what comes back into
tables and lines; nothing here talks to the kernel.

    summary = Summary(by="process")
    with kernscope.run(summary.text, duration=5) as session:
        session.run()
    for row in summary.rows(session.maps):
        print(row.label, row.calls, row.errors_by_name())
"""

__all__ = [
    "Filter",
    "FilterError",
    "Report",
    "Row",
    "Summary",
    "SyscallEvent",
    "Trace",
    "TraceSink",
    "UnknownSyscall",
    "Watcher",
    "doctor_json",
    "doctor_text",
    "listing_text",
    "match_syscalls",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.selection import Filter, FilterError
    from kernscope.syscalls.doctor import Report, doctor_json, doctor_text
    from kernscope.syscalls.listing import listing_text
    from kernscope.syscalls.summary import Row, Summary
    from kernscope.syscalls.trace import SyscallEvent, Trace, UnknownSyscall, match_syscalls
    from kernscope.syscalls.trace_sink import TraceSink
    from kernscope.syscalls.watch import Watcher

_HOMES = {
    "Filter": "kernscope.selection",
    "FilterError": "kernscope.selection",
    "Report": "doctor",
    "Row": "summary",
    "Summary": "summary",
    "SyscallEvent": "trace",
    "Trace": "trace",
    "TraceSink": "trace_sink",
    "UnknownSyscall": "trace",
    "Watcher": "watch",
    "doctor_json": "doctor",
    "doctor_text": "doctor",
    "listing_text": "listing",
    "match_syscalls": "trace",
}


def __getattr__(name: str) -> object:
    # The table does not need the trace's flag sets, and neither needs the doctor.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home if "." in home else f"kernscope.syscalls.{home}"), name)

"""See what a Linux machine is doing, from its own kernel.

    import kernscope
    program = 'tracepoint:syscalls:sys_enter_openat { print((pid, comm, str(args.filename))) }'
    with kernscope.run(program) as session:
        for event in session:
            print(event.value)

Everything the `kernscope` command can do is exported here; each part is imported when it is first used.
"""

__version__ = "0.1.0"

__all__ = [
    "DUMP_STAGES",
    "AttachError",
    "Bundle",
    "CompileError",
    "Diagnostic",
    "ErrorEvent",
    "Event",
    "EventSink",
    "Histogram",
    "JsonSink",
    "KernelError",
    "LostEvent",
    "NotSupportedError",
    "RefusedError",
    "Session",
    "SessionError",
    "Sink",
    "Stats",
    "TextSink",
    "UnknownCode",
    "ValueEvent",
    "VerifierError",
    "code_names",
    "compile",
    "doctor",
    "dump",
    "escape_text",
    "explain",
    "list_probes",
    "probe_fields",
    "render_text",
    "run",
    "suggest",
    "syscalls",
    "to_json",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope import syscalls
    from kernscope.api import DUMP_STAGES, compile, doctor, dump, list_probes, probe_fields, run
    from kernscope.bundle import Bundle
    from kernscope.diagnostics import (
        CompileError,
        Diagnostic,
        UnknownCode,
        code_names,
        explain,
        render_text,
        suggest,
        to_json,
    )
    from kernscope.kernel.errors import AttachError, KernelError, NotSupportedError, VerifierError
    from kernscope.output import (
        ErrorEvent,
        Event,
        EventSink,
        Histogram,
        JsonSink,
        LostEvent,
        Sink,
        Stats,
        TextSink,
        ValueEvent,
        escape_text,
    )
    from kernscope.runtime import RefusedError, Session, SessionError

_HOMES = {
    "kernscope.api": "DUMP_STAGES compile doctor dump list_probes probe_fields run",
    "kernscope.bundle": "Bundle",
    "kernscope.diagnostics": "CompileError Diagnostic UnknownCode code_names explain render_text suggest to_json",
    "kernscope.kernel.errors": "AttachError KernelError NotSupportedError VerifierError",
    "kernscope.output": "ErrorEvent Event EventSink Histogram JsonSink LostEvent Sink Stats TextSink "
    "ValueEvent escape_text",
    "kernscope.runtime": "RefusedError Session SessionError",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "syscalls":
        return import_module("kernscope.syscalls")
    for home, names in _HOMES.items():
        if name in names.split():
            value = getattr(import_module(home), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

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
    "AttachedEvent",
    "Bundle",
    "BundleError",
    "CompileError",
    "Diagnostic",
    "EndEvent",
    "ErrorEvent",
    "Event",
    "EventSink",
    "Histogram",
    "JoinEvent",
    "JsonSink",
    "KernelError",
    "KeyedValueEvent",
    "LostEvent",
    "MapEvent",
    "MissedEvent",
    "NotSupportedError",
    "PrintfEvent",
    "RefusedError",
    "Session",
    "SessionError",
    "Sink",
    "Stats",
    "TextSink",
    "TimeEvent",
    "UnknownCode",
    "UnknownTool",
    "ValueEvent",
    "VerdictEvent",
    "VerifierError",
    "code_names",
    "compile",
    "compile_apart",
    "detector",
    "doctor",
    "dump",
    "escape_text",
    "explain",
    "format_program",
    "has_feature",
    "list_probes",
    "list_types",
    "load",
    "machine_info",
    "probe_fields",
    "profiler",
    "program_probes",
    "render_text",
    "require_privileges",
    "run",
    "run_tool",
    "save",
    "suggest",
    "syscalls",
    "to_json",
    "tools",
    "type_text",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope import detector, profiler, syscalls, tools
    from kernscope.api import (
        DUMP_STAGES,
        compile,
        compile_apart,
        doctor,
        dump,
        format_program,
        has_feature,
        list_probes,
        list_types,
        load,
        machine_info,
        probe_fields,
        program_probes,
        require_privileges,
        run,
        run_tool,
        save,
        type_text,
    )
    from kernscope.bundle import Bundle
    from kernscope.bundle.serial import BundleError
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
        AttachedEvent,
        EndEvent,
        ErrorEvent,
        Event,
        EventSink,
        Histogram,
        JoinEvent,
        JsonSink,
        KeyedValueEvent,
        LostEvent,
        MapEvent,
        MissedEvent,
        PrintfEvent,
        Sink,
        Stats,
        TextSink,
        TimeEvent,
        ValueEvent,
        VerdictEvent,
        escape_text,
    )
    from kernscope.runtime import RefusedError, Session, SessionError
    from kernscope.tools import UnknownTool

_HOMES = {
    "kernscope.api": "DUMP_STAGES compile compile_apart doctor dump format_program has_feature list_probes list_types "
    "load machine_info probe_fields program_probes require_privileges type_text run run_tool save",
    "kernscope.bundle": "Bundle",
    "kernscope.bundle.serial": "BundleError",
    "kernscope.diagnostics": "CompileError Diagnostic UnknownCode code_names explain render_text suggest to_json",
    "kernscope.kernel.errors": "AttachError KernelError NotSupportedError VerifierError",
    "kernscope.output": "AttachedEvent EndEvent ErrorEvent Event EventSink Histogram JoinEvent "
    "JsonSink KeyedValueEvent LostEvent MapEvent MissedEvent PrintfEvent Sink Stats "
    "TextSink TimeEvent ValueEvent VerdictEvent escape_text",
    "kernscope.runtime": "RefusedError Session SessionError",
    "kernscope.tools": "UnknownTool",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in ("detector", "profiler", "syscalls", "tools"):
        return import_module(f"kernscope.{name}")
    for home, names in _HOMES.items():
        if name in names.split():
            value = getattr(import_module(home), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

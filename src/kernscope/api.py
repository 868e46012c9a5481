"""The public functions: what a program can do with Kernscope in one call each."""

from collections.abc import Sequence

from kernscope.kernel import Kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from kernscope.bundle import Bundle
    from kernscope.output.sink import Sink
    from kernscope.runtime import Session
    from kernscope.syscalls.doctor import Report

__all__ = ["DUMP_STAGES", "compile", "doctor", "dump", "list_probes", "probe_fields", "run"]

DUMP_STAGES = ("ast", "types", "ir", "registers", "asm", "bundle")
"""What `dump` can show."""


_shared: Kernel | None = None


def _kernel() -> Kernel:
    """The running kernel; what has been asked of it once need not be asked again."""
    global _shared
    if _shared is None:
        _shared = Kernel()
    return _shared


def run(
    program: "str | Bundle",
    *,
    name: str = "<program>",
    args: Sequence[str] = (),
    command: Sequence[str] | None = None,
    pid: int | None = None,
    only_pid: bool = False,
    sinks: "Sequence[Sink]" = (),
    duration: float | None = None,
    print_maps: bool = True,
    settings: "Mapping[str, int | str | bool] | None" = None,
    dump: "Callable[[str, str], None] | None" = None,
) -> "Session":
    """Compile a program and prepare its run; entering the session, or iterating over it, starts it.

    Args:
        program: its text, in the bpftrace language, or what `compile` or `load` returned.
        name: what messages call it.
        args: its positional parameters `$1`, `$2`, …
        command: arguments of a command to start, trace from its first instruction, and end with.
        pid: a process to end with.
        only_pid: leave out events of other processes than `pid`.
        sinks: where output goes, besides the events that iterating yields.
        duration: seconds until the end.
        print_maps: hand the maps to the sinks at the end.
        settings: what a command line decides, see `kernscope.sema.check`: `{"unsafe": True}` for instance.
        dump: called with a stage's name and its text as the program is compiled.

    Raises: CompileError; when it starts, KernelError, AttachError, NotSupportedError, SessionError.
    """
    from kernscope.runtime import Session

    kernel = _kernel()
    started = kernel.start_command(command) if command is not None else None
    try:
        if isinstance(program, str):
            # the command's process exists (it waits), so that `cpid` is a constant of the program
            bundle = _compile(
                program,
                name,
                args,
                cpid=started.pid if started is not None else 0,
                pid=(pid or 0) if only_pid else 0,
                settings=settings,
                dump=dump,
            )
        else:
            bundle = program
        return Session(
            bundle,
            kernel,
            sinks=sinks,
            command=started,
            pid=pid,
            duration=duration,
            print_maps=print_maps and bool(bundle.config["print_maps_on_exit"]),
        )
    except BaseException:
        if started is not None:
            started.close()
        raise


def _compile(text: str, name: str, args: Sequence[str], **options: "Any") -> "Bundle":
    import os

    from kernscope.compiler import compile_source
    from kernscope.diagnostics import Source

    return compile_source(Source(name, text), _kernel(), parameters=args, environment=os.environ, **options)


def compile(
    text: str,
    *,
    name: str = "<program>",
    args: Sequence[str] = (),
    settings: "Mapping[str, int | str | bool] | None" = None,
) -> "Bundle":
    """Compile a program for this kernel. Raises CompileError."""
    return _compile(text, name, args, settings=settings)


def dump(text: str, stage: str, *, name: str = "<program>", args: Sequence[str] = ()) -> str:
    """What a program has become after one of `DUMP_STAGES`, as text.

    Raises: CompileError; ValueError if there is no such stage.
    """
    if stage not in DUMP_STAGES:
        raise ValueError(f"there is no stage {stage!r}: the stages are {', '.join(DUMP_STAGES)}")
    parts: list[str] = []

    def keep(name: str, text: str) -> None:
        if name == stage:
            parts.append(text)

    _compile(text, name, args, dump=keep)
    return "\n".join(parts)


def list_probes(pattern: str = "*") -> list[str]:
    """The probes of this kernel whose names match, sorted.

    A pattern without `*`, `?`, `[` or `:` matches all names that contain it.
    """
    from fnmatch import fnmatchcase

    from kernscope.probes import KINDS

    if not any(c in pattern for c in "*?[:"):
        pattern = f"*{pattern}*"
    kernel = _kernel()
    names = (name for kind in KINDS for name in kind.list_names(kernel))
    return sorted(n for n in names if fnmatchcase(n, pattern) or fnmatchcase(n, f"*:{pattern}"))


def probe_fields(name: str) -> list[tuple[str, str]]:
    """`(C type, name)` of each member of `args` in the probe `name`; empty where it has none."""
    provider, _, rest = name.partition(":")
    category, _, event = rest.partition(":")
    if provider not in ("tracepoint", "t") or not event:
        return []
    found = _kernel().tracepoint_format(category, event)
    return [(_type_of(field), field.name) for field in found.own_fields]


def _type_of(field: object) -> str:
    count, dynamic = field.count, field.dynamic  # type: ignore[attr-defined]
    text: str = field.type_text  # type: ignore[attr-defined]
    if dynamic:
        return f"__{dynamic} {text}[]"
    return f"{text}[{count}]" if count else text


def doctor() -> "Report":
    """What works on this kernel with these privileges, tried out anew."""
    from kernscope.syscalls.examine import examine

    return examine(_kernel())

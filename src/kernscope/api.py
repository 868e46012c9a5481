"""The public functions: what a program can do with Kernscope in one call each."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from kernscope.kernel import Kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.bundle import Bundle
    from kernscope.output.sink import Sink
    from kernscope.runtime import Session
    from kernscope.syscalls.doctor import Report

__all__ = ["DUMP_STAGES", "compile", "doctor", "dump", "list_probes", "probe_fields", "run"]

DUMP_STAGES = ("ast", "types", "ir", "registers", "asm", "bundle")
"""What `dump` can show."""


def run(
    text: str,
    *,
    name: str = "<program>",
    args: Sequence[str] = (),
    command: Sequence[str] | None = None,
    pid: int | None = None,
    sinks: "Sequence[Sink]" = (),
    duration: float | None = None,
    print_maps: bool = True,
) -> "Session":
    """Compile a program and prepare its run; entering the session, or iterating over it, starts it.

    Args:
        text: the program, in the bpftrace language.
        name: what messages call it.
        args: its positional parameters `$1`, `$2`, …
        command: arguments of a command to start, trace from its first instruction, and end with.
        pid: a process to end with.
        sinks: where output goes, besides the events that iterating yields.
        duration: seconds until the end.
        print_maps: hand the maps to the sinks at the end.

    Raises: CompileError; when it starts, KernelError, AttachError, NotSupportedError, SessionError.
    """
    raise NotImplementedError


def compile(text: str, *, name: str = "<program>", args: Sequence[str] = ()) -> "Bundle":
    """Compile a program for this kernel. Raises CompileError."""
    raise NotImplementedError


def dump(text: str, stage: str, *, name: str = "<program>", args: Sequence[str] = ()) -> str:
    """What a program has become after one of `DUMP_STAGES`, as text. Raises CompileError."""
    raise NotImplementedError


def list_probes(pattern: str = "*") -> list[str]:
    """The probes of this kernel whose names match, sorted.

    A pattern without `*`, `?`, `[` or `:` matches all names that contain it.
    """
    from kernscope.probes import KINDS

    if not any(c in pattern for c in "*?[:"):
        pattern = f"*{pattern}*"
    with Kernel() as kernel:
        return sorted(
            name for kind in KINDS for name in kind.list_names(kernel) if fnmatchcase(name, pattern)
        )


def probe_fields(name: str) -> list[tuple[str, str]]:
    """`(C type, name)` of each member of `args` in the probe `name`; empty where it has none."""
    provider, _, rest = name.partition(":")
    category, _, event = rest.partition(":")
    if provider not in ("tracepoint", "t") or not event:
        return []
    with Kernel() as kernel:
        found = kernel.tracepoint_format(category, event)
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

    with Kernel() as kernel:
        return examine(kernel)

"""The public functions: what a program can do with Kernscope in one call each."""

from collections.abc import Sequence

from kernscope.kernel import Kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from kernscope.bundle import Bundle
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.output.sink import Sink
    from kernscope.runtime import Session
    from kernscope.syscalls.doctor import Report

__all__ = [
    "DUMP_STAGES",
    "compile",
    "compile_apart",
    "doctor",
    "dump",
    "format_program",
    "list_probes",
    "list_types",
    "load",
    "machine_info",
    "probe_fields",
    "program_probes",
    "require_privileges",
    "run",
    "run_tool",
    "save",
    "type_text",
]

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
    own_files: Sequence[str] = (),
    sinks: "Sequence[Sink]" = (),
    duration: float | None = None,
    dry_run: bool = False,
    ttl: float | None = None,
    print_maps: bool = True,
    settings: "Mapping[str, int | str | bool] | None" = None,
    dump: "Callable[[str, str], None] | None" = None,
    verifier_log: "Callable[[str, str], None] | None" = None,
) -> "Session":
    """Compile a program and prepare its run; entering the session, or iterating over it, starts it.

    Args:
        program: its text, in the bpftrace language, or what `compile` or `load` returned.
        name: what messages call it.
        args: its positional parameters `$1`, `$2`, …
        command: arguments of a command to start, trace from its first instruction, and end with.
        pid: a process to end with.
        only_pid: leave out events of other processes than `pid`.
        own_files: files, and libraries by name, of which the command gets copies, if that is allowed: function probes
            in them are met by the command and its descendants; without, by the command's own process only.
        sinks: where output goes, besides the events that iterating yields.
        duration: seconds until the end.
        dry_run: only count the verdicts of the program (`deny()`, `drop()`, …).
        ttl: seconds for which verdicts are followed; then the run ends.
        print_maps: hand the maps to the sinks at the end.
        settings: what a command line decides, see `kernscope.sema.check`: `{"unsafe": True}` for instance, or
            `{"enforce": True}` for a program with verdicts.
        dump: called with a stage's name and its text as the program is compiled.
        verifier_log: called with a BPF program's name and what the kernel's verifier said of it.

    Raises: CompileError; when it starts, KernelError, AttachError, NotSupportedError, SessionError.
    """
    from kernscope.runtime import Session

    kernel = _kernel()
    access = _altered(kernel, settings or {}, verifier_log)
    copies = [file.path for text in own_files for file in kernel.user_files(text)]
    started = kernel.start_command(command, copies=copies) if command is not None else None
    try:
        if isinstance(program, str):
            # the command's process exists (it waits), so that `cpid` is a constant of the program
            bundle = _compile(
                program,
                name,
                args,
                cpid=started.pid if started is not None else 0,
                pid=(pid or 0) if only_pid else 0,
                kernel=access,
                settings=dict(settings or {})
                | ({"dry_run": True} if dry_run else {})
                | ({"own_files": True} if started is not None and started.has_copies else {}),
                dump=dump,
            )
        else:
            bundle = program
        return Session(
            bundle,
            access,
            sinks=sinks,
            command=started,
            pid=pid,
            duration=duration,
            dry_run=dry_run,
            ttl=ttl,
            print_maps=print_maps and bool(bundle.config["print_maps_on_exit"]),
        )
    except BaseException:
        if started is not None:
            started.close()
        raise


def _altered(
    kernel: Kernel,
    settings: "Mapping[str, int | str | bool]",
    verifier_log: "Callable[[str, str], None] | None",
) -> "KernelAccess":
    """The kernel without the features that must not be used, telling what its verifier says."""
    missing = settings.get("off_features", "")
    if not missing and verifier_log is None:
        return kernel
    from kernscope.kernel.altered import LoggingKernel, PoorerKernel

    poorer = PoorerKernel(kernel, str(missing).split(",")) if missing else kernel
    return LoggingKernel(poorer, verifier_log) if verifier_log is not None else poorer


def run_tool(
    name: str,
    *args: str,
    command: Sequence[str] | None = None,
    sinks: "Sequence[Sink]" = (),
    duration: float | None = None,
) -> "Session":
    """Prepare the run of one of `kernscope.tools`, as `run` does for a program.

    Args:
        name: the tool's, for instance `"opensnoop"`.
        args: its positional parameters.

    Raises: UnknownTool, and what `run` raises.
    """
    from kernscope.tools import find

    tool = find(name)
    return run(tool.text, name=f"{name}.bt", args=args, command=command, sinks=sinks, duration=duration)


def _compile(
    text: str, name: str, args: Sequence[str], kernel: "KernelFacts | None" = None, **options: "Any"
) -> "Bundle":
    import os

    from kernscope.compiler import compile_source
    from kernscope.diagnostics import Source

    return compile_source(
        Source(name, text), kernel or _kernel(), parameters=args, environment=os.environ, **options
    )


def compile(
    text: str,
    *,
    name: str = "<program>",
    args: Sequence[str] = (),
    settings: "Mapping[str, int | str | bool] | None" = None,
) -> "Bundle":
    """Compile a program for this kernel, to be run now or kept with `save`. Raises CompileError."""
    from kernscope.kernel.fingerprint import AskedFacts

    facts = AskedFacts(_kernel())
    bundle = _compile(text, name, args, kernel=facts, settings=settings)
    bundle.machine = facts.machine
    return bundle


def compile_apart(
    text: str,
    *,
    name: str = "<program>",
    args: Sequence[str] = (),
    settings: "Mapping[str, int | str | bool] | None" = None,
    keep: bool = False,
) -> "Bundle":
    """The same as `compile`, in a process of its own: for programs that run for long, since compiling takes much more
    memory than running. The calling process must not have other threads.

    Args:
        keep: keep what was compiled in the cache folder, and use what was kept there by an earlier run.

    Raises CompileError.
    """
    from kernscope import __version__
    from kernscope.bundle.serial import BundleError
    from kernscope.kernel.kept_programs import keep_program, kept_program, program_key

    key = program_key(repr((text, args, sorted((settings or {}).items()))), __version__) if keep else ""
    if keep and (kept := kept_program(key)) is not None:
        try:
            return load(kept)
        except BundleError:
            pass  # for another kernel, or damaged
    data = _compiled_by_child(text, name, args, settings)
    if data is None:
        # It compiles once more, to say what is wrong.
        return compile(text, name=name, args=args, settings=settings)
    if keep:
        keep_program(key, data)
    return load(data)


def _compiled_by_child(
    text: str, name: str, args: Sequence[str], settings: "Mapping[str, int | str | bool] | None"
) -> bytes | None:
    """The program as `save` makes it; None where that failed."""
    import os

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(save(compile(text, name=name, args=args, settings=settings)))
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    return None if status else data


def require_privileges() -> None:
    """Raises NotSupportedError, before anything is compiled, where this process may not load programs at all."""
    from kernscope.kernel.errors import NotSupportedError
    from kernscope.kernel.facts import missing_capabilities

    missing = missing_capabilities()
    if missing:
        raise NotSupportedError("tracing", f"{' and '.join(missing)}: run it as root, for instance with sudo")


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


def format_program(text: str, *, name: str = "<program>") -> str:
    """The program laid out anew: comments and meaning stay, and formatting the result changes nothing.

    Raises CompileError where the text cannot be parsed.
    """
    from kernscope.diagnostics import Source
    from kernscope.syntax.format import format_source

    return format_source(Source(name, text))


def save(bundle: "Bundle") -> bytes:
    """A compiled program as bytes, for a file that `load` reads."""
    from kernscope.bundle.serial import encode

    return encode(bundle)


def load(data: bytes) -> "Bundle":
    """A compiled program out of what `save` made, for this kernel.

    Raises BundleError if it is damaged, or was compiled by another Kernscope or for another machine.
    """
    from kernscope.bundle.serial import decode
    from kernscope.kernel.fingerprint import check_machine

    bundle = decode(data)
    check_machine(bundle.machine, _kernel())
    return bundle


def list_probes(pattern: str = "*", pid: int = 0) -> list[str]:
    """The probes of this kernel whose names match, sorted. See `kernscope.probes.listing.matching`.

    `pid`, if not 0, is the process whose programs and libraries the names of files in the pattern mean.
    """
    from kernscope.probes.listing import matching

    return matching(pattern, _kernel(), pid)


def program_probes(text: str, *, name: str = "<program>") -> list[str]:
    """The probes that a program's targets match here, in its order. Raises CompileError."""
    from kernscope.diagnostics import Source
    from kernscope.probes.listing import program_targets
    from kernscope.syntax import parse

    return program_targets(parse(Source(name, text)), _kernel())


def probe_fields(name: str) -> list[tuple[str, str]]:
    """`(C type, name)` of each member of `args` in the probe `name`; empty where it has none."""
    from kernscope.probes.listing import fields

    return fields(name, _kernel())


def list_types(pattern: str) -> list[str]:
    """The kernel's structs, unions and enums that match, sorted: `struct list_*`.

    Raises NotSupportedError if this kernel does not describe its types.
    """
    from kernscope.btf.listing import matching_types

    return matching_types(_kernel().btf(), pattern)


def type_text(name: str) -> str:
    """The definition of `struct list_head` in C, or an empty text."""
    from kernscope.btf import listing

    return listing.type_text(_kernel().btf(), name)


def has_feature(name: str) -> bool:
    """Whether this kernel has what `doctor` lists, by its short name (`kernel/feature_table.py`): `lsm`, `xdp`."""
    return _kernel().has_feature(name)


def machine_info() -> list[tuple[str, list[tuple[str, str]]]]:
    """What a bug report needs to know, as sections of keys and values, in bpftrace's words."""
    from kernscope import __version__
    from kernscope.kernel.summary import summary

    return summary(_kernel(), __version__)


def doctor() -> "Report":
    """What works on this kernel with these privileges, tried out anew."""
    from kernscope.syscalls.examine import examine

    return examine(_kernel())

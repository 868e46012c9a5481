"""`kernscope run`: run a bpftrace program."""

import os

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, UsageError
from kernscope.cli.program import read_program
from kernscope.cli.run_options import SECTIONS
from kernscope.cli.terminal import complain, use_color, write
from kernscope.cli.tracing import split_command, trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.cli.program import Program

__all__ = ["COMMAND"]

_NOTIFY = "__BPFTRACE_NOTIFY_PROBES_ATTACHED"
"""Set to 1 in the environment, it is printed as a line once everything is attached: wrappers wait for it."""


def _run(arguments: Arguments) -> int:
    mode = _mode(arguments)
    if mode == "version":
        write(f"kernscope {kernscope.__version__}, for programs of bpftrace v0.27.1\n")
        return 0
    if mode in ("info", "list"):
        from kernscope.cli import listing

        if mode == "info":
            return listing.show_info()
        listing.run_listing(arguments)
        return 0
    program = read_program(arguments)
    if program.bundle is not None:
        _check_compiled(arguments, program.bundle, mode)
    if mode == "format":
        write(kernscope.format_program(program.text, name=program.name))
        return 0
    if mode != "run":
        from kernscope.cli import rehearsal

        return rehearsal.rehearse(arguments, program, mode)
    return trace_program(arguments, program)


def _mode(arguments: Arguments) -> str:
    """What to do: `run`, or the name of something instead. Raises UsageError for what is not here."""
    if arguments.text("emit_elf"):
        raise UsageError("there is no ELF file here: `kernscope compile -o FILE` writes a compiled program")
    if arguments.text("emit_llvm"):
        raise UsageError("there is no LLVM here: `-d codegen` shows the intermediate form")
    for name in ("version", "info", "list"):
        if arguments.flag(name):
            return name
    for name, mode in (("fmt", "format"), ("dry_run", "rehearsal"), ("test", "test"), ("bench", "bench")):
        if arguments.flag(name):
            return mode
    return arguments.text("mode") or "run"


def _check_compiled(arguments: Arguments, bundle: "kernscope.Bundle", mode: str) -> None:
    """What was decided when it was compiled cannot be decided anew; unsafe functions need a yes each time."""
    for option, name in (("-p", "pid"), ("-d", "debug"), ("-I", "I"), ("--include", "include")):
        if arguments.given(name):
            raise UsageError(f"`{option}` cannot be given for a compiled program")
    if mode == "format":
        raise UsageError("a compiled program has no text to format")
    if bundle.config.get("unsafe") and not arguments.flag("unsafe"):
        raise UsageError(
            "the program was compiled with `--unsafe`: give that here too, or compile it without"
        )
    if bundle.has_verdicts and mode == "run" and not (arguments.flag("enforce") or arguments.flag("unsafe")):
        raise UsageError(
            "the program has verdicts: allow them with `--enforce`, or count them with `--dry-run`"
        )


def trace_program(arguments: Arguments, program: "Program", *, dry_run: bool = False) -> int:
    """Run a program; in a dry run its verdicts are only counted."""
    command = split_command(arguments.text("c"))

    def start(sink: "kernscope.Sink") -> "kernscope.Session":
        sinks = [sink]
        if os.environ.get(_NOTIFY) == "1":
            sinks.append(kernscope.EventSink(lambda event: _notify(event, sink)))
        session = prepare(arguments, program, command=command, sinks=sinks, dry_run=dry_run)
        if arguments.flag("verbose"):
            _describe(session.bundle)
        return session

    return trace(arguments.text("o"), lambda output: _sink(arguments, output), start)


def prepare(
    arguments: Arguments,
    program: "Program",
    *,
    command: list[str] | None = None,
    sinks: "list[kernscope.Sink] | tuple[()]" = (),
    print_maps: bool = True,
    dry_run: bool = False,
) -> "kernscope.Session":
    """The session, ready to start; what the compiler found odd has been said."""
    stages = [stage for text in arguments.texts("debug") for stage in text.split(",")]
    dump = verifier_log = None
    if stages:
        from kernscope.cli.rehearsal import stage_writer, verifier_writer

        dump, verifier_log = stage_writer(stages), verifier_writer(stages)
    session = kernscope.run(
        program.bundle or program.text,
        name=program.name,
        args=program.arguments,
        command=command,
        pid=arguments.integer("pid"),
        only_pid=True,
        sinks=sinks,
        print_maps=print_maps,
        dry_run=dry_run,
        ttl=arguments.number("ttl"),
        settings=settings(arguments),
        dump=dump,
        verifier_log=verifier_log,
    )
    warnings = session.bundle.warnings
    if warnings and not arguments.flag("no_warnings"):
        complain(kernscope.render_text(warnings, color=use_color(2)))
    return session


def settings(arguments: Arguments) -> dict[str, int | str | bool]:
    """What the command line decides about compiling."""
    return {
        "unsafe": arguments.flag("unsafe"),
        "enforce": arguments.flag("enforce"),
        "tell_verdicts": arguments.flag("verbose"),
        "warn_reads": arguments.flag("warn_reads"),
        "include_dirs": "\n".join(arguments.texts("I")),
        "includes": "\n".join(arguments.texts("include")),
        "off_features": ",".join(arguments.texts("no_feature")),
    }


def _notify(event: object, sink: "kernscope.Sink") -> None:
    if isinstance(event, kernscope.AttachedEvent):
        sink.flush()  # what says the same in the program's own output comes first
        write(f"{_NOTIFY}\n")


def _describe(bundle: "kernscope.Bundle") -> None:
    """What the program has become, program by program."""
    for program in bundle.programs:
        where = program.attach[0].probe + (f" and {n} more" if (n := len(program.attach) - 1) else "")
        by = program.attach[0].kind.replace("_", " ")
        how = "" if where.startswith(f"{by}:") or where == by else f", by {by}"
        complain(f"{program.name}: {len(program.code) // 8} instructions, at {where}{how}")
    probes, maps = bundle.probe_count, len(bundle.user_maps)
    complain(f"{probes} probe{'s' * (probes != 1)}, {maps} map{'s' * (maps != 1)} of the program")


def _sink(arguments: Arguments, output: int) -> "kernscope.TextSink | kernscope.JsonSink":
    quiet, warnings = arguments.flag("quiet"), not arguments.flag("no_warnings")
    buffering = arguments.text("B") or "full"
    if (arguments.text("format") or "text") == "json":
        return kernscope.JsonSink(output, buffering=buffering, quiet=quiet, warnings=warnings)
    # As in bpftrace, only the message about attaching is left out: a program's errors and warnings are its output.
    return kernscope.TextSink(output, 2, buffering=buffering, quiet=quiet, warnings=warnings)


COMMAND = Command(
    "run",
    [
        "[OPTIONS] FILE [ARGUMENT ...] [-- ARGUMENT ...]",
        "[OPTIONS] -e PROGRAM [ARGUMENT ...] [-- ARGUMENT ...]",
        "-l [PATTERN]",
    ],
    "Run a program in the bpftrace language until it exits, its command ends, or Ctrl-C. Maps are printed\n"
    "at the end. FILE is a program, a program compiled by `kernscope compile -o`, or `-` for standard input.",
    SECTIONS,
    _run,
    examples=[
        ("-e 'tracepoint:sched:sched_process_exec { printf(\"%s\\n\", comm); }'", "each program that starts"),
        ("script.bt 1000", "a file; `$1` in it is 1000"),
        ("script.bt -- --limit=5", 'the same with an option of its own, getopt("limit", 1) in it'),
        ("-c 'ls /' -e 'tracepoint:syscalls:sys_enter_openat /pid == cpid/ { @ = count(); }'", "a command"),
    ],
    epilogue="The options are those of bpftrace 0.27: `alias bpftrace='kernscope run'`. The config variables are\n"
    "taken from the environment too (BPFTRACE_MAX_STRLEN …); BPFTRACE_COLOR is auto, always or never. The\n"
    "exit code is that of exit(); else 0 done, 1 the program is wrong, 2 usage, 3 the kernel refused.",
)

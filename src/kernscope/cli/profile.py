"""`kernscope profile`: where the time goes, by stack."""

import os

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, UsageError, positive, seconds
from kernscope.cli.terminal import (
    StopOnSignals,
    complain,
    is_terminal,
    terminal_width,
    use_color,
    write_result,
)

__all__ = ["COMMAND"]

_HIGHEST_HZ = 10_000


def _frequency(text: str) -> int:
    number = positive(text)
    if number > _HIGHEST_HZ:
        raise ValueError(f"at most {_HIGHEST_HZ} samples a second")
    return number


def _mode(arguments: Arguments) -> "kernscope.profiler.Mode":
    modes = kernscope.profiler.MODES
    if not arguments.words:
        raise UsageError(f"say what to profile: {', '.join(modes)}")
    name, *rest = arguments.words
    if rest:
        raise UsageError(f"`{rest[0]}` is one word too many; put a command to run after `--`")
    if name not in modes:
        near = kernscope.suggest(name, modes)
        raise UsageError(
            f"there is no mode `{name}`; "
            + (f"did you mean `{near}`?" if near else f"they are {', '.join(modes)}")
        )
    return kernscope.profiler.mode_named(name)


def _what(arguments: Arguments) -> str:
    if arguments.rest:
        return " ".join(arguments.rest)
    parts = []
    if arguments.integer("pid") is not None:
        parts.append(f"process {arguments.integer('pid')}")
    if arguments.text("comm"):
        parts.append(f"processes called {arguments.text('comm')}")
    if arguments.text("cgroup"):
        parts.append(f"control group {arguments.text('cgroup')}")
    return ", ".join(parts) or "the whole machine"


def _files(arguments: Arguments) -> list[tuple[str, str]]:
    """(file, format) of what is to be written; their names are checked before anything is collected."""
    wanted = []
    for path in arguments.texts("output"):
        format = arguments.text("format")
        if not format:
            known = kernscope.profiler.format_for(path)
            if known is None:
                formats = kernscope.profiler.FORMATS.values()
                raise UsageError(
                    f"`{path}` does not say which format to write: end it in "
                    f"{', '.join(entry.suffixes[0] for entry in formats)}, or give `--format`"
                )
            format = known.name
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
            raise UsageError(f"cannot write `{path}`: there is no folder `{folder}` that can be written")
        wanted.append((path, format))
    return wanted


def _save(profile: "kernscope.profiler.Profile", path: str, format: str) -> int:
    content = kernscope.profiler.write(profile, format)
    try:
        with open(path, "wb") as file:
            file.write(content)
    except OSError as error:
        complain(f"error: cannot write `{path}`: {error.strerror}")
        return 3
    complain(f"written: {path} ({format}, {len(content):,} bytes)")
    return 0


def _show(profile: "kernscope.profiler.Profile", arguments: Arguments, files: list[tuple[str, str]]) -> int:
    format = arguments.text("format")
    if format and not files:
        return write_result(kernscope.profiler.write(profile, format).decode("utf-8", "surrogateescape"))
    top = arguments.integer("top") or 20
    width = terminal_width(1) if is_terminal() else 0
    lines = kernscope.profiler.summary_lines(profile, top=top, width=width)
    if arguments.flag("flame"):
        lines = [
            *kernscope.profiler.flame_lines(profile, width=terminal_width(1), colour=use_color()),
            "",
            *lines[2:],
        ]
    lines += kernscope.profiler.table_lines(profile, width=width)
    code = write_result("".join(f"{line}\n" for line in lines))
    for note in profile.notes:
        complain(f"note: {kernscope.escape_text(note)}")
    return code


def _run(arguments: Arguments) -> int:
    mode, files = _mode(arguments), _files(arguments)
    if arguments.text("format") == "pprof" and not files and is_terminal():
        raise UsageError("pprof files are no text: name a file with `-o`")
    try:
        filter = kernscope.profiler.Filter(
            comm=arguments.text("comm") or None,
            pid=arguments.integer("pid"),
            cgroup=arguments.text("cgroup"),
            command=bool(arguments.rest),
        )
    except kernscope.profiler.FilterError as error:
        raise UsageError(str(error)) from None
    options = kernscope.profiler.Options(filter, frequency=arguments.integer("frequency") or 99)
    collector = kernscope.profiler.Collector(mode, options, what=_what(arguments))
    session = kernscope.run(
        collector.text,
        name=f"kernscope profile {mode.name}",
        command=arguments.rest or None,
        pid=arguments.integer("pid"),
        duration=arguments.number("duration"),
        sinks=[collector.sink],
        print_maps=False,
    )
    live = (
        is_terminal() and not arguments.flag("once") and not arguments.rest and not arguments.text("format")
    )
    screen = kernscope.profiler.Screen(1) if live else None

    def look(profile: "kernscope.profiler.Profile") -> None:
        assert screen is not None
        width, height = screen.size()
        screen.draw(kernscope.profiler.summary_lines(profile, top=height, width=width, height=height - 1))

    try:
        with StopOnSignals(session.stop), session:
            profile = collector.run(
                session, look=look if live else None, interval_s=arguments.number("interval") or 1.0
            )
    finally:
        if screen is not None:
            screen.clear()
    code = _show(profile, arguments, files)
    return max([code, *(_save(profile, path, format) for path, format in files)])


COMMAND = Command(
    "profile",
    ["MODE [OPTIONS]", "MODE [OPTIONS] -- COMMAND [ARGUMENT ...]"],
    "Where time goes, by stack: of the whole machine, a process, a control group, or a command and its\n"
    "children. Programs need no frame pointers; functions of Python are shown as such. On a terminal the\n"
    "functions with most are shown live until Ctrl-C.",
    [
        Option("-d --duration", "SECONDS", "end after this time", convert=seconds),
        Option("-F --frequency", "HZ", "samples a second on each processor; default 99", convert=_frequency),
        Option("-o --output", "FILE", "write this file; its ending says in which format", many=True),
        Option("-f --format", "FORMAT", "write this format, to standard output without -o",
               choices=("html", "svg", "collapsed", "pprof", "speedscope", "firefox", "perf", "json")),
        Option("--flame", "", "draw a flame graph in the terminal's width"),
        Option("-n --top", "N", "functions in the summary; default 20", convert=positive),
        Option("--comm", "NAME", "only processes of this name"),
        Option("-p --pid", "PID", "only this process", convert=positive),
        Option("--cgroup", "PATH", "only processes of this control group (version 2), a folder"),
        Option("-i --interval", "SECONDS", "time between redraws; default 1", convert=seconds),
        Option("--once", "", "nothing live, only the result"),
    ],
    _run,
    examples=[
        ("cpu -d 10 -o flame.html", "ten seconds of the whole machine, as a flame graph for a browser"),
        ("cpu --flame -- python3 script.py", "a Python program from start to end, drawn in the terminal"),
        ("cpu -p 4711 -f collapsed", "one process until Ctrl-C, a line per stack"),
    ],
    epilogue="modes:\n" + "\n".join(f"  {name:<9}{what}" for name, what in kernscope.profiler.MODES.items()),
)  # fmt: skip

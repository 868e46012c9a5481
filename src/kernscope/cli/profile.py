"""`kernscope profile`: where the time goes, by stack."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, UsageError, positive, seconds
from kernscope.cli.profile_files import compare, reshow, save_all, show, wanted_files
from kernscope.cli.terminal import StopOnSignals, is_terminal

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
        near = kernscope.suggest(name, [*modes, *_FINISHED])
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


def _timeline(mode: "kernscope.profiler.Mode", arguments: Arguments, files: list[tuple[str, str]]) -> bool:
    """Whether samples are wanted with their times: by request, or by a format that shows them."""
    if arguments.flag("timeline"):
        if not mode.has_timeline:
            raise UsageError(f"`profile {mode.name}` adds up what it sees: `--timeline` is for `profile cpu`")
        return True
    formats = [format for _, format in files] or [arguments.text("format") or ""]
    known = kernscope.profiler.FORMATS
    return mode.has_timeline and any(format in known and known[format].timed for format in formats)


def _run(arguments: Arguments) -> int:
    finished = _FINISHED.get(arguments.words[0] if arguments.words else "")
    if finished is not None:
        return finished(arguments, list(arguments.words[1:]))
    mode, files = _mode(arguments), wanted_files(arguments)
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
    options = kernscope.profiler.Options(
        filter, frequency=arguments.integer("frequency") or 99, timeline=_timeline(mode, arguments, files)
    )
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
    return max(show(profile, arguments, files), save_all(profile, files))


_FINISHED = {"show": reshow, "diff": compare}
"""What takes profiles instead of a mode."""


COMMAND = Command(
    "profile",
    [
        "MODE [OPTIONS]",
        "MODE [OPTIONS] -- COMMAND [ARGUMENT ...]",
        "show FILE [OPTIONS]",
        "diff BEFORE AFTER [OPTIONS]",
    ],
    "Where time goes, by stack: of the whole machine, a process, a control group, or a command and its\n"
    "children. Programs need no frame pointers; functions of Python are shown as such. On a terminal the\n"
    "functions with most are shown live until Ctrl-C.",
    [
        Option("-d --duration", "SECONDS", "end after this time", convert=seconds),
        Option("-F --frequency", "HZ", "samples a second on each processor; default 99", convert=_frequency),
        Option("-o --output", "FILE", "write this file; its ending says in which format", many=True),
        Option("-f --format", "FORMAT", "write this format, to standard output without -o",
               choices=("html", "svg", "collapsed", "pprof", "speedscope", "firefox", "perf", "json")),
        Option("--timeline", "", "keep the time of each sample; formats that show time do so by themselves"),
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
        ("diff before.json after.json -o diff.html", "what has changed between two profiles (`-o NAME.json`)"),
    ],
    epilogue="modes:\n" + "\n".join(f"  {name:<9}{what}" for name, what in kernscope.profiler.MODES.items()),
)  # fmt: skip

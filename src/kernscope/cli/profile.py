"""`kernscope profile`: where the time goes, by stack."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, UsageError, nanoseconds, positive, seconds
from kernscope.cli.profile_files import compare, reshow, save_all, show, wanted_files
from kernscope.cli.profile_record import moment, size
from kernscope.cli.profile_setup import GRACE_S, prepared, start
from kernscope.cli.terminal import StopOnSignals, complain, is_terminal, write_result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMMAND"]

_HIGHEST_HZ = 10_000


def _frequency(text: str) -> int:
    number = positive(text)
    if number > _HIGHEST_HZ:
        raise ValueError(f"at most {_HIGHEST_HZ} samples a second")
    return number


def _mode(words: list[str]) -> "kernscope.profiler.Mode":
    modes = kernscope.profiler.MODES
    if not words:
        raise UsageError(f"say what to profile: {', '.join(modes)}")
    name, *rest = words
    if name not in modes:
        near = kernscope.suggest(name, [*modes, *_OTHERS])
        raise UsageError(
            f"there is no mode `{name}`; "
            + (f"did you mean `{near}`?" if near else f"they are {', '.join(modes)}")
        )
    if rest:
        raise UsageError(f"`{rest[0]}` is one word too many; put a command to run after `--`")
    return kernscope.profiler.mode_named(name)


def _what(arguments: Arguments) -> str:
    if arguments.rest:
        text = " ".join(arguments.rest)
        return text if len(text) <= _LONG_TEXT else text[: _LONG_TEXT - 1] + "…"
    parts = []
    if arguments.integer("pid") is not None:
        parts.append(f"process {arguments.integer('pid')}")
    if arguments.text("comm"):
        parts.append(f"processes called {arguments.text('comm')}")
    if arguments.text("cgroup"):
        parts.append(f"control group {arguments.text('cgroup')}")
    if arguments.text("container"):
        parts.append(f"container {arguments.text('container')}")
    return ", ".join(parts) or _EVERYTHING


_LONG_TEXT = 100
"""Characters of a command line that are shown."""

_EVERYTHING = "the whole machine"


def _timeline(mode: "kernscope.profiler.Mode", arguments: Arguments, files: list[tuple[str, str]]) -> bool:
    """Whether samples are wanted with their times: by request, or by a format that shows them."""
    if arguments.flag("timeline"):
        if not mode.has_timeline:
            raise UsageError(f"`profile {mode.name}` tells what is there at its end: it has no `--timeline`")
        return True
    formats = [format for _, format in files] or [arguments.text("format") or ""]
    known = kernscope.profiler.FORMATS
    return mode.timeline_is_cheap and any(format in known and known[format].timed for format in formats)


def _record(arguments: Arguments, words: list[str]) -> int:
    """`profile record MODE --to FOLDER`"""
    from kernscope.cli.profile_record import record

    mode = _mode(words)
    options = prepared(arguments, mode.name, timeline=_timeline(mode, arguments, []))
    return record(arguments, mode, options, _what(arguments))


def _run(arguments: Arguments) -> int:
    if not arguments.words and not arguments.rest:
        return write_result(_overview())
    other = _OTHERS.get(arguments.words[0] if arguments.words else "")
    if other is not None:
        return other(arguments, list(arguments.words[1:]))
    for name in ("from", "to", "every", "keep"):
        if arguments.text(name):
            raise UsageError(f"`--{name}` is for `profile record` and `profile show`")
    mode, files = _mode(arguments.words), wanted_files(arguments)
    options = prepared(arguments, mode.name, timeline=_timeline(mode, arguments, files))
    warning = mode.warning(options)
    if warning:
        complain(f"warning: {warning}")
    collector = kernscope.profiler.Collector(mode, options, what=_what(arguments))
    session = start(collector, arguments)
    try:
        with StopOnSignals(session.stop, grace_s=GRACE_S):
            profile = _collected(collector, session, arguments)
            if not profile.samples:
                profile.notes.append(f"no sample: {mode.why_nothing(options)}")
            kernscope.profiler.tell_generated(profile)
            return max(show(profile, arguments, files), save_all(profile, files))
    except KeyboardInterrupt:
        complain("interrupted again: what is not shown or written yet is dropped")
        raise


def _collected(
    collector: "kernscope.profiler.Collector", session: "kernscope.Session", arguments: Arguments
) -> "kernscope.profiler.Profile":
    """Run it to its end; on a terminal what there is, or how long it has run, is shown meanwhile."""
    live = (
        is_terminal() and not arguments.flag("once") and not arguments.rest and not arguments.text("format")
    )
    # A command has the terminal for itself.
    progress = not live and not arguments.rest and is_terminal(2)
    screen = kernscope.profiler.Screen(1 if live else 2) if live or progress else None
    duration = arguments.number("duration")

    def tick(seconds: float) -> None:
        assert screen is not None
        end = f" of {duration:g}" if duration else ""
        line = f"profile {collector.mode.name}: {seconds:.0f}{end} s, Ctrl-C ends it"
        screen.draw([line[: screen.size()[0]]])

    def look(profile: "kernscope.profiler.Profile") -> None:
        assert screen is not None
        width, height = screen.size()
        screen.draw(kernscope.profiler.summary_lines(profile, top=height, width=width, height=height - 1))

    if screen is not None:  # it may take a second until there is something to show
        screen.draw([f"profile {collector.mode.name}: starts, Ctrl-C ends it"[: screen.size()[0]]])
    try:
        with session:
            return collector.run(
                session,
                look=look if live else None,
                tick=tick if progress else None,
                interval_s=arguments.number("interval") or 1.0,
            )
    finally:
        if screen is not None:
            screen.clear()


def _overview() -> str:
    lines = ["usage: kernscope profile MODE [OPTIONS] [-- COMMAND [ARGUMENT ...]]", ""]
    lines += [f"  {name:<9} {what}" for name, what in kernscope.profiler.MODES.items()]
    lines += [
        "",
        "  record    one of these without an end, in a folder of bounded size: record MODE --to FOLDER",
    ]
    lines += ["  show      a profile or a recording in another form: show FILE, show FOLDER --from 14:30"]
    lines += ["  diff      what has changed: diff BEFORE AFTER", ""]
    lines += [
        "`kernscope profile cpu` shows the whole machine until Ctrl-C; `kernscope profile --help` tells more."
    ]
    return "\n".join(lines) + "\n"


_OTHERS: "dict[str, Callable[[Arguments, list[str]], int]]" = {
    "record": _record,
    "show": reshow,
    "diff": compare,
}
"""What stands in the place of a mode."""


COMMAND = Command(
    "profile",
    [
        "MODE [OPTIONS]",
        "MODE [OPTIONS] -- COMMAND [ARGUMENT ...]",
        "record MODE --to FOLDER [OPTIONS] [-- COMMAND [ARGUMENT ...]]",
        "show FILE|FOLDER [OPTIONS]",
        "diff BEFORE AFTER [OPTIONS]",
    ],
    "Where time goes, by stack: of the whole machine, a process, a control group, or a command and its\n"
    "children. Programs need no frame pointers; functions of Python are shown as such. On a terminal the\n"
    "functions with most are shown live until Ctrl-C.",
    {
        "": [
            Option("-d --duration", "DURATION", "end after this time: 10, 1.5s, 500ms, 2m; a number alone is seconds",
                   convert=seconds),
            Option("-F --frequency", "HZ", "samples a second on each processor; default 99", convert=_frequency),
            Option("--wakers", "", "offcpu: also who ended the waiting, above the stack of who waited"),
            Option("--minimum", "DURATION", "offcpu, syscalls, io: leave out what took less: 10us, 5ms, 1s",
                   convert=nanoseconds),
            Option("--min-us", "N", "the same in microseconds", convert=positive),
            Option("--malloc", "", "alloc: what is asked of the C library (with -p or a command; slows it down)"),
            Option("--lines", "", "files and lines of programs, not only functions, and what was inlined there"),
            Option("--timeline", "", "keep when each sample, wait, call … was, which takes more memory; not for alloc"),
        ],
        "whose events count": [
            Option("-p --pid", "PID", "only this process", convert=positive),
            Option("--comm", "NAME", "only processes of this name"),
            Option("--cgroup", "PATH", "only processes of this control group (version 2), a folder"),
            Option("--container", "ID", "only those of this container"),
        ],
        "results": [
            Option("-o --output", "FILE", "write this file; its ending says in which format", many=True),
            Option("-f --format", "FORMAT", "write this format, to standard output without -o",
                   choices=("html", "svg", "collapsed", "pprof", "speedscope", "firefox", "perf", "json")),
            Option("--flame", "", "draw a flame graph in the terminal's width"),
            Option("-n --top", "N", "functions in the summary; default 20", convert=positive),
            Option("-i --interval", "DURATION", "time between redraws; default 1", convert=seconds),
            Option("--once", "", "nothing live, only the result"),
        ],
        "record and show": [
            Option("--to", "FOLDER|TIME", "record: into this folder; show: what was recorded up to this time"),
            Option("--from", "TIME", "show: what was recorded from this time on: 14:30, or 10m ago", convert=moment),
            Option("--every", "DURATION", "record: a file every so often; default 60", convert=seconds),
            Option("--keep", "SIZE", "record: never more than this, the oldest goes; default 1G", convert=size),
        ],
    },
    _run,
    examples=[
        ("cpu -d 10 -o flame.html", "ten seconds of the whole machine, as a flame graph for a browser"),
        ("cpu --flame -- python3 script.py", "a Python program from start to end, drawn in the terminal"),
        ("cpu -p 4711 -f collapsed", "one process until Ctrl-C, a line per stack"),
        ("offcpu --wakers -p 4711 -d 10", "what a process waits for, and who ends that"),
        ("alloc --malloc -- ./server", "what it asks of malloc, and what it never gives back"),
        ("record cpu --to /var/lib/profiles --keep 500M", "all the time, in at most 500 MiB"),
        ("show /var/lib/profiles --from 14:30 --to 14:35 -o then.html", "what ran at that time"),
        ("diff before.json after.json -o diff.html", "what has changed between two profiles (`-o NAME.json`)"),
    ],
    epilogue="modes:\n" + "\n".join(f"  {name:<10}{what}" for name, what in kernscope.profiler.MODES.items()),
)  # fmt: skip

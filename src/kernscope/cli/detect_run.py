"""`kernscope detect run`: watch this host by rules."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.detect_rules import FORMAT, read_rules, show_problems
from kernscope.cli.options import Arguments, Option, seconds
from kernscope.cli.terminal import StopOnSignals, complain, write

__all__ = ["COMMAND"]


def _run(arguments: Arguments) -> int:
    rules = read_rules(arguments.words + (arguments.rest or []))
    show_problems([problem for problem in rules.diagnostics if problem.severity == "error"])
    as_json = arguments.text("format") == "json"

    def show(alert: "kernscope.detector.Alert") -> None:
        write((alert.json() if as_json else alert.text()) + "\n")

    watcher = kernscope.detector.Watcher(rules, show, uring=bool(kernscope.type_text("struct io_open")))
    session = kernscope.run(
        kernscope.compile_apart(watcher.text, name="<rules>"),
        sinks=[watcher.sink],
        duration=arguments.number("duration"),
        print_maps=False,
    )
    with session, StopOnSignals(session.stop):
        watcher.run(session)
    for warning in watcher.warnings:
        complain(f"warning: {warning}\n")
    return 0


COMMAND = Command(
    "detect run",
    ["[FILE ...] [OPTIONS]"],
    "Watch this host by rules, until Ctrl-C. Needs root.",
    [
        Option("-d --duration", "TIME", "end after this time", convert=seconds),
        FORMAT,
    ],
    _run,
    examples=[("rules.yaml", "alerts for these rules")],
)

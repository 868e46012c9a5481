"""`kernscope detect check`: the state of every rule."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.detect_rules import FORMAT, read_rules, show_problems
from kernscope.cli.options import Arguments, UsageError
from kernscope.cli.terminal import write

__all__ = ["COMMAND"]


def _run(arguments: Arguments) -> int:
    files = arguments.words + (arguments.rest or [])
    if not files:
        raise UsageError("say which rules: `kernscope detect check FILE`")
    rules = read_rules(files)
    if arguments.text("format") == "json":
        write(kernscope.detector.states_json(rules))
    else:
        write(kernscope.detector.states_text(rules))
        show_problems(rules.diagnostics)
    return 1 if rules.has_errors else 0


COMMAND = Command(
    "detect check",
    ["FILE ..."],
    "What becomes of each rule on this kind of machine, and every error with its place. Several files are read\n"
    "in their order; later ones change what earlier ones define. Exit code 1 where a rule is wrong.",
    [FORMAT],
    _run,
    examples=[("rules.yaml local.yaml", "which rules can fire here, and what is wrong with the others")],
)

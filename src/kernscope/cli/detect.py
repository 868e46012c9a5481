"""`kernscope detect`: rules of the intrusion detection."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, UsageError
from kernscope.cli.program import read_file
from kernscope.cli.terminal import complain, terminal_width, use_color, write

__all__ = ["COMMAND"]

_OVERVIEW = """\
usage: kernscope detect check FILE ...
       kernscope detect test FILE ... --events FILE

  check  what becomes of each rule on this kind of machine, and every error with its place
  test   the alerts that the rules give for events that were recorded

Rules are read and evaluated, but nothing is watched yet: there is no subcommand for that.
"""


def _run(arguments: Arguments) -> int:
    words = arguments.words + (arguments.rest or [])
    if not words:
        write(_OVERVIEW)
        return 0
    name, *files = words
    actions = {"check": _check, "test": _test}
    if name not in actions:
        near = kernscope.suggest(name, actions)
        hint = f"did you mean `{near}`?" if near else f"there are {' and '.join(actions)}"
        raise UsageError(f"there is no `detect {name}`; {hint}")
    if not files:
        raise UsageError(f"say which rules: `kernscope detect {name} FILE`")
    return actions[name](files, arguments)


def _rules(files: list[str]) -> "kernscope.detector.CheckedRules":
    try:
        return kernscope.detector.check_rules([_source(name) for name in files])
    except kernscope.detector.YamlMissing as missing:
        raise UsageError(str(missing)) from None


def _source(name: str) -> "kernscope.detector.Source":
    return kernscope.detector.decode("<stdin>" if name == "-" else name, read_file(name))


def _complain(diagnostics: "list[kernscope.Diagnostic]") -> None:
    if diagnostics:
        complain(kernscope.render_text(diagnostics, color=use_color(2), width=terminal_width()))


def _check(files: list[str], arguments: Arguments) -> int:
    if arguments.given("events"):
        raise UsageError("`--events` is for `kernscope detect test`")
    rules = _rules(files)
    if arguments.text("format") == "json":
        write(kernscope.detector.states_json(rules))
    else:
        write(kernscope.detector.states_text(rules))
        _complain(rules.diagnostics)
    return 1 if rules.has_errors else 0


def _test(files: list[str], arguments: Arguments) -> int:
    if not arguments.given("events"):
        raise UsageError("say which events: `--events FILE`, one JSON object of fields a line")
    rules = _rules(files)
    problems: list[kernscope.Diagnostic] = []
    events = kernscope.detector.read_events(_source(arguments.text("events")), problems)
    as_json = arguments.text("format") == "json"
    for alert in kernscope.detector.alerts(rules, events):
        write((alert.json() if as_json else alert.text()) + "\n")
    _complain(rules.diagnostics + problems)
    return 1 if rules.has_errors or problems else 0


COMMAND = Command(
    "detect",
    ["check FILE ...", "test FILE ... --events FILE"],
    "Intrusion detection rules in Falco's language. Several files are read in their order; later ones change\n"
    "what earlier ones define. Exit code 1 where a rule is wrong; the other rules go on.",
    [
        Option("--events", "FILE", "recorded events, one JSON object of fields a line"),
        Option("-f --format", "FORMAT", "how to show it", choices=("text", "json"), default="text"),
    ],
    _run,
    examples=[
        ("check rules.yaml local.yaml", "which rules can fire here, and what is wrong with the others"),
        ("test rules.yaml --events attack.jsonl", "the alerts for a recording"),
    ],
)

"""`kernscope detect test`: rules on recorded events."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.detect_rules import FORMAT, read_rules, show_problems, source_of
from kernscope.cli.options import Arguments, Option, UsageError
from kernscope.cli.terminal import write

__all__ = ["COMMAND"]


def _run(arguments: Arguments) -> int:
    files = arguments.words + (arguments.rest or [])
    if not files:
        raise UsageError("say which rules: `kernscope detect test FILE --events FILE`")
    if not arguments.given("events"):
        raise UsageError("say which events: `--events FILE`, one JSON object of fields a line")
    rules = read_rules(files)
    problems: list[kernscope.Diagnostic] = []
    events = kernscope.detector.read_events(source_of(arguments.text("events"), -1), problems)
    as_json = arguments.text("format") == "json"
    for alert in kernscope.detector.alerts(rules, events):
        write((alert.json() if as_json else alert.text()) + "\n")
    show_problems(rules.diagnostics + problems)
    return 1 if rules.has_errors or problems else 0


COMMAND = Command(
    "detect test",
    ["FILE ... --events FILE"],
    "The alerts that rules give for recorded events. Nothing is looked up, so the same files give the same\n"
    "alerts. Exit code 1 where a rule or a line of the recording is wrong; the others go on.",
    [Option("--events", "FILE", "recorded events, one JSON object of fields a line"), FORMAT],
    _run,
    examples=[("rules.yaml --events attack.jsonl", "the alerts for a recording")],
)

"""`kernscope detect config`: the service's configuration, its defaults or whether a file is right."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.detect_rules import show_problems
from kernscope.cli.options import Arguments, UsageError
from kernscope.cli.terminal import write

__all__ = ["COMMAND"]


def _run(arguments: Arguments) -> int:
    files = arguments.words + (arguments.rest or [])
    if not files:
        write(kernscope.detector.default_text())
        return 0
    if len(files) > 1:
        raise UsageError("one configuration at a time: `kernscope detect config FILE`")
    try:
        loaded = kernscope.detector.load_configuration(files[0])
    except (kernscope.detector.ServiceError, kernscope.detector.YamlMissing) as problem:
        raise UsageError(str(problem)) from None
    show_problems(loaded.problems)
    if loaded.errors:
        return 1
    configuration = loaded.configuration
    rules = len(loaded.rules.rules) if loaded.rules is not None else 0
    write(
        f"{files[0]}: {rules} rules, {len(configuration.sinks)} sinks, {len(configuration.ladders)} reactions\n"
    )
    return 0


COMMAND = Command(
    "detect config",
    ["", "FILE"],
    "Print the configuration of `kernscope detect run --config FILE` with all keys, what they mean, and their\n"
    "defaults; or say what is wrong with a file and the rules that it names. Exit code 1 where something is.",
    [],
    _run,
    examples=[
        ("> detect.yaml", "a file to begin with"),
        ("/etc/kernscope/detect.yaml", "whether a file is right, before a reload"),
    ],
)

"""What the subcommands of `kernscope detect` share: reading rules, and showing what is wrong with them."""

import kernscope
from kernscope.cli.options import Arguments, Option, UsageError
from kernscope.cli.program import read_file
from kernscope.cli.terminal import complain, terminal_width, use_color

__all__ = [
    "FORMAT",
    "read_baseline",
    "read_rules",
    "rules_to_watch",
    "session_of",
    "show_problems",
    "source_of",
    "tell",
]

FORMAT = Option("-f --format", "FORMAT", "how to show it", choices=("text", "json"), default="text")


def tell(text: str) -> None:
    """Say something that is no alert, on standard error."""
    complain(f"kernscope detect: {text}\n")


def rules_to_watch(files: list[str]) -> "kernscope.detector.CheckedRules":
    """The rules of files, or the default ones; what is wrong with them is shown."""
    rules = read_rules(files or kernscope.detector.default_rule_files())
    show_problems([problem for problem in rules.diagnostics if problem.severity == "error"])
    return rules


def session_of(watcher: "kernscope.detector.Watcher", arguments: Arguments) -> "kernscope.Session":
    """The session of a watcher's program. Compiling forks, so this comes before any thread."""
    kernscope.require_privileges()
    bundle = kernscope.compile_apart(watcher.text, name="<rules>", keep=True)
    return kernscope.run(
        bundle, sinks=[watcher.sink], duration=arguments.number("duration"), print_maps=False
    )


def read_rules(files: list[str]) -> "kernscope.detector.CheckedRules":
    """The rules of files, and of those in folders, checked. Raises UsageError where PyYAML is missing."""
    try:
        names = kernscope.detector.rule_files(files)
    except OSError as problem:
        raise UsageError(f"cannot read `{problem.filename}`: {problem.strerror}") from None
    except ValueError as problem:
        raise UsageError(str(problem)) from None
    try:
        return kernscope.detector.check_rules([source_of(name) for name in names])
    except kernscope.detector.YamlMissing as missing:
        raise UsageError(str(missing)) from None


def source_of(name: str, *most: int) -> "kernscope.detector.Source":
    """A file's text, as much as `read_file` reads; `-` is standard input."""
    return kernscope.detector.decode("<stdin>" if name == "-" else name, read_file(name, *most))


def show_problems(diagnostics: "list[kernscope.Diagnostic]") -> None:
    """On standard error."""
    if diagnostics:
        complain(kernscope.render_text(diagnostics, color=use_color(2), width=terminal_width()))


def read_baseline(path: str) -> "kernscope.detector.Baseline":
    """What executables usually do. Raises UsageError, and FileNotFoundError where there is no such file."""
    try:
        return kernscope.detector.Baseline.load(path)
    except kernscope.detector.BaselineError as problem:
        raise UsageError(f"`{path}` cannot be used: {problem}; move it away to begin anew") from None
    except kernscope.detector.UnsafePath as problem:
        raise UsageError(f"{problem}; {problem.help}") from None
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise UsageError(f"cannot read `{path}`: {problem.strerror}") from None

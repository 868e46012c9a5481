"""The arguments of a program: positional ones, `$1`, and named ones, `--name=value`, for `getopt()`."""

from collections.abc import Sequence

from kernscope.diagnostics import Diagnostic, error, suggest

__all__ = ["read_arguments", "unknown_options"]

Value = int | str | bool


def read_arguments(arguments: Sequence[str], config: dict[str, Value]) -> list[str]:
    """The positional arguments. Those that begin with `--` go to `config`, where `getopt()` finds them."""
    positional = []
    for argument in arguments:
        if len(argument) > 2 and argument.startswith("--"):
            name, given, text = argument[2:].partition("=")
            config[f"named:{name}"] = text if given else True
        else:
            positional.append(argument)
    return positional


def unknown_options(config: dict[str, Value]) -> list[Diagnostic]:
    """Findings about named arguments that no `getopt()` of the program asks for."""
    known = {key.removeprefix("option:"): value for key, value in config.items() if key.startswith("option:")}
    given = [key.removeprefix("named:") for key in config if key.startswith("named:")]
    found = []
    for name in given:
        if name in known:
            continue
        near = suggest(name, known)
        lines = [
            _usage(option, known[option], str(config.get(f"option-doc:{option}", ""))) for option in known
        ]
        found.append(
            error(
                "program-option",
                f"the program has no option `--{name}`",
                None,
                notes=[f"its options are: {', '.join(lines)}"] if lines else ["it has no options"],
                help=f"did you mean `--{near}`?" if near else None,
            )
        )
    return found


def _usage(name: str, default: Value, doc: str) -> str:
    text = f"`--{name}`" if isinstance(default, bool) else f"`--{name}={default}`"
    return f"{text} ({doc})" if doc else text

"""`kernscope explain`: the page of an error code."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, UsageError
from kernscope.cli.terminal import write

__all__ = ["COMMAND"]


def _run(arguments: Arguments) -> int:
    if not arguments.words:
        write("".join(f"{name}\n" for name in kernscope.code_names()))
        return 0
    if len(arguments.words) > 1:
        raise UsageError("one code at a time")
    code = arguments.words[0].removeprefix("error[").removeprefix("warning[").rstrip("]")
    try:
        write(kernscope.explain(code).rstrip("\n") + "\n")
    except kernscope.UnknownCode as error:
        raise UsageError(str(error)) from None
    return 0


COMMAND = Command(
    "explain",
    ["[CODE]"],
    "Explain an error code, the word in brackets of `error[unknown-field]`. Without one, list them all.",
    [],
    _run,
    examples=[("unknown-field", "what that means, with examples")],
)

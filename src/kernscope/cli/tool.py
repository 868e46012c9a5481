"""`kernscope tool`: list the classic tools, show one, run one."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, UsageError, seconds
from kernscope.cli.terminal import complain, write

__all__ = ["COMMAND"]

# SIGINT and SIGTERM by number: the module `signal` takes long to import.
_ENDING = (2, 15)


def _run(arguments: Arguments) -> int:
    if not arguments.words:
        write(_listing())
        return 0
    name, *words = arguments.words
    words += arguments.rest or []
    try:
        tool = kernscope.tools.find(name)
    except kernscope.UnknownTool as error:
        hint = "" if error.near else "; `kernscope tool` lists them"
        raise UsageError(f"{error}{hint}") from None
    if arguments.flag("page") or arguments.flag("source"):
        write(tool.page if arguments.flag("page") else tool.text)
        return 0
    _check(tool, words)
    return _trace(tool, words, arguments)


def _listing() -> str:
    """All tools, by what one wants to know."""
    tools = kernscope.tools.tools()
    width = max(len(tool.name) for members in tools.values() for tool in members)
    lines = ["usage: kernscope tool NAME [ARGUMENT ...]; `kernscope tool --page NAME` tells more of one"]
    for group, members in tools.items():
        lines += ["", kernscope.tools.GROUPS[group]]
        lines += [f"  {tool.name:<{width}}  {tool.title}" for tool in members]
    return "\n".join(lines) + "\n"


def _check(tool: "kernscope.tools.Tool", words: list[str]) -> None:
    """Refuse arguments that the tool does not take."""
    if len(words) > len(tool.arguments):
        unexpected = words[len(tool.arguments)]
        raise UsageError(f"unexpected argument `{unexpected}`: usage: kernscope tool {tool.usage}")
    for argument, word in zip(tool.arguments, words):
        if argument.number and not word.isdecimal():
            raise UsageError(f"{argument.name} is a number ({argument.meaning}), not `{word}`")


def _trace(tool: "kernscope.tools.Tool", words: list[str], arguments: Arguments) -> int:
    quiet = arguments.flag("quiet")
    buffering = "full" if arguments.text("o") else "line"
    output = _open_output(arguments.text("o"))
    sink: kernscope.TextSink | kernscope.JsonSink
    if arguments.text("format") == "json":
        sink = kernscope.JsonSink(output, buffering=buffering, quiet=quiet)
    else:
        sink = kernscope.TextSink(output, None if quiet else 2, buffering=buffering, quiet=quiet)
    try:
        command = arguments.text("c")
        session = kernscope.run_tool(
            tool.name,
            *words,
            command=_split(command) if command else None,
            sinks=[sink],
            duration=arguments.number("duration"),
        )
        code = session.run(signals=_ENDING)
    finally:
        if output != 1:
            import os

            os.close(output)
    if isinstance(sink.error, BrokenPipeError):
        raise sink.error
    if sink.error is not None:
        complain(f"error: writing to {arguments.text('o') or 'standard output'}: {sink.error.strerror}")
        return 3
    return code


def _split(text: str) -> list[str]:
    import shlex

    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"`-c {text}`: {error}") from None
    if not words:
        raise UsageError("`-c` needs a command")
    return words


def _open_output(name: str) -> int:
    if not name:
        return 1
    import os

    try:
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise UsageError(f"cannot write `{name}`: {error.strerror}") from None


COMMAND = Command(
    "tool",
    ["", "NAME [ARGUMENT ...] [OPTIONS]", "--page NAME", "--source NAME"],
    "Without a name, list the tools by what one wants to know. With one, run it until Ctrl-C.",
    [
        Option("-d --duration", "SECONDS", "end after this long", convert=seconds),
        Option("-c", "COMMAND", "start this command, trace until it ends"),
        Option("-o", "FILE", "write the output to a file"),
        Option("-f --format", "FORMAT", "how to print", choices=("text", "json")),
        Option("-q --quiet", "", "no messages"),
        Option("--page", "", "show the tool's documentation"),
        Option("--source", "", "show the tool's program"),
    ],
    _run,
    examples=[
        ("opensnoop", "each file that is opened, by whom, and whether it worked"),
        ("runqlat -d 10", "how long threads waited for a CPU, for ten seconds"),
        ("--page tcplife", "what a tool answers, its columns, an example, its limits"),
    ],
)

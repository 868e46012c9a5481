"""`kernscope tool`: list the classic tools, show one, run one."""

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, UsageError, seconds
from kernscope.cli.terminal import write
from kernscope.cli.tracing import split_command, trace

__all__ = ["COMMAND"]


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
    command = split_command(arguments.text("c"))

    def start(sink: "kernscope.Sink") -> "kernscope.Session":
        return kernscope.run_tool(
            tool.name, *words, command=command, sinks=[sink], duration=arguments.number("duration")
        )

    return trace(arguments.text("o"), lambda output: _sink(arguments, output), start)


def _sink(arguments: Arguments, output: int) -> "kernscope.TextSink | kernscope.JsonSink":
    quiet = arguments.flag("quiet")
    if arguments.text("format") == "json":
        return kernscope.JsonSink(output, quiet=quiet)
    return kernscope.TextSink(output, None if quiet else 2, quiet=quiet)


COMMAND = Command(
    "tool",
    ["", "NAME [ARGUMENT ...] [OPTIONS]", "--page NAME", "--source NAME"],
    "Without a name, list the tools by what one wants to know. With one, run it until Ctrl-C.",
    [
        Option("-d --duration", "DURATION", "end after this long: 10, 500ms, 2m", convert=seconds),
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

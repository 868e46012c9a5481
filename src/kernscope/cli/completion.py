"""`kernscope completion`: what shells need to complete command lines."""

import kernscope
from kernscope.cli import command_named
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, UsageError
from kernscope.cli.terminal import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["ARGUMENTS", "COMMAND", "SHELLS"]

SHELLS = ("bash", "fish", "zsh")

ARGUMENTS: dict[str, str] = {
    "list": "probes",
    "trace": "syscalls",
    "explain": "codes",
    "tool": "tools",
    "profile": "modes",
    "detect": "detect",
    "run": "files",
    "compile": "files",
    "fmt": "files",
    "completion": "shells",
}
"""What the words that are no options are, by subcommand."""

_SYSCALL = "tracepoint:syscalls:sys_enter_"


def _probes(prefix: str) -> list[str]:
    """Names that begin with `prefix`, each up to its next colon: kinds first, then categories, then events."""
    found: dict[str, None] = {}
    for name in kernscope.list_probes(prefix + "*"):
        if name.startswith(prefix):
            end = name.find(":", len(prefix))
            found[name if end < 0 else name[: end + 1]] = None
    return list(found)


def _syscalls(prefix: str) -> list[str]:
    return [name.removeprefix(_SYSCALL) for name in kernscope.list_probes(f"{_SYSCALL}{prefix}*")]


def _starting(words: "Iterable[str]", prefix: str) -> list[str]:
    return [word for word in words if word.startswith(prefix)]


_WORDS: "dict[str, Callable[[str], list[str]]]" = {
    "probes": _probes,
    "syscalls": _syscalls,
    "codes": lambda prefix: _starting(kernscope.code_names(), prefix),
    "tools": lambda prefix: _starting(
        (tool.name for members in kernscope.tools.tools().values() for tool in members), prefix
    ),
    "modes": lambda prefix: _starting([*kernscope.profiler.MODES, "record", "show", "diff"], prefix),
    "detect": lambda prefix: _starting(command_named("detect").members, prefix),  # type: ignore[attr-defined]
    "shells": lambda prefix: _starting(SHELLS, prefix),
}


def _run(arguments: Arguments) -> int:
    if arguments.given("words"):
        words = _WORDS[arguments.text("words")]
        prefix = "".join([*arguments.words, *(arguments.rest or [])][:1])
        write("".join(f"{word}\n" for word in words(prefix)))
        return 0
    if len(arguments.words) != 1 or arguments.words[0] not in SHELLS:
        raise UsageError(f"which shell? One of {', '.join(SHELLS)}")
    from kernscope.cli import completion_scripts

    write(completion_scripts.SCRIPTS[arguments.words[0]]())
    return 0


COMMAND = Command(
    "completion",
    ["bash|fish|zsh", "--words KIND [PREFIX]"],
    "Print the script that makes a shell complete subcommands, options, probes, system calls and error codes.",
    [Option("--words", "KIND", "what the script asks for as one types", choices=tuple(_WORDS))],
    _run,
    examples=[
        ("bash > /etc/bash_completion.d/kernscope", "for all users of bash"),
        ("zsh > /usr/local/share/zsh/site-functions/_kernscope", "for zsh"),
        ("fish > ~/.config/fish/completions/kernscope.fish", "for fish"),
    ],
)

"""The `kernscope` command: arguments in, public API called, exit code out."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernscope.cli.command import Command

__all__ = ["COMMANDS", "all_command_names", "command_named", "main"]

COMMANDS: dict[str, str] = {
    "syscalls": "which system calls run, how often they fail, how long they take: a live table",
    "trace": "each call of some system calls as one line, with arguments, result and duration",
    "profile": "where time goes, by stack: flame graphs of programs, Python functions, the kernel",
    "detect": "intrusion detection: watch this host by rules, check and try rules, look at alerts",
    "run": "run a bpftrace program",
    "tool": "ready-made tools: files, processes, CPU, memory, disks, network, signals, security",
    "list": "the probes of this kernel and their arguments",
    "doctor": "what works on this machine, and what would make the rest work",
    "compile": "compile a program to a file, or show what it becomes: syntax tree, types, IR, eBPF",
    "fmt": "format programs",
    "explain": "what an error code means, with examples",
    "completion": "complete command lines in bash, fish or zsh",
    "man": "the manual page",
}
"""Subcommand → what it is for. Each lives in the module of its name, imported when it is used."""

_MODULES = {"list": "listing"}

_OVERVIEW = """\
usage: kernscope COMMAND [OPTIONS]

See what a Linux machine is doing, from its own kernel. Most commands need root.

commands:
{commands}

examples:
  sudo kernscope syscalls
      a live table of the system calls of the whole machine; Ctrl-C ends it
  sudo kernscope syscalls -- ls -l
      the system calls of one command and its children
  sudo kernscope trace openat --failed
      each file that could not be opened: who, which, why
  sudo kernscope profile cpu -d 10 -o flame.html
      where the time of the whole machine goes, as a flame graph for a browser
  sudo kernscope run -e 'tracepoint:syscalls:sys_enter_* { @[probe] = count(); }'
      any bpftrace program
  kernscope doctor
      can this machine do that?

`kernscope COMMAND --help` tells more. `kernscope --version` prints the version.
"""


def _overview() -> str:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {meaning}" for name, meaning in COMMANDS.items())
    return _OVERVIEW.replace("{commands}", commands)


def command_named(name: str) -> "Command":
    """The subcommand, `profile` or `detect check`; KeyError if there is none."""
    from importlib import import_module

    name, _, member = name.partition(" ")
    module = import_module(f"kernscope.cli.{_MODULES.get(name, name)}") if name in COMMANDS else None
    if module is None:
        raise KeyError(name)
    command: Command = module.COMMAND
    return command.member(member) if member else command  # type: ignore[attr-defined]


def all_command_names() -> "list[str]":
    """Every subcommand, and behind a group its members: `detect`, `detect check`, …"""
    names = []
    for name in COMMANDS:
        names.append(name)
        names += [f"{name} {member}" for member in getattr(command_named(name), "members", ())]
    return names


def main(argv: "Sequence[str] | None" = None) -> int:
    """Run the command line `argv` (without the program's name; default: the process's) and return the exit
    code.

    0 done, 1 the program is wrong, 2 usage, 3 the kernel refused, 70 our own bug.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else ""
    try:
        return _dispatch(name, arguments)
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        from kernscope.cli.terminal import close_quietly

        close_quietly()
        return 0
    except (Exception, KeyboardInterrupt) as error:
        from kernscope.cli.failures import report

        return report(error, name if name in COMMANDS else "")


def _dispatch(name: str, arguments: list[str]) -> int:
    from kernscope.cli.options import UsageError, parse
    from kernscope.cli.terminal import write

    if name in ("", "-h", "--help", "help"):
        asked = " ".join(arguments[1:3])
        write(command_named(asked).help() if asked in all_command_names() else _overview())
        return 0
    if name in ("-V", "--version"):
        import kernscope

        write(f"kernscope {kernscope.__version__}\n")
        return 0
    if name not in COMMANDS:
        from kernscope import suggest

        near = suggest(name, COMMANDS)
        if name.startswith("-") and near is None:
            raise UsageError(f"unknown option `{name}`; `kernscope --help` lists the commands")
        help = f"did you mean `{near}`?" if near else "`kernscope --help` lists the commands"
        raise UsageError(f"there is no command `{name}`; {help}")
    command, words = command_named(name), arguments[1:]
    if hasattr(command, "choose"):
        command, words = command.choose(words)
    parsed = parse(words, command.options)
    if parsed.flag("help"):
        write(command.help())
        return 0
    return command.run(parsed)

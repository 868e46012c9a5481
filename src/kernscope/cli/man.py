"""`kernscope man`: the manual page, made from the tables of subcommands and options."""

import kernscope
from kernscope.cli import all_command_names, command_named
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, UsageError
from kernscope.cli.terminal import is_terminal, write

__all__ = ["COMMAND", "manual"]

_DESCRIPTION = """\
kernscope shows what a Linux machine is doing, from its own kernel: which system calls run, which files are opened,
which processes start, and where time goes. It runs programs in the language of bpftrace, which need no change.
Most subcommands need root."""

_EXIT_STATUS = (
    ("0", "Done."),
    ("1", "The program is wrong; nothing ran. `list` found nothing, or `fmt --check` would change a file."),
    ("2", "The command line cannot be understood."),
    ("3", "The kernel refused, or an output could not be written."),
    ("70", "A defect of kernscope itself."),
    ("others", "What the program gave to exit()."),
)

_ENVIRONMENT = (
    (
        "BPFTRACE_name",
        "The config variable `name`, for instance BPFTRACE_MAX_STRLEN; it wins over a config block.",
    ),
    ("BPFTRACE_COLOR", "`always`, `never`, or `auto`: messages in colour on a terminal."),
    ("NO_COLOR", "If set, as BPFTRACE_COLOR=never."),
    (
        "__BPFTRACE_NOTIFY_PROBES_ATTACHED",
        "If 1, a line with this name is printed once all probes are attached.",
    ),
    ("KERNSCOPE_DEBUG", "If set, errors come with all their details."),
)


def _escaped(text: str) -> str:
    """Text for roff: backslashes, and dashes that are to be copied; a line must not begin with a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in text)
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.split("\n"))


def _option(option: Option) -> str:
    names = ", ".join(f"\\fB{_escaped(name)}\\fR" for name in option.names)
    value = "|".join(option.choices) if option.choices else option.value
    value = f" \\fI{_escaped(value)}\\fR" if value else ""
    return f".TP\n{names}{value}\n{_escaped(option.help)}\n"


def _subcommand(name: str) -> str:
    command = command_named(name)
    text = f".SS {_escaped(f'kernscope {name}')}\n"
    for usage in command.usage:
        text += f".br\n\\fBkernscope {name}\\fR {_escaped(usage)}\n".replace("\\fR \n", "\\fR\n")
    text += f".PP\n{_escaped(command.summary)}\n"
    for title, options in command.sections.items():
        if title:
            text += f".PP\nOptions, {_escaped(title)}:\n"
        text += "".join(_option(option) for option in options)
    if command.examples:
        text += ".PP\nExamples:\n"
        for arguments, meaning in command.examples:
            text += f".PP\n.nf\n.RS\n\\fB{_escaped(f'kernscope {name} {arguments}'.rstrip())}\\fR\n.RE\n.fi\n"
            text += f".RS\n{_escaped(meaning)}\n.RE\n"
    if command.epilogue:
        text += f".PP\n{_escaped(command.epilogue)}\n"
    return text


def _terms(rows: tuple[tuple[str, str], ...]) -> str:
    return "".join(f".TP\n\\fB{_escaped(term)}\\fR\n{_escaped(meaning)}\n" for term, meaning in rows)


def manual() -> str:
    """The page as roff with the macros of man(7)."""
    parts = [
        f'.TH KERNSCOPE 1 "" "kernscope {kernscope.__version__}" "User Commands"\n',
        ".SH NAME\nkernscope \\- see what a Linux machine is doing, from its own kernel\n",
        ".SH SYNOPSIS\n\\fBkernscope\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n",
        f".SH DESCRIPTION\n{_escaped(_DESCRIPTION)}\n",
        ".SH COMMANDS\n",
        *(_subcommand(name) for name in all_command_names()),
        f".SH EXIT STATUS\n{_terms(_EXIT_STATUS)}",
        f".SH ENVIRONMENT\n{_terms(_ENVIRONMENT)}",
        ".SH SEE ALSO\n\\fBbpftrace\\fR(8), \\fBbpf\\fR(2), \\fBperf_event_open\\fR(2)\n",
    ]
    return "".join(parts)


def _run(arguments: Arguments) -> int:
    if arguments.words:
        raise UsageError(f"`{arguments.words[0]}` is no option")
    if is_terminal() and not arguments.flag("roff"):
        import shutil
        import subprocess

        if shutil.which("man"):
            return subprocess.run(["man", "-l", "-"], input=manual().encode(), check=False).returncode
    write(manual())
    return 0


COMMAND = Command(
    "man",
    ["[--roff]"],
    "Show the manual page on a terminal; print it as roff elsewhere.",
    [Option("--roff", "", "print it as roff in any case")],
    _run,
    examples=[("> /usr/local/share/man/man1/kernscope.1", "install it for man(1)")],
)

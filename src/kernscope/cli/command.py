"""What a subcommand is, and its help text."""

from kernscope.cli.options import Arguments, Option, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["HELP", "Command", "Group", "option_text"]

HELP = Option("-h --help", "", "show this text")


class Command:
    """One subcommand.

    Attributes:
        usage: the lines after `kernscope NAME`.
        summary: what it does, in a sentence or two.
        options: those it takes, also by section; `--help` is added.
        examples: (arguments, what they do).
        run: does it and returns the exit code.
        needs: what of the arguments that are not options is wrong, for instance that one is missing.
    """

    def __init__(
        self,
        name: str,
        usage: "Sequence[str]",
        summary: str,
        options: "Sequence[Option] | Mapping[str, Sequence[Option]]",
        run: "Callable[[Arguments], int]",
        *,
        examples: "Sequence[tuple[str, str]]" = (),
        epilogue: str = "",
    ) -> None:
        self.name, self.usage, self.summary, self.run = name, usage, summary, run
        sections = dict(options.items()) if hasattr(options, "items") else {"": options}
        self.sections = {title: list(rows) for title, rows in sections.items()}
        self.options = [option for rows in self.sections.values() for option in rows]
        if HELP not in self.options:
            next(reversed(self.sections.values())).append(HELP)
            self.options.append(HELP)
        self.examples, self.epilogue = examples, epilogue

    def help(self) -> str:
        """The text of `kernscope NAME --help`."""
        first, *others = self.usage
        lines = [f"usage: kernscope {self.name} {first}".rstrip()]
        lines += [f"       kernscope {self.name} {other}" for other in others]
        lines += ["", self.summary]
        for title, options in self.sections.items():
            lines += ["", f"options, {title}:" if title else "options:"]
            lines += two_columns([(option_text(option), option.help) for option in options])
        if self.examples:
            lines += ["", "examples:"]
            for arguments, meaning in self.examples:
                lines += [f"  kernscope {self.name} {arguments}".rstrip(), f"      {meaning}"]
        if self.epilogue:
            lines += ["", self.epilogue]
        return "\n".join(lines) + "\n"


class Group(Command):
    """A subcommand that has subcommands of its own, each in the module `kernscope.cli.NAME_MEMBER`.

    Attributes:
        members: name → what it is for.
    """

    def __init__(
        self,
        name: str,
        summary: str,
        members: "Mapping[str, str]",
        *,
        examples: "Sequence[tuple[str, str]]" = (),
        epilogue: str = "",
    ) -> None:
        super().__init__(
            name, ["COMMAND [OPTIONS]"], summary, [], self._lost, examples=examples, epilogue=epilogue
        )
        self.members = dict(members)

    def member(self, name: str) -> Command:
        """The subcommand; KeyError if there is none."""
        from importlib import import_module

        if name not in self.members:
            raise KeyError(name)
        command: Command = import_module(f"kernscope.cli.{self.name}_{name}").COMMAND
        return command

    def choose(self, words: "Sequence[str]") -> "tuple[Command, list[str]]":
        """Which command is meant by the arguments, and those that are left for it. Raises UsageError."""
        name = words[0] if words else ""
        if not name or name in ("-h", "--help"):
            return self, list(words)
        if name not in self.members:
            from kernscope import suggest

            near = suggest(name, self.members)
            hint = f"did you mean `{near}`?" if near else f"there are {', '.join(self.members)}"
            raise UsageError(f"there is no `{self.name} {name}`; {hint}")
        return self.member(name), list(words[1:])

    def all_options(self) -> list[Option]:
        """Those of all members, each name once: for completion."""
        found: dict[tuple[str, ...], Option] = {}
        for name in self.members:
            for option in self.member(name).options:
                found.setdefault(tuple(option.names), option)
        return list(found.values())

    def help(self) -> str:
        lines = super().help().split("\n")
        place = lines.index("options:")
        rows = ["commands:", *two_columns(list(self.members.items())), ""]
        return "\n".join(lines[:place] + rows + lines[place:])

    def _lost(self, arguments: Arguments) -> int:
        from kernscope.cli.terminal import write

        write(self.help())
        return 0


def option_text(option: Option) -> str:
    """`-f, --format text|json`"""
    names = ", ".join(option.names)
    if not option.value:
        return names
    return f"{names} {'|'.join(option.choices) if option.choices else option.value}"


def two_columns(rows: "Sequence[tuple[str, str]]", indent: int = 2) -> list[str]:
    """Terms and their meanings side by side; a long term has its meaning on the next line."""
    width = min(28, max(len(term) for term, _ in rows))
    lines = []
    for term, meaning in rows:
        if len(term) > width:
            lines += [" " * indent + term, " " * (indent + width + 2) + meaning]
        else:
            lines.append(" " * indent + f"{term:<{width}}  {meaning}")
    return lines

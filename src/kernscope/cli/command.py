"""What a subcommand is, and its help text."""

from kernscope.cli.options import Arguments, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["HELP", "Command", "option_text"]

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

"""Command-line arguments, read by a table.

argparse takes a tenth of the whole start-up budget to import; this reads what the subcommands need, and
knows what was meant when an option is misspelt.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing collections.abc would cost more than this module
    from collections.abc import Callable, Sequence

__all__ = ["Arguments", "Option", "UsageError", "nanoseconds", "parse", "positive", "seconds"]


class UsageError(Exception):
    """The command line cannot be understood; the message says why."""


class Option:
    """One option.

    Args:
        names: `-d --duration`, separated by spaces.
        value: what its value is called in the help text; empty for a flag.
        help: one line.
        convert: makes the value from text; raises ValueError with a message for people.
        choices: the values allowed.
        default: where the option is not given.
        name: the attribute that holds it; by default the last of `names`.
        many: it may be given several times; its value is the list of what was given.
    """

    __slots__ = ("choices", "convert", "default", "help", "many", "name", "names", "value")

    def __init__(
        self,
        names: str,
        value: str,
        help: str,
        *,
        convert: "Callable[[str], object]" = str,
        choices: "Sequence[str]" = (),
        default: object = None,
        name: str = "",
        many: bool = False,
    ) -> None:
        self.names, self.many = names.split(), many
        self.value, self.help, self.convert, self.choices = value, help, convert, choices
        self.default = False if not value and default is None else default
        self.name = name or self.names[-1].lstrip("-").replace("-", "_")

    def read(self, shown: str, text: str) -> object:
        """The value from its text."""
        if self.choices and text not in self.choices:
            from kernscope import suggest

            near = suggest(text, self.choices)
            hint = f"; did you mean `{near}`?" if near else ""
            raise UsageError(f"`{shown}` is one of {', '.join(self.choices)}, not `{text}`{hint}")
        try:
            return self.convert(text)
        except ValueError as error:
            raise UsageError(f"`{shown} {text}`: {error}") from None


class Arguments:
    """What the command line said: options by name, `words` that are none, and `rest` after `--` (or None)."""

    def __init__(self, values: dict[str, object], words: list[str], rest: list[str] | None) -> None:
        self._values = values
        self.words, self.rest = words, rest

    def text(self, name: str) -> str:
        """An option that is text; empty if not given."""
        value = self._values[name]
        return "" if value is None else str(value)

    def flag(self, name: str) -> bool:
        return bool(self._values[name])

    def integer(self, name: str) -> int | None:
        value = self._values[name]
        assert value is None or isinstance(value, int)
        return value

    def texts(self, name: str) -> list[str]:
        """All values of an option that may be given several times."""
        value = self._values[name]
        assert value is None or isinstance(value, list)
        return value or []

    def number(self, name: str) -> float | None:
        value = self._values[name]
        assert value is None or isinstance(value, int | float)
        return value

    def given(self, name: str) -> bool:
        return self._values[name] is not None


def parse(
    arguments: "Sequence[str]", options: "Sequence[Option]", *, stop_at_word: bool = False
) -> Arguments:
    """Read `arguments`. Raises UsageError.

    `stop_at_word`: the first word that is no option ends the options, as for a program's own arguments.
    """
    by_name = {name: option for option in options for name in option.names}
    values: dict[str, object] = {option.name: option.default for option in options}
    words: list[str] = []
    queue = list(arguments)
    while queue:
        argument = queue.pop(0)
        if argument == "--":
            return Arguments(values, words, queue)
        if not argument.startswith("-") or argument == "-":
            words.append(argument)
            if stop_at_word:
                return Arguments(values, words, queue or None)
            continue
        option, shown, inline = _find(argument, by_name)
        if not option.value:
            if inline is not None and not argument.startswith("--"):
                queue.insert(0, "-" + inline)  # `-qv` is `-q -v`
            elif inline is not None:
                raise UsageError(f"`{shown}` takes no value")
            values[option.name] = True
            continue
        if inline is None:
            if not queue:
                raise UsageError(f"`{shown}` needs a value: {option.value}")
            inline = queue.pop(0)
        value = option.read(shown, inline)
        before = values[option.name]
        values[option.name] = [*(before if isinstance(before, list) else []), value] if option.many else value
    return Arguments(values, words, None)


def _find(argument: str, by_name: dict[str, Option]) -> tuple[Option, str, str | None]:
    """The option, how it was written, and the value written together with it (`--top=5`, `-d5`)."""
    if argument.startswith("--"):
        shown, equals, inline = argument.partition("=")
        option = by_name.get(shown)
        if option is not None:
            return option, shown, inline if equals else None
    else:
        shown = argument[:2]
        option = by_name.get(shown)
        if option is not None:
            return option, shown, argument[2:].removeprefix("=") if len(argument) > 2 else None
        shown = argument
    from kernscope import suggest

    near = suggest(shown, by_name)
    raise UsageError(f"unknown option `{shown}`" + (f"; did you mean `{near}`?" if near else ""))


_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "": 1_000_000_000,
}
_MOST_NS = 10**18
"""Some 30 years."""


def nanoseconds(text: str) -> int:
    """A duration above 0: `10us`, `1.5ms`, `2m`; a number without a unit is seconds."""
    unit = next(unit for unit in _UNITS_NS if text.endswith(unit))
    try:
        value = float(text.removesuffix(unit)) * _UNITS_NS[unit]
    except ValueError:
        raise ValueError("not a number of seconds, nor a time such as `500ms` or `5m`") from None
    if not 0 < value < _MOST_NS:
        raise ValueError("must be more than 0 seconds, and at most 30 years")
    return max(1, round(value))


def seconds(text: str) -> float:
    """The same, in seconds."""
    return nanoseconds(text) / 1e9


def positive(text: str) -> int:
    """An integer above 0."""
    try:
        value = int(text)
    except ValueError:
        raise ValueError("not a whole number") from None
    if value <= 0:
        raise ValueError("must be above 0")
    return value

"""The program that a command line names: `-e TEXT`, a file, or standard input."""

import sys

from kernscope.cli.options import Arguments, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import kernscope

__all__ = ["Program", "read_program"]

_MAX_BYTES = 16 << 20
_COMPILED = b"\x7fKSB"
"""How files that `kernscope compile -o` writes begin (`kernscope.bundle.serial.MAGIC`)."""


class Program:
    """A program: its name for messages, its text or what it was compiled to, and the program's own arguments."""

    __slots__ = ("arguments", "bundle", "name", "text")

    def __init__(self, name: str, text: str, arguments: list[str], bundle: "kernscope.Bundle | None") -> None:
        self.name, self.text, self.arguments, self.bundle = name, text, arguments, bundle


def read_program(arguments: Arguments) -> Program:
    """Raises UsageError; BundleError for a compiled program that cannot be used."""
    words = list(arguments.words)
    rest = arguments.rest or []
    if arguments.given("e"):
        return Program("<command line>", arguments.text("e"), words + rest, None)
    if not words:
        raise UsageError("no program: give a file, or the text with `-e`")
    file, *own = words
    own += rest
    name = "<stdin>" if file == "-" else file
    data = read_file(file)
    if data.startswith(_COMPILED):
        import kernscope

        if own:
            raise UsageError(f"`{name}` is compiled: its arguments were given to `kernscope compile`")
        return Program(name, "", own, kernscope.load(data))
    return Program(name, data.decode("utf-8", "surrogateescape"), own, None)


def read_file(name: str, most: int = _MAX_BYTES) -> bytes:
    """A file's bytes, standard input for `-`; -1 for all of them. Raises UsageError."""
    try:
        if name == "-":
            return sys.stdin.buffer.read(most)
        with open(name, "rb") as file:
            return file.read(most)
    except OSError as error:
        if "{" in name:
            raise UsageError("this is a program, not a file: put `-e` before it") from None
        raise UsageError(f"cannot read `{name}`: {error.strerror}") from None

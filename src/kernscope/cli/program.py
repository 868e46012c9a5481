"""The program that a command line names: `-e TEXT`, a file, or standard input."""

import sys

from kernscope.cli.options import Arguments, UsageError

__all__ = ["read_program"]

_MAX_BYTES = 16 << 20


def read_program(arguments: Arguments) -> tuple[str, str, list[str]]:
    """Its name for messages, its text, and its positional parameters. Raises UsageError."""
    words = list(arguments.words)
    rest = arguments.rest or []
    text = arguments.text("e")
    if arguments.given("e"):
        return "<command line>", text, words + rest
    if not words:
        raise UsageError("no program: give a file, or the text with `-e`")
    name, *parameters = words
    return ("<stdin>" if name == "-" else name), _read_file(name), parameters + rest


def _read_file(name: str) -> str:
    try:
        if name == "-":
            data = sys.stdin.buffer.read(_MAX_BYTES)
        else:
            with open(name, "rb") as file:
                data = file.read(_MAX_BYTES)
    except OSError as error:
        if "{" in name:
            raise UsageError("this is a program, not a file: put `-e` before it") from None
        raise UsageError(f"cannot read `{name}`: {error.strerror}") from None
    return data.decode("utf-8", "surrogateescape")

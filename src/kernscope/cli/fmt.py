"""`kernscope fmt`: programs laid out anew."""

import os

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.options import Arguments, Option, UsageError
from kernscope.cli.program import read_file
from kernscope.cli.terminal import complain, write

__all__ = ["COMMAND"]


def _run(arguments: Arguments) -> int:
    if arguments.given("e"):
        write(kernscope.format_program(arguments.text("e"), name="<command line>"))
        return 0
    files = arguments.words + (arguments.rest or [])
    if not files:
        raise UsageError("no program: give a file, `-` for standard input, or the text with `-e`")
    in_place, check = arguments.flag("in_place"), arguments.flag("check")
    if in_place and "-" in files:
        raise UsageError("`-i` needs a file, not standard input")
    changed = 0
    for name in files:
        before = read_file(name).decode("utf-8", "surrogateescape")
        after = kernscope.format_program(before, name="<stdin>" if name == "-" else name)
        if check:
            if after != before:
                complain(f"{name} would be changed")
                changed += 1
        elif in_place:
            if after != before:
                _replace(name, after)
        else:
            write(after)
    return 1 if changed else 0


def _replace(name: str, text: str) -> None:
    """The file keeps its mode; it is written whole or not at all."""
    name = os.path.realpath(name)
    partial = f"{name}.{os.getpid()}.part"
    try:
        with open(partial, "xb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
        os.chmod(partial, os.stat(name).st_mode & 0o7777)
        os.replace(partial, name)
    except OSError as error:
        if os.path.exists(partial):
            os.unlink(partial)
        raise UsageError(f"cannot write `{name}`: {error.strerror}") from None


COMMAND = Command(
    "fmt",
    ["[-i | --check] FILE ...", "-e PROGRAM"],
    "Format programs: one statement on a line, two columns per block, lines of at most 100 columns, comments\n"
    "kept. The formatted program is printed, and means the same.",
    [
        Option("-i --in-place", "", "write it back to the file"),
        Option("--check", "", "only say which files would be changed; exit code 1 if any"),
        Option("-e", "PROGRAM", "format this text"),
    ],
    _run,
    examples=[("-i *.bt", "format all programs here"), ("--check tools/*.bt", "for continuous integration")],
)

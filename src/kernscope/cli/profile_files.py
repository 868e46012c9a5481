"""What `kernscope profile` does with finished profiles: shows, writes, reads and compares them."""

import os

import kernscope
from kernscope.cli.files import write_file
from kernscope.cli.options import Arguments, UsageError
from kernscope.cli.terminal import complain, is_terminal, terminal_width, use_color, write_result

__all__ = ["compare", "reshow", "save_all", "show", "wanted_files"]


def wanted_files(arguments: Arguments) -> list[tuple[str, str]]:
    """(file, format) of what is to be written; their names are checked before anything is collected."""
    wanted = []
    for path in arguments.texts("output"):
        format = arguments.text("format")
        if not format:
            known = kernscope.profiler.format_for(path)
            if known is None:
                formats = kernscope.profiler.FORMATS.values()
                raise UsageError(
                    f"`{path}` does not say which format to write: end it in "
                    f"{', '.join(entry.suffixes[0] for entry in formats)}, or give `--format`"
                )
            format = known.name
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
            raise UsageError(f"cannot write `{path}`: there is no folder `{folder}` that can be written")
        wanted.append((path, format))
    _check_terminal(arguments, wanted)
    return wanted


_READABLE = ("collapsed", "perf")
"""Formats for people, too."""


def _check_terminal(arguments: Arguments, files: list[tuple[str, str]]) -> None:
    format = arguments.text("format")
    if format and not files and format not in _READABLE and is_terminal():
        raise UsageError(f"{format} is not for a terminal: name a file with `-o`")


def _save(content: bytes, path: str, format: str) -> int:
    try:
        write_file(path, content)
    except OSError as error:
        complain(f"error: cannot write `{path}`: {error.strerror}")
        return 3
    complain(f"written: {path} ({format}, {len(content):,} bytes)")
    return 0


def show(profile: "kernscope.profiler.Profile", arguments: Arguments, files: list[tuple[str, str]]) -> int:
    """On standard output: the format that is asked for, else the summary, with `--flame` below a flame graph."""
    format = arguments.text("format")
    if format and not files:
        return write_result(kernscope.profiler.write(profile, format).decode("utf-8", "surrogateescape"))
    top = arguments.integer("top") or 20
    width = terminal_width(1) if is_terminal() else 0
    lines = kernscope.profiler.summary_lines(profile, top=top, width=width)
    if arguments.flag("flame"):
        lines = [
            *kernscope.profiler.flame_lines(profile, width=terminal_width(1), colour=use_color()),
            "",
            *lines[2:],
        ]
    lines += kernscope.profiler.table_lines(profile, width=width)
    code = write_result("".join(f"{line}\n" for line in lines))
    for note in profile.notes:
        complain(f"note: {kernscope.escape_text(note)}")
    return code


def save_all(profile: "kernscope.profiler.Profile", files: list[tuple[str, str]]) -> int:
    """Write all that is wanted; the worst exit code."""
    return max(
        [0, *(_save(kernscope.profiler.write(profile, format), path, format) for path, format in files)]
    )


def reshow(arguments: Arguments, paths: list[str]) -> int:
    """`profile show FILE`, `profile show FOLDER [MODE]`: what was written or recorded before, in another form."""
    if not paths:
        raise UsageError(
            "`profile show` takes a file of `profile MODE -o NAME.json`, or a folder of `profile record`"
        )
    files = wanted_files(arguments)
    if os.path.isdir(paths[0]) and len(paths) <= 2:
        from kernscope.cli.profile_record import read_recording

        profile = read_recording(paths[0], arguments, paths[1:])
    elif len(paths) > 1:
        raise UsageError(f"`profile show` takes one file: `{paths[1]}` is too many")
    elif arguments.given("from") or arguments.text("to"):
        raise UsageError("`--from` and `--to` choose from a folder of `profile record`, this is one file")
    else:
        profile = _read(paths[0])
    kernscope.profiler.tell_generated(profile)
    _choose_lines(profile, arguments)
    return max(show(profile, arguments, files), save_all(profile, files))


def _choose_lines(profile: "kernscope.profiler.Profile", arguments: Arguments) -> None:
    """Functions are shown unless lines are asked for, whatever it was recorded with."""
    profile.lines = arguments.flag("lines")
    native = [frame for frame in profile.frames if frame.kind == "native"]
    if profile.lines and native and not any(frame.line for frame in native):
        profile.notes.append("lines of programs are not in it: `--lines` has to be given when it is recorded")


def compare(arguments: Arguments, paths: list[str]) -> int:
    """`profile diff BEFORE AFTER`: as a table, and as a flame graph in which what has grown is red."""
    if len(paths) != 2:
        raise UsageError("`profile diff` takes two files, as `profile MODE -o NAME.json` writes them")
    files = wanted_files(arguments)
    if any(format != "html" for _, format in files):
        raise UsageError("a comparison can be written as html only")
    before, after = map(_read, paths)
    if before.unit != after.unit:
        raise UsageError(
            f"`{paths[0]}` counts {before.unit}, `{paths[1]}` {after.unit}: they cannot be compared"
        )
    for profile in (before, after):
        _choose_lines(profile, arguments)
    width = terminal_width(1) if is_terminal() else 0
    lines = kernscope.profiler.diff_lines(before, after, top=arguments.integer("top") or 20, width=width)
    code = write_result("".join(f"{line}\n" for line in lines))
    return max(
        [code, *(_save(kernscope.profiler.diff_page(before, after), path, "html") for path, _ in files)]
    )


def _read(path: str) -> "kernscope.profiler.Profile":
    try:
        with open(path, "rb") as file:
            return kernscope.profiler.read_profile(file.read())
    except OSError as error:
        raise UsageError(f"cannot read `{path}`: {error.strerror}") from None
    except kernscope.profiler.BadProfileFile as error:
        raise UsageError(f"`{path}`: {error}") from None

"""`kernscope profile record`, and reading what it wrote: profiles without an end, in a folder of bounded size."""

import os

import kernscope
from kernscope.cli.options import Arguments, UsageError
from kernscope.cli.profile_setup import GRACE_S, start
from kernscope.cli.terminal import StopOnSignals, complain, is_terminal

__all__ = ["moment", "read_recording", "record", "size"]

DEFAULT_KEEP = "1G"
DEFAULT_EVERY_S = 60.0
LEAST_KEEP_BYTES = 64 << 10


def size(text: str) -> int:
    """Bytes, with the units K, M, G (of 1024)."""
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
    number = text.upper().removesuffix("IB").removesuffix("B")
    factor = units.get(number[-1:], 1)
    try:
        value = float(number[:-1] if factor > 1 else number) * factor
    except ValueError:
        raise ValueError("say a size such as 500M or 2G") from None
    if not LEAST_KEEP_BYTES <= value < 1 << 60:
        raise ValueError("at least 64K")
    return int(value)


def moment(text: str) -> float:
    """A time as seconds since 1970: `14:30`, `14:30:05` (today), `2026-05-01T14:30` (local time), `10m` (ago)."""
    import time
    from datetime import datetime

    from kernscope.cli.options import seconds

    if text[-1:] in ("s", "m", "h"):
        try:
            return time.time() - seconds(text.lstrip("-"))
        except ValueError:
            pass
    try:
        day = datetime.now().strftime("%Y-%m-%dT")
        when = datetime.fromisoformat(text if "-" in text else day + text)
        return when.timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError("say a time such as 14:30, 2026-05-01T14:30, or 10m for ten minutes ago") from None


def record(
    arguments: Arguments, mode: "kernscope.profiler.Mode", options: "kernscope.profiler.Options", what: str
) -> int:
    """Until Ctrl-C, or the end of what is looked at."""
    profiler = kernscope.profiler
    path = arguments.text("to")
    if not path:
        raise UsageError("say into which folder to record: `--to FOLDER`")
    if not mode.in_parts:
        raise UsageError(
            f"`profile {mode.name}` tells what is there at its end: it cannot be recorded in parts"
        )
    if arguments.texts("output") or arguments.given("format"):
        raise UsageError("a recording has its own files: `profile show FOLDER -o FILE` writes others")
    keep = arguments.integer("keep") or size(DEFAULT_KEEP)
    recorder = profiler.Recorder(mode, options, what=what)
    session = start(recorder, arguments)
    try:
        folder = profiler.Folder(path, keep, lambda text: complain(f"note: {kernscope.escape_text(text)}"))
    except FileExistsError:
        raise UsageError(f"`{path}` is not a folder") from None
    except profiler.Busy:
        raise UsageError(f"another `profile record` writes to `{path}`") from None
    screen = profiler.Screen(2) if is_terminal(2) and not arguments.flag("once") else None

    def look() -> None:
        assert screen is not None
        screen.draw(
            [f"recording {mode.name} to {kernscope.escape_text(path)}: {_state(folder)}"[: screen.size()[0]]]
        )

    with folder:
        try:
            with StopOnSignals(session.stop, grace_s=GRACE_S), session:
                if screen is None:
                    complain(f"recording {mode.name} to {path} until Ctrl-C")
                recorder.record(
                    session,
                    folder,
                    every_s=arguments.number("every") or DEFAULT_EVERY_S,
                    look=look if screen is not None else None,
                )
        finally:
            if screen is not None:
                screen.clear()
        complain(f"recorded: {path} ({_state(folder)})")
        return 3 if folder.unwritten else 0


def _state(folder: "kernscope.profiler.Folder") -> str:
    kept = f"{folder.parts} parts, {_bytes(folder.bytes)} of {_bytes(folder.keep_bytes)}"
    return kept + (f", {folder.unwritten} not written" if folder.unwritten else "")


def _bytes(count: int) -> str:
    for shift, unit in ((30, "GiB"), (20, "MiB")):
        if count >> shift >= 1:
            return f"{count / (1 << shift):.1f} {unit}"
    return f"{count / 1024:.0f} KiB"


def read_recording(path: str, arguments: Arguments, modes: list[str]) -> "kernscope.profiler.Profile":
    """All parts of a folder that were recorded between `--from` and `--to`, as one profile."""
    begin = arguments.number("from") or 0.0
    try:
        end = moment(arguments.text("to")) if arguments.text("to") else float("inf")
    except ValueError as error:
        raise UsageError(f"`--to {arguments.text('to')}`: {error}") from None
    found = kernscope.profiler.recorded_parts(path, modes[0] if modes else "")
    there = sorted({mode for _, mode, _ in found})
    if not found:
        raise UsageError(f"`{path}` has no parts of a recording" + (f" of {modes[0]}" if modes else ""))
    if len(there) > 1:
        raise UsageError(f"`{path}` has recordings of {', '.join(there)}: name one, `show {path} {there[0]}`")
    return _between(found, begin, end, path)


def _between(
    found: list[tuple[float, str, str]], begin: float, end: float, path: str
) -> "kernscope.profiler.Profile":
    parts, unreadable = [], []
    for at, (began, _, file) in enumerate(found):
        ends = found[at + 1][0] if at + 1 < len(found) else float("inf")
        if began > end or ends < begin:  # parts do not overlap
            continue
        try:
            with open(file, "rb") as content:
                part = kernscope.profiler.read_profile(content.read())
        except FileNotFoundError:
            continue  # the recording goes on, and this was the oldest
        except (OSError, kernscope.profiler.BadProfileFile) as problem:
            unreadable.append(f"{os.path.basename(file)} cannot be read: {problem}")
            continue
        if (part.start_ns + part.duration_ns) / 1e9 >= begin:
            parts.append(part)
    if not parts:
        first, last = _clock(found[0][0]), _clock(found[-1][0])
        why = "; ".join(unreadable) or f"its parts begin at {first} to {last}"
        raise UsageError(f"nothing was recorded in `{path}` at that time: {why}")
    whole = kernscope.profiler.merge(parts)
    kernscope.profiler.tell_incomplete(whole)
    if begin or end != float("inf"):
        to_s = max(part.start_ns + part.duration_ns for part in parts) / 1e9
        whole.notes.insert(
            0, f"recorded from {_clock(whole.start_ns / 1e9)} to {_clock(to_s)}, in {len(parts)} parts"
        )
    whole.notes += unreadable
    return whole


def _clock(seconds: float) -> str:
    import time

    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))

"""`kernscope detect record`: write down the events that rules are about."""

import os

import kernscope
from kernscope.cli.command import Command
from kernscope.cli.detect_rules import rules_to_watch, session_of, tell
from kernscope.cli.options import Arguments, Option, UsageError, seconds
from kernscope.cli.profile_record import size
from kernscope.cli.terminal import StopOnSignals

__all__ = ["COMMAND"]


class _Recording:
    """The file. What finds no room, or cannot be written, is counted."""

    def __init__(self, path: str, most_bytes: int) -> None:
        self.events = self.missed = self.bytes = 0
        self.problem = ""
        self._most = most_bytes
        # Command lines may hold passwords: the file is its owner's alone, also where it was there before.
        self._file = os.fdopen(
            kernscope.detector.open_private(path, os.O_WRONLY | os.O_CREAT), "w", encoding="ascii"
        )
        self._file.truncate(0)

    def write(self, line: str) -> None:
        if self.problem or self.bytes + len(line) >= self._most:
            self.missed += 1
            return
        try:
            self._file.write(line + "\n")
        except OSError as error:
            self.problem = error.strerror or str(error)
            self.missed += 1
            return
        self.bytes += len(line) + 1
        self.events += 1

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self.problem = self.problem or error.strerror or str(error)


def _run(arguments: Arguments) -> int:
    words = arguments.words + (arguments.rest or [])
    if not words:
        raise UsageError("say where to write: `kernscope detect record EVENTS.jsonl [RULES ...]`")
    path, *files = words
    rules = rules_to_watch(files)
    watcher = kernscope.detector.Watcher(
        rules,
        lambda alert: None,
        on_event=lambda event: recording.write(kernscope.detector.event_line(event, asked)),
        uring=bool(kernscope.type_text("struct io_open")),
        hooks=kernscope.detector.hooks_here(kernscope),
    )
    asked = kernscope.detector.asked_keys(watcher.engine.rules)
    session = session_of(watcher, arguments)
    try:
        recording = _Recording(path, arguments.integer("most") or _MOST_BYTES)
    except OSError as error:
        raise UsageError(f"cannot write `{path}`: {error.strerror}") from None
    except kernscope.detector.UnsafePath as problem:
        raise UsageError(f"cannot write: {problem}; {problem.help}") from None
    try:
        with session, StopOnSignals(session.stop):
            watcher.run(session, started=lambda: tell("recording; Ctrl-C ends"))
    finally:
        recording.close()
    for warning in watcher.warnings:
        tell(warning)
    lost = f"{watcher.lost:,} lost" if watcher.lost else "none lost"
    tell(f"{recording.events:,} events in `{path}`, {lost}")
    if recording.missed:
        why = recording.problem or "the file is as large as it may be (`--most`)"
        tell(f"{recording.missed:,} events were not written: {why}")
    return 3 if recording.problem else 0


_MOST_BYTES = 1 << 30

COMMAND = Command(
    "detect record",
    ["EVENTS [RULES ...] [OPTIONS]"],
    "Write down the events that rules are about (the default ones, where none are named), one JSON object a line,\n"
    "for `kernscope detect test`. Command lines are in it, so the file is readable by its owner only. Needs root.",
    [
        Option("-d --duration", "TIME", "end after this time", convert=seconds),
        Option("--most", "SIZE", "of the file; 1G", convert=size),
    ],
    _run,
    examples=[("attack.jsonl -d 30s", "the events of half a minute")],
)

"""Sentences about a run, for people: what was attached, what was lost, what went wrong."""

from kernscope.output.events import (
    AttachedEvent,
    ComplaintEvent,
    ErrorEvent,
    LostEvent,
    MissedEvent,
    VerdictEvent,
)

__all__ = ["attached_text", "complaint_text", "error_text", "lost_text", "missed_text", "verdict_text"]


def attached_text(event: AttachedEvent) -> str:
    """``Attached 3 probes``"""
    return f"Attached {event.count} probe{'' if event.count == 1 else 's'}\n"


def lost_text(event: LostEvent) -> str:
    """How many records of which clause found no room."""
    total = f" ({event.total} in all)" if event.total != event.count else ""
    where = f" from `{event.clause}`" if event.clause else ""
    return (
        f"warning[lost-events]: {event.count} event{'' if event.count == 1 else 's'}{where} lost{total}: "
        "the ring buffer was full\n"
    )


def missed_text(event: MissedEvent) -> str:
    """How often the kernel skipped a program."""
    return (
        f"warning[missed-events]: the kernel skipped `{event.program}` {event.count} times, "
        "because it was already running on that CPU\n"
    )


def verdict_text(event: VerdictEvent) -> str:
    """How often what was decided."""
    dry = "" if event.enforced else " (dry run: not enforced)"
    return f"{event.probe} {event.verdict}: {event.count}{dry}\n"


def error_text(event: ErrorEvent, source_name: str, source_text: str) -> str:
    """A run-time error with the place in the program that it came from."""
    from kernscope.diagnostics.source import Source

    times = f" ({event.count} times)" if event.count > 1 else ""
    text = f"warning[run-time]: {event.message}{times}\n"
    start, end = event.span
    if source_text and end > start:
        source = Source(source_name, source_text)
        line, column = source.position(start)
        shown = source.line_text(line)
        length = max(1, min(end - start, len(shown) - column + 1))
        gutter = " " * len(str(line))
        text += (
            f"{gutter} --> {source_name}:{line}:{column}\n{gutter}  |\n{line} | {shown}\n"
            f"{gutter}  | {' ' * (column - 1)}{'^' * length}\n"
        )
    if event.helper:
        text += f"  = note: the kernel helper `{event.helper}` returned {event.code}\n"
    return text


def complaint_text(event: ComplaintEvent, source_name: str, source_text: str) -> str:
    """``test.bt:1:9-30: ERROR: text``, in the form of bpftrace: columns from 1, the end behind the last."""
    from kernscope.diagnostics.source import Source

    source = Source(source_name, source_text)
    line, column = source.position(event.span[0])
    last_line, end = source.position(event.span[1])
    newline = "\n"
    where = f"{line}:{column}-{end}" if line == last_line else f"{line}-{last_line}"
    return f"{source_name}:{where}: {event.severity.upper()}: {event.text.removesuffix(newline)}\n"

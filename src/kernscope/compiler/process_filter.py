"""`-p PID`: only that process's events count, as if each clause for kernel events began with `/pid == PID/`.

Clauses for what happens in no process (`begin`, `interval` …) stay as they are; one that names both kinds of
events becomes two.
"""

from kernscope.diagnostics import Span
from kernscope.probes import kind_named
from kernscope.syntax.ast import AttachPoint, Binary, Expr, Identifier, IntLiteral, Probe, Program

__all__ = ["for_process", "only_process"]


def for_process(program: Program, pid: int, *, own_files: bool = False) -> None:
    """Tell the targets which process the run is for: some kinds of events exist per process.

    With `own_files` it and its descendants have files that nobody else has: what is in these is theirs.
    """
    for probe in program.probes:
        for point in probe.attach_points:
            if own_files:
                point.copies_of = pid
            else:
                point.process = pid


def only_process(program: Program, pid: int) -> None:
    """Change `program` so that events of other processes are ignored."""
    for probe in program.probes:
        for point in probe.attach_points:
            point.files_of = pid
    program.probes = [part for probe in program.probes for part in _split(probe, pid)]


def _split(probe: Probe, pid: int) -> list[Probe]:
    filtered = [point for point in probe.attach_points if _of_processes(point)]
    others = [point for point in probe.attach_points if point not in filtered]
    parts = []
    if others:
        parts.append(Probe(others, probe.predicate, probe.body, probe.span))
    if filtered:
        predicate = _predicate(probe.predicate, pid, filtered[0].span)
        parts.append(Probe(filtered, predicate, probe.body, probe.span))
    return parts


def _of_processes(point: AttachPoint) -> bool:
    kind = kind_named(point.provider)
    return kind is not None and kind.of_processes


def _predicate(own: Expr | None, pid: int, span: Span) -> Expr:
    here = Binary("==", Identifier("pid", span), IntLiteral(pid, "", str(pid), span), span)
    return here if own is None else Binary("&&", here, own, own.span)

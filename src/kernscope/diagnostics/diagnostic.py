"""A diagnostic is a value: checks append them, nothing here prints."""

from __future__ import annotations

from .source import Span

TYPE_CHECKING = False  # collections.abc costs 2 ms to import; checkers take the name for true
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CompileError", "Diagnostic", "error", "note", "warning"]


class Diagnostic:
    """One finding about a program.

    code      kebab-case name of the kind of finding; its page is `explain(code)`
    severity  "error", "warning" or "note"
    message   lower case, readable alone, the user's own names in backticks
    span      the place; None where a finding has none (a command-line option, say)
    label     what to write beside the carets under `span`
    labels    further places, each with a text
    notes     why
    help      what to do
    """

    __slots__ = ("code", "help", "label", "labels", "message", "notes", "severity", "span")

    def __init__(
        self,
        code: str,
        severity: str,
        message: str,
        span: Span | None,
        *,
        label: str = "",
        labels: Iterable[tuple[Span, str]] = (),
        notes: str | Iterable[str] = (),
        help: str | Iterable[str] | None = None,
    ) -> None:
        self.code = code
        self.severity = severity
        self.message = message
        self.span = span
        self.label = label
        self.labels = list(labels)
        self.notes = [notes] if isinstance(notes, str) else list(notes)
        self.help = [] if help is None else [help] if isinstance(help, str) else list(help)

    def __str__(self) -> str:
        text = f"{self.severity}[{self.code}]: {self.message}"
        if self.span is None:
            return text
        line, column = self.span.source.position(self.span.start)
        return f"{self.span.source.name}:{line}:{column}: {text}"

    def __repr__(self) -> str:
        return f"<Diagnostic {self}>"


def error(
    code: str,
    message: str,
    span: Span | None,
    *,
    label: str = "",
    labels: Iterable[tuple[Span, str]] = (),
    notes: str | Iterable[str] = (),
    help: str | Iterable[str] | None = None,
) -> Diagnostic:
    """A diagnostic of severity "error"."""
    return Diagnostic(code, "error", message, span, label=label, labels=labels, notes=notes, help=help)


def warning(
    code: str,
    message: str,
    span: Span | None,
    *,
    label: str = "",
    labels: Iterable[tuple[Span, str]] = (),
    notes: str | Iterable[str] = (),
    help: str | Iterable[str] | None = None,
) -> Diagnostic:
    """A diagnostic of severity "warning"."""
    return Diagnostic(code, "warning", message, span, label=label, labels=labels, notes=notes, help=help)


def note(
    code: str,
    message: str,
    span: Span | None,
    *,
    label: str = "",
    labels: Iterable[tuple[Span, str]] = (),
    notes: str | Iterable[str] = (),
    help: str | Iterable[str] | None = None,
) -> Diagnostic:
    """A diagnostic of severity "note"."""
    return Diagnostic(code, "note", message, span, label=label, labels=labels, notes=notes, help=help)


class CompileError(Exception):
    """The program is wrong. `diagnostics` holds every finding of the stage that failed."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = list(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        return "\n".join(str(diagnostic) for diagnostic in self.diagnostics)

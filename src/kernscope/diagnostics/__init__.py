"""What is wrong with a program, where, why, and what to do: values, and the ways to show them."""

from __future__ import annotations

from .diagnostic import CompileError, Diagnostic, error, note, warning
from .source import NO_SPAN, ExpandedSpan, Source, Span, root_span
from .suggest import suggest  # here, as loading it later would put the module in the function's place

TYPE_CHECKING = False  # typing costs 3 ms to import; checkers take the name for true
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .codes import UnknownCode as UnknownCode

__all__ = [
    "NO_SPAN",
    "CompileError",
    "Diagnostic",
    "ExpandedSpan",
    "Source",
    "Span",
    "UnknownCode",
    "code_names",
    "error",
    "explain",
    "note",
    "render_text",
    "root_span",
    "suggest",
    "to_json",
    "warning",
]

# A correct program needs none of the modules below, so each is loaded by the first call.


def render_text(diagnostics: Iterable[Diagnostic], color: bool = False, width: int = 100) -> str:
    """The diagnostics as text for a person; `width` is that of the terminal, in columns."""
    from .render import render_text as render

    return render(diagnostics, color, width)


def to_json(diagnostics: Iterable[Diagnostic]) -> str:
    """The diagnostics as a JSON array; offsets are counted in characters, lines and columns from 1."""
    from .render import to_json as render

    return render(diagnostics)


def explain(code: str) -> str:
    """The page of an error code, as Markdown. Raises UnknownCode."""
    from .codes import explain as read

    return read(code)


def code_names() -> list[str]:
    """All error codes that have a page, sorted."""
    from .codes import code_names as names

    return names()


def __getattr__(name: str) -> object:
    if name == "UnknownCode":
        from .codes import UnknownCode

        return UnknownCode
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Diagnostics as text and as JSON."""

from collections.abc import Iterable

from .diagnostic import Diagnostic

__all__ = ["render_text", "to_json"]


def render_text(diagnostics: Iterable[Diagnostic], color: bool = False, width: int = 100) -> str:
    """The diagnostics as text for a person."""
    return "".join(f"{diagnostic}\n" for diagnostic in diagnostics)


def to_json(diagnostics: Iterable[Diagnostic]) -> str:
    """The diagnostics as a JSON array."""
    raise NotImplementedError

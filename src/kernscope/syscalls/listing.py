"""Probes as `bpftrace -l` and `-lv` print them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["listing_text"]


def listing_text(
    names: Iterable[str], fields: Callable[[str], Iterable[tuple[str, str]]] | None = None
) -> str:
    """One name per line; with `fields`, the members of `args` below each as `    TYPE NAME`."""
    lines = []
    for name in names:
        lines.append(name)
        if fields is not None:
            lines += [f"    {_declaration(type, field)}" for type, field in fields(name)]
    return "".join(f"{line}\n" for line in lines)


def _declaration(type: str, name: str) -> str:
    """`char[16]` and `comm` are `char comm[16]`, as C writes it; of unknown length it stays `char[] comm`."""
    if type.endswith("[]"):
        return f"{type} {name}"
    base, bracket, rest = type.partition("[")
    return f"{base.rstrip()} {name}{bracket}{rest}"

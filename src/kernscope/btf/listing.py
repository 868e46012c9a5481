"""Types by name: `struct list_*`."""

from kernscope.btf.btf import Btf
from kernscope.btf.declaration import TAGS, declaration
from kernscope.btf.types import BtfType

__all__ = ["matching_types", "type_text"]


def matching_types(btf: Btf, pattern: str) -> list[str]:
    """Names such as `struct list_head` that a pattern such as `struct list_*` matches, sorted.

    Several patterns are separated by commas.
    """
    found: set[str] = set()
    for one in pattern.split(","):
        tag, _, name = one.strip().partition(" ")
        name = name.strip() or "*"
        if tag not in TAGS:
            continue
        if not any(c in name for c in "*?["):
            found |= {f"{tag} {name}"} if _find(btf, tag, name) is not None else set()
        else:
            found |= {f"{tag} {known}" for known in _names(btf, tag, name)}
    return sorted(found)


def _names(btf: Btf, tag: str, pattern: str) -> list[str]:
    from fnmatch import fnmatchcase

    types = (btf.type(id) for id in range(1, len(btf)))
    return [
        type.name
        for type in types
        if type.kind in TAGS[tag] and type.name and fnmatchcase(type.name, pattern)
    ]


def _find(btf: Btf, tag: str, name: str) -> BtfType | None:
    for kind in TAGS[tag]:
        found = btf.find(kind, name)
        if found is not None:
            return found
    return None


def type_text(btf: Btf, name: str) -> str:
    """The definition of `struct list_head`, with `;`; empty if there is none."""
    tag, _, rest = name.partition(" ")
    found = _find(btf, tag, rest) if tag in TAGS else None
    return "" if found is None else f"{declaration(btf, found)};\n"

"""ELF notes (elf(5), "Notes"): an owner's name, a type and content each, padded to 4 bytes."""

from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["iter_notes"]

_NOTE = Struct("<III")


def iter_notes(notes: memoryview) -> "Iterator[tuple[bytes, int, memoryview]]":
    """The notes of a section, each as (owner with its NUL, type, content); what is cut off ends them."""
    at = 0
    while at + _NOTE.size <= len(notes):
        name_size, size, kind = _NOTE.unpack_from(notes, at)
        name = at + _NOTE.size
        content = name + ((name_size + 3) & ~3)
        if content + size > len(notes):
            return
        yield bytes(notes[name : name + name_size]), kind, notes[content : content + size]
        at = content + ((size + 3) & ~3)

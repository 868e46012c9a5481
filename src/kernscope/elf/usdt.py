"""Static probes of a program (USDT): the notes that `sys/sdt.h` leaves in the section `.note.stapsdt`.

Source of the format: "User Space Probe Implementation" of the SystemTap wiki, version 3.
"""

from struct import Struct

from kernscope.elf.file import ElfFile
from kernscope.elf.notes import iter_notes

__all__ = ["UsdtNote", "read_usdt_notes"]

_SECTION, _BASE_SECTION = ".note.stapsdt", ".stapsdt.base"
_OWNER = b"stapsdt\0"
_TYPE = 3

_ADDRESSES = Struct("<QQQ")
"""Where the probe is, where `.stapsdt.base` was when it was linked, and its semaphore or 0."""


class UsdtNote:
    """One place of one probe.

    `address` and `semaphore` are addresses in the file, before it is mapped (0: no semaphore); `arguments` is the text
    that says where its arguments are (see `usdt_arguments`).
    """

    __slots__ = ("address", "arguments", "name", "provider", "semaphore")

    def __init__(self, provider: str, name: str, address: int, semaphore: int, arguments: str) -> None:
        self.provider, self.name = provider, name
        self.address, self.semaphore, self.arguments = address, semaphore, arguments

    def __repr__(self) -> str:
        return f"UsdtNote({self.provider}:{self.name} at {self.address:#x}, {self.arguments!r})"


def read_usdt_notes(elf: ElfFile) -> list[UsdtNote]:
    """All places of all static probes, in the order of the file. Notes that make no sense are left out.

    Raises ElfError where the section itself is cut off.
    """
    notes = elf.content(_SECTION)
    if not notes:
        return []
    base = elf.section(_BASE_SECTION)
    found = []
    for owner, kind, content in iter_notes(notes):
        if owner == _OWNER and kind == _TYPE and len(content) >= _ADDRESSES.size:
            note = _read(content, base.address if base is not None else 0)
            if note is not None:
                found.append(note)
    return found


def _read(content: memoryview, base: int) -> UsdtNote | None:
    """One note. Prelinking moves addresses, and `.stapsdt.base` with them, but not what the notes say."""
    address, noted_base, semaphore = _ADDRESSES.unpack_from(content)
    texts = bytes(content[_ADDRESSES.size :]).split(b"\0")
    if len(texts) < 4 or not texts[1]:  # three texts, each ended by a NUL
        return None
    moved = base - noted_base if base and noted_base else 0
    provider, name, arguments = (text.decode("utf-8", "replace") for text in texts[:3])
    return UsdtNote(
        provider,
        name,
        (address + moved) & _ALL_ONES,
        (semaphore + moved) & _ALL_ONES if semaphore else 0,
        arguments,
    )


_ALL_ONES = (1 << 64) - 1

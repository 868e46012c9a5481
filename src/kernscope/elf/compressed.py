"""Compressed sections (SHF_COMPRESSED of elf(5)): an Elf64_Chdr, and behind it the bytes."""

import zlib
from struct import Struct

from kernscope.elf.errors import ElfError

__all__ = ["MOST_BYTES", "decompress"]

_HEADER = Struct("<IIQQ")
"""Elf64_Chdr: type, reserved, size, alignment."""

_ZLIB = 1

MOST_BYTES = 1 << 30
"""More than any debug information that is worth reading here; a hostile file may claim anything."""


def decompress(content: memoryview) -> memoryview:
    """The section's bytes. Raises ElfError where they are not what the header says, or packed by zstd."""
    if len(content) < _HEADER.size:
        raise ElfError("a compressed section is cut off")
    kind, _, size, _ = _HEADER.unpack_from(content)
    if kind != _ZLIB:
        raise ElfError("a section is compressed by something else than zlib")
    if size > MOST_BYTES:
        raise ElfError("a compressed section is too large")
    try:
        unpacked = zlib.decompressobj().decompress(content[_HEADER.size :], max(1, size))
    except zlib.error as problem:
        raise ElfError(f"a compressed section is damaged: {problem}") from None
    if len(unpacked) != size:
        raise ElfError("a compressed section is cut off")
    return memoryview(unpacked)

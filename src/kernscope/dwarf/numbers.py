"""The variable-length numbers of DWARF (LEB128), and texts ended by a NUL."""

__all__ = ["sleb128", "text_at", "uleb128"]

_MOST_BITS = 70
"""Ten bytes hold 64 bits; more is damage."""

_STEPS = (128, 4096, 1 << 16)
"""Names are short; longer ones are looked for in larger pieces, and cut at the last."""


def uleb128(data: memoryview, at: int) -> tuple[int, int]:
    """(unsigned number, where it ends). IndexError where it is cut off, OverflowError where it does not end."""
    byte = data[at]
    if byte < 0x80:
        return byte, at + 1
    value, shift = byte & 0x7F, 7
    while shift < _MOST_BITS:
        at += 1
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at + 1
        shift += 7
    raise OverflowError("a number does not end")


def sleb128(data: memoryview, at: int) -> tuple[int, int]:
    """(signed number, where it ends)."""
    value, end = uleb128(data, at)
    bits = 7 * (end - at)
    return (value - (1 << bits) if value >> (bits - 1) else value), end


def text_at(data: memoryview, at: int) -> str:
    """The text that begins at `at`."""
    if not 0 <= at < len(data):
        raise IndexError("a text is outside of its section")
    piece = b""
    for size in _STEPS:
        piece = bytes(data[at : at + size])
        end = piece.find(b"\0")
        if end >= 0:
            return piece[:end].decode("utf-8", "replace")
    return piece.decode("utf-8", "replace")

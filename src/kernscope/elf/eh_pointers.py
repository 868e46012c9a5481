"""Numbers of `.eh_frame`: LEB128, and pointers in the encodings DW_EH_PE_* (Linux Standard Base Core, 10.5)."""

__all__ = ["PointerReader", "leb128"]

_SIZES = {
    0x00: (8, False),
    0x02: (2, False),
    0x03: (4, False),
    0x04: (8, False),
    0x0A: (2, True),
    0x0B: (4, True),
    0x0C: (8, True),
}
"""Format (lower four bits) → (bytes, whether signed)."""
_PC_RELATIVE = 0x10


def leb128(content: bytes, at: int, end: int, *, signed: bool = False) -> tuple[int, int]:
    """(number, where the next thing is). ValueError where it is cut off or longer than 64 bits."""
    byte = content[at] if at < end else -1
    if 0 <= byte < 0x40 or (byte >= 0 and byte < 0x80 and not signed):
        return byte, at + 1
    value = shift = 0
    while at < end and shift < 70:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if signed and byte & 0x40:
                value -= 1 << shift
            return value, at
    raise ValueError("a number is cut off")


class PointerReader:
    """Reads pointers of a section that is mapped at `address`."""

    __slots__ = ("address", "content")

    def __init__(self, content: bytes, address: int) -> None:
        self.content, self.address = content, address

    def read(self, encoding: int, at: int) -> tuple[int, int]:
        """(pointer, where the next thing is). ValueError for encodings that compilers for x86-64 do not use."""
        if encoding & 0x0F == 0x01:
            value, after = leb128(self.content, at, len(self.content))
        else:
            if encoding & 0x0F not in _SIZES:
                raise ValueError("a pointer has an unknown format")
            size, signed = _SIZES[encoding & 0x0F]
            after = at + size
            if after > len(self.content):
                raise ValueError("a pointer is cut off")
            value = int.from_bytes(self.content[at:after], "little", signed=signed)
        how = encoding & 0x70
        if how == _PC_RELATIVE:
            value += self.address + at
        elif how:
            raise ValueError("a pointer is relative to something unknown")
        return value & 0xFFFFFFFFFFFFFFFF, after

    def skip(self, encoding: int, at: int) -> int:
        """Where the next thing is behind a pointer."""
        return self.read(encoding & 0x0F, at)[1]

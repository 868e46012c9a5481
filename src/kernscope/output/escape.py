r"""Text that others chose, made harmless for a terminal.

A process decides what its name, its files' names and its arguments are. Such bytes may hold control
sequences that move the cursor, clear lines, change the title or the direction of text, and so hide or forge
output. They are shown as ``\xNN`` or ``\uNNNN``. What is escaped:

- C0 (0x00-0x1f), DEL and C1 (0x80-0x9f): ECMA-48 control functions; - bytes that are not UTF-8; - format
and separator characters (Unicode categories Cf, Cc, Cs, Co, Cn, Zl, Zp), among them the bidirectional
  controls of UAX #9; `str.isprintable` tells them apart.
"""

__all__ = ["escape_bytes", "escape_text"]

_PRINTABLE = bytes(range(0x20, 0x7F))


def escape_bytes(raw: bytes) -> bytes:
    """`raw` with everything escaped that is not printable text. Plain ASCII comes back as it is."""
    if not raw.translate(None, _PRINTABLE):
        return raw
    return escape_text(raw.decode("utf-8", "surrogateescape")).encode()


def escape_text(text: str) -> str:
    """The same for text whose undecodable bytes are lone surrogates (`surrogateescape`)."""
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else _escaped(c) for c in text])


def _escaped(c: str) -> str:
    code = ord(c)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0xA0:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

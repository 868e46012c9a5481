"""The values of number and string literals.

The rules are those of bpftrace's docs/language.md, "Literals": decimal, octal (`017`), hexadecimal (`0x1f`)
and scientific (`2e3`) integers, `_` between digits, C suffixes without effect, durations in nanoseconds.
"""

__all__ = ["DURATIONS_NS", "NumberError", "StringError", "decode_string", "encode_string", "read_number"]

DURATIONS_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}

_C_SUFFIXES = ("ull", "llu", "ul", "lu", "ll", "u", "l")
_MAX_U64 = (1 << 64) - 1
# Longer than any 64-bit number in any base; int() must never see text of unbounded length.
_MAX_DIGITS = 64


class NumberError(ValueError):
    """Not a number. `reason` is "form", "octal", "binary", "float" or "range"."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class StringError(ValueError):
    """A bad escape sequence: `start` and `end` are offsets in the literal's text, `reason` says why."""

    def __init__(self, start: int, end: int, reason: str) -> None:
        self.start = start
        self.end = end
        self.reason = reason
        super().__init__(start, end, reason)


def _split_suffix(text: str) -> tuple[str, str]:
    """Digits and suffix of a decimal or octal literal, both without underscores and in lower case."""
    body = text.replace("_", "").lower()
    digits = body.rstrip("abcdfghijklmnopqrstuvwxyz")
    return digits, body[len(digits) :]


def _read_digits(digits: str, base: int) -> int:
    digits = digits.lstrip("0") or "0"
    if len(digits) > _MAX_DIGITS:
        raise NumberError("range")
    return int(digits, base)


def _read_hexadecimal(text: str) -> tuple[int, str]:
    body = text[2:].replace("_", "").lower()
    digits = body.rstrip("ul")
    suffix = body[len(digits) :]
    if not digits or not all(c in "0123456789abcdef" for c in digits):
        raise NumberError("form")
    if suffix and suffix not in _C_SUFFIXES:
        raise NumberError("form")
    return _read_digits(digits, 16), suffix


def _read_scientific(digits: str) -> int:
    mantissa, _, exponent = digits.partition("e")
    if not (mantissa.isdigit() and exponent.isdigit()):
        raise NumberError("form")
    value = _read_digits(mantissa, 10)
    power = _read_digits(exponent, 10)
    if power > 19 and value:
        raise NumberError("range")  # 10**20 is above 2**64
    return value * 10**power if value else 0


def read_number(text: str) -> tuple[int, str]:
    """Value (in nanoseconds for a duration) and lower-case suffix of a number literal. Raises NumberError."""
    if text.isdigit() and len(text) < 19 and (text[0] != "0" or text == "0"):
        return int(text), ""
    if not text.isascii():
        raise NumberError("form")
    prefix = text[:2]
    if prefix in ("0x", "0X"):
        value, suffix = _read_hexadecimal(text)
    elif prefix in ("0b", "0B"):
        raise NumberError("binary")
    else:
        digits, suffix = _split_suffix(text)
        if "e" in digits:
            value = _read_scientific(digits)
        elif not digits.isdigit():
            raise NumberError("form")
        elif len(digits) > 1 and digits[0] == "0" and suffix not in DURATIONS_NS:
            if not digits.strip("01234567") == "":
                raise NumberError("octal")
            value = _read_digits(digits, 8)
        else:
            value = _read_digits(digits, 10)
        if suffix in DURATIONS_NS:
            value *= DURATIONS_NS[suffix]
        elif suffix and suffix not in _C_SUFFIXES:
            raise NumberError("form")
    if value > _MAX_U64:
        raise NumberError("range")
    return value, suffix


_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "\\": "\\",
    '"': '"',
}
_OCTAL = "01234567"
_HEX = "0123456789abcdefABCDEF"


def _byte(value: int) -> str:
    # A byte above 0x7f alone is no character; surrogateescape's form keeps it exact.
    return chr(value) if value < 0x80 else chr(0xDC00 + value)


def _read_escape(text: str, start: int) -> tuple[str, int]:
    """The character that the escape at `start` means, and the offset after it."""
    c = text[start + 1]
    if c in _ESCAPES:
        return _ESCAPES[c], start + 2
    if c in _OCTAL:
        end = start + 2
        while end < start + 4 and text[end] in _OCTAL:
            end += 1
        value = int(text[start + 1 : end], 8)
        if value > 255:
            raise StringError(start, end, "an octal escape is at most `\\377`")
        return _byte(value), end
    if c == "x":
        end = start + 2
        while end < start + 4 and text[end] in _HEX:
            end += 1
        if end == start + 2:
            raise StringError(start, end, "`\\x` needs one or two hexadecimal digits")
        return _byte(int(text[start + 2 : end], 16)), end
    raise StringError(start, start + 2, "")


def decode_string(text: str) -> str:
    """The value of a string literal with its quotes. Raises StringError."""
    if "\\" not in text:
        return text[1:-1]
    parts: list[str] = []
    position = 1
    last = len(text) - 1
    while True:
        backslash = text.find("\\", position, last)
        if backslash < 0:
            parts.append(text[position:last])
            return "".join(parts)
        parts.append(text[position:backslash])
        part, position = _read_escape(text, backslash)
        parts.append(part)


_NAMED = {ord(value): "\\" + name for name, value in _ESCAPES.items()}
_PRINTABLE = tuple(value for value in _ESCAPES.values() if value.isprintable())
"""What is escaped though it could be printed."""


def _encode_character(c: str) -> str:
    code = ord(c)
    if code in _NAMED:
        return _NAMED[code]
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return c


def encode_string(value: str) -> str:
    """A string literal with this value; `decode_string` is the inverse."""
    if value.isascii() and value.isprintable() and not any(c in value for c in _PRINTABLE):
        return f'"{value}"'
    return '"' + "".join(map(_encode_character, value)) + '"'

"""Numbers that system calls take and return, as text by their kind: flags by name, modes octal, signals named."""

from __future__ import annotations

from kernscope.tables.flags import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["number_text", "pointer_text", "signed_32", "signed_64"]

_REMEMBERED = 1024
AT_FDCWD = -100
_FILE_TYPES = {
    0o010000: "S_IFIFO",
    0o020000: "S_IFCHR",
    0o040000: "S_IFDIR",
    0o060000: "S_IFBLK",
    0o100000: "S_IFREG",
    0o120000: "S_IFLNK",
    0o140000: "S_IFSOCK",
}


def signed_32(value: int) -> int:
    value &= 0xFFFF_FFFF
    return value - (1 << 32) if value >> 31 else value


def signed_64(value: int) -> int:
    value &= 0xFFFF_FFFF_FFFF_FFFF
    return value - (1 << 64) if value >> 63 else value


def _int(value: int) -> str:
    return str(signed_32(value))


def _uint(value: int) -> str:
    return str(value & 0xFFFF_FFFF)


def _long(value: int) -> str:
    return str(signed_64(value))


def _size(value: int) -> str:
    return str(value & 0xFFFF_FFFF_FFFF_FFFF)


def _hex(value: int) -> str:
    return hex(value & 0xFFFF_FFFF_FFFF_FFFF) if value else "0"


def pointer_text(value: int) -> str:
    return hex(value & 0xFFFF_FFFF_FFFF_FFFF) if value else "NULL"


def _dirfd(value: int) -> str:
    value = signed_32(value)
    return "AT_FDCWD" if value == AT_FDCWD else str(value)


def _mode(value: int) -> str:
    return f"0{value & 0xFFFF:02o}"


def _file_mode(value: int) -> str:
    type = _FILE_TYPES.get(value & 0o170000)
    return f"{type}|0{value & 0o7777:03o}" if type else _mode(value)


def _dev(value: int) -> str:
    # new_encode_dev(), include/linux/kdev_t.h
    value &= 0xFFFF_FFFF
    return f"{(value & 0xFFF00) >> 8}:{value & 0xFF | value >> 12 & 0xFFF00}"


def _signal(value: int) -> str:
    return find("signal").decode(signed_32(value))


_NUMBERS: dict[str, Callable[[int], str]] = {
    "int": _int,
    "uint": _uint,
    "long": _long,
    "offset": _long,
    "size": _size,
    "hex": _hex,
    "ptr": pointer_text,
    "fd": _int,
    "dirfd": _dirfd,
    "pid": _int,
    "uid": _int,
    "mode": _mode,
    "file_mode": _file_mode,
    "dev": _dev,
    "signal": _signal,
}


def number_text(kind: str, value: int) -> str:
    """A number by its kind, or by the flag set of that name."""
    decode = _NUMBERS.get(kind)
    if decode is None:
        decode = _NUMBERS[kind] = _remembering(find(kind).decode)
    return decode(value)


def _remembering(decode: Callable[[int], str]) -> Callable[[int], str]:
    """The same function with a memory: programs pass the same few combinations of flags all the time."""
    known: dict[int, str] = {}

    def remembered(value: int) -> str:
        text = known.get(value)
        if text is None:
            text = decode(value)
            if len(known) < _REMEMBERED:
                known[value] = text
        return text

    return remembered

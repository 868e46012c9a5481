"""ELF files made byte by byte: static probes' notes, a segment of code, one of data, variables."""

import struct

__all__ = ["CODE_ADDRESS", "DATA_ADDRESS", "made_elf", "usdt_note"]

CODE_ADDRESS, DATA_ADDRESS = 0x1000, 0x3000
"""Where the two segments are mapped; each has 4096 bytes of the file, from 0x1000 and 0x2000 on."""

MACHINES = {"x86_64": 62, "aarch64": 183}
"""EM_* of elf(5)."""

_PAGE = 0x1000


def usdt_note(
    provider: str,
    name: str,
    address: int,
    arguments: str = "",
    *,
    base: int = 0,
    semaphore: int = 0,
    owner: bytes = b"stapsdt\0",
) -> bytes:
    """One note of `.note.stapsdt`."""
    texts = b"".join(text.encode() + b"\0" for text in (provider, name, arguments))
    content = struct.pack("<QQQ", address, base, semaphore) + texts
    return struct.pack("<III", len(owner), len(content), 3) + owner + content + bytes(-len(content) % 4)


def made_elf(
    notes: bytes,
    *,
    base_address: int = 0,
    machine: str = "x86_64",
    variables: "dict[str, int] | None" = None,
) -> bytes:
    """A file with these notes, `.stapsdt.base` at `base_address`, and variables by name and address."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in variables or {})
    symbols = bytes(24)
    for name, address in (variables or {}).items():
        symbols += struct.pack("<IBBHQQ", names.index(b"\0" + name.encode() + b"\0") + 1, 1, 0, 1, address, 8)
    section_names = b"\0.note.stapsdt\0.stapsdt.base\0.shstrtab\0.symtab\0.strtab\0"
    contents = [notes, b"", section_names, symbols, names]
    kinds = [
        (b".note.stapsdt", 7),
        (b".stapsdt.base", 8),
        (b".shstrtab", 3),
        (b".symtab", 2),
        (b".strtab", 3),
    ]
    body, headers = b"", [bytes(64)]
    for (name, kind), content in zip(kinds, contents, strict=True):
        at = section_names.index(name + b"\0")
        address = base_address if name == b".stapsdt.base" else 0
        link, entry = (5, 24) if name == b".symtab" else (0, 0)
        place = 3 * _PAGE + len(body)
        headers.append(
            struct.pack("<IIQQQQIIQQ", at, kind, 0, address, place, len(content) or 1, link, 0, 1, entry)
        )
        body += content
    segments = [
        struct.pack("<IIQQQQQQ", 1, 5, _PAGE, CODE_ADDRESS, CODE_ADDRESS, _PAGE, _PAGE, _PAGE),
        struct.pack("<IIQQQQQQ", 1, 6, 2 * _PAGE, DATA_ADDRESS, DATA_ADDRESS, _PAGE, _PAGE, _PAGE),
    ]
    table = 3 * _PAGE + len(body)
    head = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01",
        3,
        MACHINES[machine],
        1,
        0,
        64,
        table,
        0,
        64,
        56,
        2,
        64,
        6,
        3,
    )
    return (head + b"".join(segments)).ljust(3 * _PAGE, b"\0") + body + b"".join(headers)

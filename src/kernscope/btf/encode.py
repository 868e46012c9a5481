"""Making BTF: what the kernel wants to know of our programs' functions.

A program whose callbacks go to bpf_loop() or bpf_for_each_map_elem() must carry BTF that calls these
functions static (kernel/bpf/verifier.c, check_pseudo_btf_id / "callback function not static").
"""

from struct import pack

from kernscope.btf.index import HEADER
from kernscope.btf.types import Kind

__all__ = ["encode", "func_info", "functions_btf"]

_FUNC_STATIC, _FUNC_GLOBAL = 0, 1
"""``enum btf_func_linkage``."""

_INT_BITS = 64
_SIGNED = 1 << 24


class _Strings:
    """The string section: starts with the empty string, each text once."""

    def __init__(self) -> None:
        self.data = bytearray(1)
        self._offsets = {"": 0}

    def add(self, text: str) -> int:
        offset = self._offsets.get(text)
        if offset is None:
            offset = self._offsets[text] = len(self.data)
            self.data += text.encode() + b"\0"
        return offset


def encode(types: bytes, strings: bytes) -> bytes:
    """A blob of a type section and a string section."""
    header = HEADER.pack(0xEB9F, 1, 0, HEADER.size, 0, len(types), len(types), len(strings))
    return header + types + strings


def type_record(name_off: int, kind: int, vlen: int, size_or_type: int, kind_flag: bool = False) -> bytes:
    """``struct btf_type``."""
    return pack("=III", name_off, int(kind_flag) << 31 | kind << 24 | vlen, size_or_type)


def functions_btf(functions: list[tuple[str, int]]) -> tuple[bytes, list[int]]:
    """BTF for one program of several functions, the main one first.

    Args:
        functions: (name, number of parameters) of each; all parameters and results are 64-bit integers.

    Returns:
        The blob, and the type id of each function, in order. The first is global, the others static.
    """
    strings = _Strings()
    # Type 1: the 64-bit integer all parameters have.
    types = type_record(strings.add("long"), Kind.INT, 0, 8) + pack("=I", _SIGNED | _INT_BITS)
    count = 1
    prototypes: dict[int, int] = {}
    ids: list[int] = []
    for name, parameters in functions:
        if parameters not in prototypes:
            types += type_record(0, Kind.FUNC_PROTO, parameters, 1)
            for number in range(parameters):
                types += pack("=II", strings.add(f"arg{number}"), 1)
            count += 1
            prototypes[parameters] = count
        linkage = _FUNC_STATIC if ids else _FUNC_GLOBAL
        types += type_record(strings.add(_identifier(name)), Kind.FUNC, linkage, prototypes[parameters])
        count += 1
        ids.append(count)
    return encode(types, bytes(strings.data)), ids


def func_info(first_slots: list[int], type_ids: list[int]) -> bytes:
    """``struct bpf_func_info`` records: each function's first instruction slot (of 8 bytes) and its type."""
    return b"".join(pack("=II", slot, id) for slot, id in zip(first_slots, type_ids, strict=True))


def _identifier(name: str) -> str:
    """`name` as the kernel accepts it for a function (btf_name_valid_identifier)."""
    text = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name) or "_"
    return (text if not text[0].isdigit() else "_" + text)[:127]

"""An index over one BTF blob: type id → place, (kind, name) → id. Built once, usable from mapped memory.

Layout, u32 in the machine's byte order: magic, version, number of types, number of hash slots, CRC of the
blob's header and length; then one record offset per type (id 0 is void); then the slots: open addressing,
linear probing, each the id of a named type or 0. Slots are chosen by CRC-32 of kind and name: cheap in
Python, and the same everywhere.
"""

from binascii import crc32
from struct import Struct

from kernscope.btf.types import FIXED_EXTRA, PER_ELEMENT, Kind

__all__ = ["HEADER", "TypeIndex", "build_index", "name_hash"]

INDEX_MAGIC = 0x4B534249
INDEX_VERSION = 1

HEADER = Struct("=HBBIIIII")
"""``struct btf_header``: magic, version, flags, hdr_len, type_off, type_len, str_off, str_len."""

_INDEX_HEADER = Struct("=IIIII")
_TYPE = Struct("=III")


def name_hash(kind: int, name: bytes) -> int:
    """The hash slots are chosen by."""
    return crc32(name, kind)


class TypeIndex:
    """The index as written by `build_index`, over any buffer."""

    __slots__ = ("_slots", "buffer", "offsets", "slot_mask")

    def __init__(self, buffer: "memoryview | bytes", fingerprint: int) -> None:
        """Raises ValueError if `buffer` is not the index of the blob with this fingerprint."""
        view = memoryview(buffer)
        if len(view) < _INDEX_HEADER.size:
            raise ValueError("BTF index too short")
        magic, version, types, slots, made_for = _INDEX_HEADER.unpack_from(view)
        size = _INDEX_HEADER.size + 4 * (types + slots)
        if magic != INDEX_MAGIC or version != INDEX_VERSION or made_for != fingerprint or len(view) < size:
            raise ValueError("not an index of this BTF")
        self.buffer = view[:size]
        """All of it, to be kept for later."""
        words = view[_INDEX_HEADER.size : size].cast("I")
        self.offsets = words[:types]
        self._slots = words[types:]
        self.slot_mask = slots - 1

    def candidates(self, kind: int, name: bytes) -> "list[int]":
        """Ids that may be the type: the caller compares names. In order of id."""
        slots, mask = self._slots, self.slot_mask
        position = name_hash(kind, name) & mask
        found = []
        while identity := slots[position]:
            found.append(identity)
            position = (position + 1) & mask
        return found


def fingerprint(data: "memoryview | bytes") -> int:
    """Cheap identity of a blob, against using an index for another one."""
    return crc32(bytes(data[: HEADER.size]), len(data))


def build_index(data: "memoryview | bytes", base_strings: "memoryview | bytes" = b"") -> bytes:
    """Scan a whole blob (about 1 µs per type). Raises ValueError if it is not well-formed BTF.

    Args:
        base_strings: for split BTF, the string section of its base, which string offsets count from.
    """
    from array import array  # imports `collections`; only the first run on a kernel comes here

    magic, _, _, header_bytes, type_off, type_len, str_off, str_len = HEADER.unpack_from(data)
    if magic != 0xEB9F:
        raise ValueError("not BTF of this byte order")
    types = memoryview(data)[header_bytes + type_off : header_bytes + type_off + type_len]
    strings = bytes(base_strings) + bytes(data[header_bytes + str_off : header_bytes + str_off + str_len])
    offsets = array("I", (0,))
    named: list[tuple[int, int, int]] = []
    unpack, record = _TYPE.unpack_from, 0
    while record < type_len:
        name_off, description, _ = unpack(types, record)
        kind = description >> 24 & 31
        if kind >= len(FIXED_EXTRA) or not kind:
            raise ValueError(f"unknown BTF kind {kind}")
        if name_off:
            named.append((kind, name_off, len(offsets)))
        offsets.append(record)
        record += 12 + FIXED_EXTRA[kind] + PER_ELEMENT[kind] * (description & 0xFFFF)
    slot_count = 1 << max(4, (2 * len(named) - 1).bit_length())
    slots, mask = array("I", bytes(4 * slot_count)), slot_count - 1
    find = strings.find
    for kind, name_off, identity in named:
        if kind == Kind.DECL_TAG or kind == Kind.TYPE_TAG:
            continue  # annotations, never looked up by name
        position = crc32(strings[name_off : find(b"\0", name_off)], kind) & mask
        while slots[position]:
            position = (position + 1) & mask
        slots[position] = identity
    header = _INDEX_HEADER.pack(INDEX_MAGIC, INDEX_VERSION, len(offsets), slot_count, fingerprint(data))
    return header + offsets.tobytes() + slots.tobytes()

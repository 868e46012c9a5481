"""Maps of the machine: the same contents seen from programs (regions) and from user space (bytes).

Semantics and error numbers follow kernel/bpf/hashtab.c, arraymap.c and ringbuf.c. Not modelled, because the
kernel leaves it open: the order of a hash (here the order of insertion) and which element an LRU map drops
(here the oldest).
"""

import errno

from kernscope.asm.vm.memory import Region, VmFault
from kernscope.tables.bpf import MapFlag, MapType

__all__ = ["AnyMap", "VmMap", "VmRing", "create_map"]

_ANY = 0
_NOEXIST = 1
_EXIST = 2

_ARRAYS = frozenset((MapType.ARRAY, MapType.PERCPU_ARRAY))
_HASHES = frozenset((MapType.HASH, MapType.LRU_HASH, MapType.PERCPU_HASH, MapType.LRU_PERCPU_HASH))
_LRU = frozenset((MapType.LRU_HASH, MapType.LRU_PERCPU_HASH))

# struct bpf_ringbuf_hdr, and the largest record (kernel/bpf/ringbuf.c).
_RECORD_HEADER_BYTES = 8
_MAX_RECORD_BYTES = 0xFFFFFFFF // 4


class VmMap:
    """A hash or array, per-CPU or not. `cpus` is the number of possible processors."""

    def __init__(
        self,
        type: int,
        key_size: int,
        value_size: int,
        max_entries: int,
        flags: int = 0,
        initial: bytes = b"",
        *,
        cpus: int = 1,
    ) -> None:
        if type not in _ARRAYS and type not in _HASHES:
            raise ValueError(f"the machine has no maps of type {type}")
        if type in _ARRAYS and key_size != 4:
            raise ValueError(f"an array has keys of 4 bytes, not {key_size}")
        self.type = type
        self.key_size = key_size
        self.value_size = value_size
        self.max_entries = max_entries
        self.flags = flags
        self.is_array = type in _ARRAYS
        self.copies = cpus if type in MapType.PERCPU else 1
        self._writable = not flags & MapFlag.RDONLY_PROG
        self._elements: dict[bytes, list[Region]] = {}
        if initial:
            self.update(bytes(4), initial.ljust(value_size, b"\0"))

    # -- as a program sees it ---------------------------------------------------------------------------

    def element(self, key: bytes) -> list[Region] | None:
        """The regions of an element's value, one per copy; None when it does not exist."""
        found = self._elements.get(key)
        if found is None and self.is_array and int.from_bytes(key, "little") < self.max_entries:
            return self._create(key)
        return found

    def store(self, key: bytes, value: bytes, flags: int, cpu: int) -> int:
        """map_update_elem from a program on a processor: 0 or a negative errno."""
        # BPF_F_LOCK (4) is legal only with a spin lock in the value, which the machine's maps never have.
        if flags > _EXIST:
            return -errno.EINVAL
        if self.is_array and int.from_bytes(key, "little") >= self.max_entries:
            return -errno.E2BIG
        found = self.element(key)
        if found is None:
            if flags == _EXIST:
                return -errno.ENOENT
            if len(self._elements) >= self.max_entries and not self._evict():
                return -errno.E2BIG
            found = self._create(key)
        elif flags == _NOEXIST:
            return -errno.EEXIST
        elif self.copies == 1 and not self.is_array:
            # The kernel links in a new element: pointers to the old value keep the old bytes.
            del self._elements[key]
            found = self._create(key)
        found[cpu if self.copies > 1 else 0].data[:] = value
        return 0

    def remove(self, key: bytes) -> int:
        """map_delete_elem: 0 or a negative errno."""
        if self.is_array:
            return -errno.EINVAL
        return 0 if self._elements.pop(key, None) is not None else -errno.ENOENT

    def direct_value(self, offset: int) -> Region:
        """The value that code may address directly (array_map_direct_value_addr)."""
        if self.type != MapType.ARRAY or self.max_entries != 1:
            raise VmFault("direct access to the value of a map that is not an array of one entry")
        if not 0 <= offset < self.value_size:
            raise VmFault(f"direct access at {offset} of a value of {self.value_size} bytes")
        element = self.element(bytes(4))
        assert element is not None
        return element[0]

    def program_keys(self) -> list[bytes]:
        """The keys that for_each_map_elem visits."""
        if self.is_array:
            return [index.to_bytes(4, "little") for index in range(self.max_entries)]
        return list(self._elements)

    # -- as user space sees it --------------------------------------------------------------------------

    def lookup(self, key: bytes) -> bytes | None:
        """The value (of CPU 0 for a per-CPU map), or None."""
        values = self.lookup_copies(key)
        return values[0] if values else None

    def lookup_copies(self, key: bytes) -> list[bytes]:
        """The value of each CPU (one for other maps); empty when the key is not there."""
        self._check(key)
        return [bytes(region.data) for region in self.element(key) or ()]

    def update(self, key: bytes, *values: bytes) -> None:
        """Set an element: one value for all copies, or one each."""
        self._check(key)
        regions = self.element(key)
        if regions is None:
            if len(self._elements) >= self.max_entries or self.is_array:
                raise OSError(errno.E2BIG, "the map is full")
            regions = self._create(key)
        for region, value in zip(regions, values * len(regions) if len(values) == 1 else values, strict=True):
            if len(value) != self.value_size:
                raise ValueError(f"a value has {self.value_size} bytes, not {len(value)}")
            region.data[:] = value

    def delete(self, key: bytes) -> bool:
        """Remove a key; False if it was not there (or is an array's)."""
        self._check(key)
        return self.remove(key) == 0

    def items(self) -> list[tuple[bytes, bytes]]:
        """All elements; per-CPU values joined, each copy padded to 8 bytes, as bpf(2) gives them."""
        return [(key, self._joined(key)) for key in self.program_keys()]

    # -- inside -----------------------------------------------------------------------------------------

    def _joined(self, key: bytes) -> bytes:
        values = self.lookup_copies(key)
        if self.type not in MapType.PERCPU:
            return values[0]
        padded = (self.value_size + 7) & ~7
        return b"".join(value.ljust(padded, b"\0") for value in values)

    def _create(self, key: bytes) -> list[Region]:
        regions = [
            Region("map value", bytearray(self.value_size), self._writable) for _ in range(self.copies)
        ]
        self._elements[key] = regions
        return regions

    def _evict(self) -> bool:
        if self.type not in _LRU:
            return False
        del self._elements[next(iter(self._elements))]
        return True

    def _check(self, key: bytes) -> None:
        if len(key) != self.key_size:
            raise ValueError(f"a key has {self.key_size} bytes, not {len(key)}")


class VmRing:
    """A ring buffer. Records stay until `drain` takes them, up to the first that is still open."""

    def __init__(self, max_entries: int) -> None:
        self.type = MapType.RINGBUF
        self.max_entries = max_entries
        self.producer = 0
        self.consumer = 0
        self._records: list[_Record] = []

    def reserve(self, size: int) -> Region | None:
        """Room for a record, to be committed by `finish`; None when there is none."""
        taken = (size + _RECORD_HEADER_BYTES + 7) & ~7
        # One byte always stays free: producer - consumer must not exceed the mask (__bpf_ringbuf_reserve).
        if size > _MAX_RECORD_BYTES or self.producer + taken - self.consumer > self.max_entries - 1:
            return None
        self.producer += taken
        region = Region("ring-buffer record", bytearray(b"\xa5" * size))
        self._records.append(_Record(region, taken))
        return region

    def finish(self, region: Region, discard: bool) -> None:
        """Commit or discard a reserved record."""
        for record in self._records:
            if record.region is region:
                record.open = False
                record.discarded = discard
                return
        raise VmFault("submits a ring-buffer record that is not reserved")

    def drain(self, limit: int = 0, until: int | None = None) -> list[bytes]:
        """Take the finished records, in the order of their reservation.

        At most `limit` (0: all), and none that begins at or behind the position `until`.
        """
        taken: list[bytes] = []
        while self._records and not self._records[0].open:
            if (limit and len(taken) == limit) or (until is not None and self.consumer >= until):
                break
            record = self._records.pop(0)
            self.consumer += record.taken
            if not record.discarded:
                taken.append(bytes(record.region.data))
        return taken


class _Record:
    __slots__ = ("discarded", "open", "region", "taken")

    def __init__(self, region: Region, taken: int) -> None:
        self.region = region
        self.taken = taken
        self.open = True
        self.discarded = False


AnyMap = VmMap | VmRing


def create_map(
    type: int,
    key_size: int,
    value_size: int,
    max_entries: int,
    flags: int = 0,
    initial: bytes = b"",
    *,
    cpus: int = 1,
) -> AnyMap:
    """A map as `bpf(BPF_MAP_CREATE)` would make it; types as in `kernscope.tables.bpf.MapType`."""
    if type == MapType.RINGBUF:
        return VmRing(max_entries)
    return VmMap(type, key_size, value_size, max_entries, flags, initial, cpus=cpus)

"""BPF maps: creation, single elements, and whole contents in few system calls.

Source of the layouts: ``union bpf_attr`` in include/uapi/linux/bpf.h.
"""

import errno
import mmap
from struct import Struct, pack

from kernscope.kernel.errors import KernelError
from kernscope.kernel.facts import possible_cpus
from kernscope.kernel.object import KernelObject, object_name
from kernscope.kernel.syscall import Buffer, bpf, bpf_result
from kernscope.tables.bpf import Command, MapFlag, MapType

__all__ = ["Map", "map_create"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_BATCH_BYTES = 4 << 20
"""Memory for one batched lookup: large enough for 10,000 usual elements in one system call."""

_ENOTSUPP = 524
"""A kernel-internal errno that bpf(2) lets through for map types without an operation."""

_ARRAYS = frozenset((MapType.ARRAY, MapType.PERCPU_ARRAY, MapType.PROG_ARRAY, MapType.PERF_EVENT_ARRAY))

_ELEMENT = Struct("=IIQQQ")
"""map_fd, padding, key, value or next_key, flags."""

_BATCH = Struct("=QQQQIIQQ")
"""in_batch, out_batch, keys, values, count, map_fd, elem_flags, flags."""

_BATCH_COUNT = Struct("=I")
_BATCH_COUNT_OFFSET = 32


class Map(KernelObject):
    """One map. Keys and values are bytes of exactly `key_size` and `value_bytes`."""

    __slots__ = (
        "_batch_works",
        "_mapping",
        "flags",
        "key_size",
        "max_entries",
        "type",
        "value_bytes",
        "value_size",
    )

    def __init__(
        self, fd: int, name: str, type: int, key_size: int, value_size: int, max_entries: int, flags: int = 0
    ) -> None:
        super().__init__(fd, name)
        self.type = type
        self.key_size = key_size
        self.value_size = value_size
        self.max_entries = max_entries
        self.flags = flags
        self.value_bytes = value_size
        """Size of a value seen from here: of per-CPU types, each possible CPU's copy rounded up to 8."""
        if type in MapType.PERCPU:
            self.value_bytes = ((value_size + 7) & ~7) * possible_cpus()
        self._mapping: mmap.mmap | None = None
        self._batch_works = True

    def lookup(self, key: bytes) -> bytes | None:
        """The value of `key`, or None."""
        value = Buffer(self.value_bytes)
        result, _ = self._element(Command.MAP_LOOKUP_ELEM, key, value)
        if result == -errno.ENOENT:
            return None
        if result < 0:
            raise KernelError(-result, "BPF_MAP_LOOKUP_ELEM", self.name)
        return value.bytes()

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        """Store `value`; KernelError with E2BIG when the map is full, EEXIST or ENOENT by `flags`."""
        if len(value) != self.value_bytes:
            raise ValueError(f"a value of `{self.name}` has {self.value_bytes} bytes, not {len(value)}")
        result, _ = self._element(Command.MAP_UPDATE_ELEM, key, Buffer(value), flags)
        if result < 0:
            raise KernelError(-result, "BPF_MAP_UPDATE_ELEM", self.name)

    def delete(self, key: bytes) -> bool:
        """Remove `key`; False if it was not there."""
        result, _ = self._element(Command.MAP_DELETE_ELEM, key, None)
        if result == -errno.ENOENT:
            return False
        if result < 0:
            raise KernelError(-result, "BPF_MAP_DELETE_ELEM", self.name)
        return True

    def next_key(self, key: bytes | None) -> bytes | None:
        """The key after `key` (None: the first one), or None at the end."""
        following = Buffer(self.key_size)
        result, _ = self._element(Command.MAP_GET_NEXT_KEY, key, following)
        if result == -errno.ENOENT:
            return None
        if result < 0:
            raise KernelError(-result, "BPF_MAP_GET_NEXT_KEY", self.name)
        return following.bytes()

    def items(self) -> list[tuple[bytes, bytes]]:
        """All elements, each key once. Not a snapshot: programs may be writing meanwhile."""
        if self._batch_works:
            try:
                return self.batched_items()
            except KernelError as error:
                if error.errno not in (errno.EINVAL, _ENOTSUPP, errno.EOPNOTSUPP):
                    raise
                self._batch_works = False
        return list(self._one_by_one().items())

    def batched_items(self) -> list[tuple[bytes, bytes]]:
        """`items` without the fallback for kernels and map types that have no batched lookup."""
        return self._batched(Command.MAP_LOOKUP_BATCH, "BPF_MAP_LOOKUP_BATCH")

    def take_items(self) -> list[tuple[bytes, bytes]]:
        """All elements, removed as they are read (hash types only)."""
        if self._batch_works:
            try:
                return self._batched(Command.MAP_LOOKUP_AND_DELETE_BATCH, "BPF_MAP_LOOKUP_AND_DELETE_BATCH")
            except KernelError as error:
                if error.errno not in (errno.EINVAL, _ENOTSUPP, errno.EOPNOTSUPP):
                    raise
                self._batch_works = False
        found = self._one_by_one()
        for key in found:
            self.delete(key)
        return list(found.items())

    def clear(self) -> None:
        """Remove all elements; of an array, whose elements cannot be removed, zero them."""
        if self.type in _ARRAYS:
            zero = bytes(self.value_bytes)
            self.update_items((pack("=I", index), zero) for index in range(self.max_entries))
        else:
            self.take_items()

    def zero(self) -> None:
        """Keep the keys, zero the values."""
        zero = bytes(self.value_bytes)
        self.update_items((key, zero) for key, _ in self.items())

    def update_items(self, items: "Iterable[tuple[bytes, bytes]]") -> None:
        """Store many elements, in one system call where the kernel can."""
        pairs = list(items)
        if not pairs:
            return
        if self._batch_works:
            keys = Buffer(b"".join(key for key, _ in pairs))
            values = Buffer(b"".join(value for _, value in pairs))
            attribute = Buffer(_BATCH.pack(0, 0, keys.address, values.address, len(pairs), self.fd, 0, 0))
            result = bpf_result(Command.MAP_UPDATE_BATCH, attribute)
            if result >= 0:
                return
            if -result not in (errno.EINVAL, _ENOTSUPP, errno.EOPNOTSUPP):
                raise KernelError(-result, "BPF_MAP_UPDATE_BATCH", self.name)
        for key, value in pairs:
            self.update(key, value)

    def freeze(self) -> None:
        """No more writes from user space; the verifier may then treat a read-only map as constants."""
        bpf(Command.MAP_FREEZE, Buffer(pack("=I", self.fd)), "BPF_MAP_FREEZE", self.name)

    def mmap(self) -> memoryview:
        """The elements of an array made with MapFlag.MMAPABLE, each 8-byte aligned, as writable memory."""
        if self._mapping is None:
            size = ((self.value_size + 7) & ~7) * self.max_entries
            pages = (size + mmap.PAGESIZE - 1) // mmap.PAGESIZE
            try:
                self._mapping = mmap.mmap(self.fd, pages * mmap.PAGESIZE, mmap.MAP_SHARED)
            except OSError as error:
                raise KernelError(error.errno or errno.EINVAL, "mmap", self.name) from None
        return memoryview(self._mapping)

    def close(self) -> None:
        mapping, self._mapping = self._mapping, None
        super().close()
        if mapping is not None:
            try:  # noqa: SIM105
                mapping.close()
            except BufferError:
                pass  # someone still holds a view; the mapping ends with it

    def _element(
        self, command: int, key: bytes | None, value: Buffer | None, flags: int = 0
    ) -> tuple[int, Buffer]:
        if key is not None and len(key) != self.key_size:
            raise ValueError(f"a key of `{self.name}` has {self.key_size} bytes, not {len(key)}")
        # The buffers must outlive the call; the caller holds `value`, this frame `key_buffer`.
        key_buffer = Buffer(key) if key else None
        attribute = Buffer(
            _ELEMENT.pack(
                self.fd, 0, key_buffer.address if key_buffer else 0, value.address if value else 0, flags
            )
        )
        return bpf_result(command, attribute), attribute

    def _batched(self, command: int, what: str) -> list[tuple[bytes, bytes]]:
        """Loop of one batch command. ENOENT says "that was the last part", with `count` filled in;
        ENOSPC that one hash bucket does not fit into the buffers (kernel/bpf/hashtab.c,
        __htab_map_lookup_and_delete_batch)."""
        key_size, value_bytes = self.key_size, self.value_bytes
        room = max(1, min(self.max_entries, max(64, _BATCH_BYTES // (key_size + value_bytes))))
        keys, values = Buffer(room * key_size), Buffer(room * value_bytes)
        # The position is a bucket number of 4 bytes for hashes, a key for other types.
        position, following = Buffer(max(8, key_size)), Buffer(max(8, key_size))
        split_keys, split_values = Struct(f"{key_size}s").iter_unpack, Struct(f"{value_bytes}s").iter_unpack
        found: list[tuple[bytes, bytes]] = []
        start = 0
        while True:
            attribute = Buffer(
                _BATCH.pack(start, following.address, keys.address, values.address, room, self.fd, 0, 0)
            )
            result = bpf_result(command, attribute)
            if result == -errno.ENOSPC:
                room *= 2
                keys, values = Buffer(room * key_size), Buffer(room * value_bytes)
                continue
            if result < 0 and result not in (-errno.ENOENT, -errno.EINTR, -errno.EAGAIN):
                raise KernelError(-result, what, self.name)
            count = _BATCH_COUNT.unpack_from(attribute.view, _BATCH_COUNT_OFFSET)[0]
            if result < 0 and result != -errno.ENOENT:
                continue
            key_parts = split_keys(keys.view[: count * key_size])
            value_parts = split_values(values.view[: count * value_bytes])
            found += [(key, value) for (key,), (value,) in zip(key_parts, value_parts, strict=True)]
            if result == -errno.ENOENT:
                return found
            position, following = following, position
            start = position.address

    def _one_by_one(self) -> dict[bytes, bytes]:
        """Iteration by next_key: it starts over when its key was deleted meanwhile, so it is bounded."""
        found: dict[bytes, bytes] = {}
        key = self.next_key(None)
        for _ in range(4 * self.max_entries):
            if key is None:
                break
            value = self.lookup(key)
            if value is not None:
                found[key] = value
            key = self.next_key(key)
        return found


def map_create(
    type: int,
    key_size: int,
    value_size: int,
    max_entries: int,
    flags: int = 0,
    name: str = "",
    *,
    inner_map_fd: int = 0,
) -> Map:
    """BPF_MAP_CREATE. Raises KernelError."""
    attribute = Buffer(
        pack(
            "=IIIIIII16sIIIIIQ",
            type,
            key_size,
            value_size,
            max_entries,
            flags,
            inner_map_fd,
            0,
            object_name(name),
            *(0, 0, 0, 0, 0, 0),
        )
    )
    fd = bpf(Command.MAP_CREATE, attribute, "BPF_MAP_CREATE", name)
    return Map(fd, name, type, key_size, value_size, max_entries, flags)


def array_create(value_size: int, max_entries: int, name: str = "", *, mmapable: bool = True) -> Map:
    """An array map; memory-mappable ones are read and written without system calls."""
    return map_create(MapType.ARRAY, 4, value_size, max_entries, MapFlag.MMAPABLE if mmapable else 0, name)

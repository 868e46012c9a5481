"""Reader of a BPF_MAP_TYPE_RINGBUF: records out of shared memory, many at a time.

Layout (kernel/bpf/ringbuf.c): page 0 holds the consumer position (ours to write), page 1 the producer
position, then the data, twice in a row so that no record is ever split. Of the second time only as much is mapped as
a record may need: pages that are mapped count as the process's memory, those of a buffer twice. A record is an 8-byte
header (its u32 length with BUSY and DISCARD bits, u32 page offset) and its payload, padded to 8 bytes. Positions are
byte counts that only grow.

Idea of `drain`: records of one layout have one length, so the lengths of a whole run stand at a fixed stride.
One strided slice fetches them, one compiled `struct` cuts the run into payloads, and no bytecode runs per
record but a list comprehension's. Streams that mix lengths fall back to a plain loop, which is the weakness.
"""

import mmap
from struct import Struct

from kernscope.kernel.errors import KernelError
from kernscope.tables.bpf import RINGBUF_BUSY_BIT, RINGBUF_DISCARD_BIT, RINGBUF_HEADER_BYTES

__all__ = ["RingBuffer"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from kernscope.kernel.map import Map

_FLAGS = RINGBUF_BUSY_BIT | RINGBUF_DISCARD_BIT
_LONGEST_RECORD = RINGBUF_DISCARD_BIT - 1
"""A length beyond it has a flag."""

_FIRST_RUN = 16
"""Records looked at before anything is known about the stream's regularity."""

_LONGEST_RUN = 8192
"""Upper bound of one run, so that the producer gets its space back in steps."""

_OVERLAP_BYTES = 1 << 20
"""Of the second time that the data are there, where a buffer has so much: no record is as long."""

_MIXED_RECORDS = 64
"""Records taken one by one after a run broke off early."""


class RingBuffer:
    """One consumer of one ring buffer. Two at a time on one buffer would take each other's records.

    Correct ordering of reads: the producer publishes a header before the position that covers it, and
    clears BUSY after the payload is written; a payload is copied here only after its header was seen
    without BUSY. x86 keeps loads in order; elsewhere the interpreter's work between the two loads does.
    """

    __slots__ = (
        "_consumer",
        "_data",
        "_lengths",
        "_mappings",
        "_producer",
        "_splitters",
        "_start",
        "fd",
        "size",
    )

    def __init__(
        self,
        fd: int,
        size: int,
        consumer: "mmap.mmap | bytearray",
        producer: "mmap.mmap | bytearray",
        page_size: int,
    ) -> None:
        """`consumer` is the first page; `producer` the second one, the data, and their beginning again."""
        self.fd = fd
        self.size = size
        self._mappings = (consumer, producer)
        self._consumer = memoryview(consumer)[:8].cast("Q")
        self._producer = memoryview(producer)[:8].cast("Q")
        self._data = memoryview(producer)[page_size:]
        self._lengths = self._data.cast("I")
        self._start = page_size
        self._splitters: dict[int, Struct] = {}

    @classmethod
    def open(cls, map: "Map") -> "Self":
        """Map the memory of `map`, which stays its owner's and must stay open."""
        page, size = mmap.PAGESIZE, map.max_entries
        try:
            consumer = mmap.mmap(map.fd, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
            mapped = page + size + min(size, _OVERLAP_BYTES)
            producer = mmap.mmap(map.fd, mapped, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        except OSError as error:
            raise KernelError(error.errno or 0, "mmap of a ring buffer", map.name) from None
        return cls(map.fd, size, consumer, producer, page)

    def fileno(self) -> int:
        """For poll and epoll: readable when there may be new records."""
        return self.fd

    @property
    def producer_pos(self) -> int:
        return self._producer[0]

    @property
    def consumer_pos(self) -> int:
        return self._consumer[0]

    @property
    def pending_bytes(self) -> int:
        """Bytes reserved or written and not yet consumed."""
        return self._producer[0] - self._consumer[0]

    def drain(self, limit: int = 0, until: int | None = None) -> list[bytes]:
        """Take all records that are ready, at most `limit` (0: no limit), in order, without their headers.

        `until`: only those that begin before this producer position.
        """
        found: list[bytes] = []
        mask, lengths, data = self.size - 1, self._lengths, self._data
        room = len(data)
        position = self._consumer[0]
        run = _FIRST_RUN
        while True:
            # Read again each time round: what came in meanwhile is taken too, and a wake-up that the
            # kernel left out because we looked busy is not missed.
            end = self._producer[0]
            if until is not None and until < end:
                end = until
            available = end - position
            if available <= 0 or (limit and len(found) >= limit):
                return found
            offset = position & mask
            length = lengths[offset >> 2]
            if length & _FLAGS:
                if length & RINGBUF_BUSY_BIT:
                    return found
                position += self._stride(length & ~_FLAGS)
                self._consumer[0] = position
                continue
            stride = self._stride(length)
            count = min(available // stride, run, (room - offset) // stride)
            if limit:
                count = min(count, limit - len(found))
            first = offset >> 2
            seen = lengths[first : first + (count * stride >> 2) : stride >> 2].tolist()
            same = (
                count if seen.count(length) == count else next(i for i, n in enumerate(seen) if n != length)
            )
            chunk = data[offset : offset + same * stride]
            found += [payload for (payload,) in self._splitter(length, stride).iter_unpack(chunk)]
            position += same * stride
            self._consumer[0] = position
            if same == count:
                run = min(2 * run, _LONGEST_RUN)
            else:
                run = _FIRST_RUN
                if same < 4:
                    position = self._drain_mixed(found, position, end, limit)

    def _drain_mixed(self, found: list[bytes], position: int, end: int, limit: int) -> int:
        """Take up to _MIXED_RECORDS records one by one; the new position."""
        mask, lengths = self.size - 1, self._lengths
        # A slice of the mapping itself is bytes: one object less per record than a slice of a view.
        memory, start = self._mappings[1], self._start + RINGBUF_HEADER_BYTES
        room = min(_MIXED_RECORDS, limit - len(found)) if limit else _MIXED_RECORDS
        add = found.append
        for _ in range(room):
            if position >= end:
                break
            offset = position & mask
            length = lengths[offset >> 2]
            if length > _LONGEST_RECORD:
                if length & RINGBUF_BUSY_BIT:
                    break
                length &= ~_FLAGS
            else:
                at = start + offset
                add(memory[at : at + length])  # type: ignore[arg-type]  # a bytearray in tests
            position += (length + 15) & ~7
        self._consumer[0] = position
        return position

    def drain_to(self, take: "Callable[[bytes], object]", limit: int = 0) -> int:
        """`take` each record that is ready; how many there were."""
        records = self.drain(limit)
        for record in records:
            take(record)
        return len(records)

    def records(self) -> "Iterator[memoryview]":
        """Each ready record as a view of the shared memory, valid until the next one is asked for."""
        mask = self.size - 1
        while (position := self._consumer[0]) < self._producer[0]:
            offset = position & mask
            length = self._lengths[offset >> 2]
            if length & RINGBUF_BUSY_BIT:
                return
            if not length & RINGBUF_DISCARD_BIT:
                start = offset + RINGBUF_HEADER_BYTES
                with self._data[start : start + length] as view:
                    yield view
            self._consumer[0] = position + self._stride(length & ~_FLAGS)

    @staticmethod
    def _stride(length: int) -> int:
        return (length + RINGBUF_HEADER_BYTES + 7) & ~7

    def _splitter(self, length: int, stride: int) -> Struct:
        splitter = self._splitters.get(length)
        if splitter is None:
            padding = stride - length - RINGBUF_HEADER_BYTES
            splitter = self._splitters[length] = Struct(f"={RINGBUF_HEADER_BYTES}x{length}s{padding}x")
        return splitter

    def close(self) -> None:
        """Unmap; the map itself stays open. Again does nothing."""
        for view in (self._lengths, self._data, self._consumer, self._producer):
            view.release()
        for mapping in self._mappings:
            if isinstance(mapping, mmap.mmap):
                mapping.close()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

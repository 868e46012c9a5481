"""The ring-buffer reader over memory that this file fills as the kernel would."""

from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernscope.kernel.ringbuf import RingBuffer

PAGE = 4096
SIZE = 4096
BUSY, DISCARD = 1 << 31, 1 << 30


class Producer:
    """The kernel's side: data mapped twice, as here written twice."""

    def __init__(self) -> None:
        self.consumer = bytearray(PAGE)
        self.memory = bytearray(PAGE + 2 * SIZE)
        self.position = 0
        self.reader = RingBuffer(-1, SIZE, self.consumer, self.memory, PAGE)

    def free(self) -> int:
        return SIZE - (self.position - self.reader.consumer_pos)

    def reserve(self, payload: bytes, flags: int = 0) -> int:
        """Write a record; its position, for `submit`."""
        record = pack("=II", len(payload) | flags, 7) + payload
        record += bytes(-len(record) % 8)
        assert len(record) <= self.free()
        for index, byte in enumerate(record):
            place = PAGE + (self.position + index) % SIZE
            self.memory[place] = self.memory[place + SIZE] = byte
        start = self.position
        self.position += len(record)
        self.memory[:8] = pack("=Q", self.position)
        return start

    def submit(self, position: int, length: int, flags: int = 0) -> None:
        for copy in (0, SIZE):
            place = PAGE + position % SIZE + copy
            self.memory[place : place + 4] = pack("=I", length | flags)


def test_records_come_in_order_without_headers() -> None:
    ring = Producer()
    payloads = [bytes([n]) * n for n in range(1, 40)]
    for payload in payloads:
        ring.reserve(payload)
    assert ring.reader.drain() == payloads
    assert ring.reader.drain() == []
    assert ring.reader.consumer_pos == ring.reader.producer_pos == ring.position
    assert ring.reader.pending_bytes == 0


def test_long_uniform_runs_wrap_around() -> None:
    ring = Producer()
    sent = received = 0
    for _ in range(50):
        while ring.free() >= 32:
            ring.reserve(pack("=QQI", sent, ~sent & (1 << 64) - 1, sent))
            sent += 1
        for record in ring.reader.drain():
            assert record == pack("=QQI", received, ~received & (1 << 64) - 1, received)
            received += 1
    assert sent == received > 5000


def test_a_busy_record_stops_the_reader_until_it_is_submitted() -> None:
    ring = Producer()
    ring.reserve(b"first")
    waiting = ring.reserve(b"later", BUSY)
    ring.reserve(b"third")
    assert ring.reader.drain() == [b"first"]
    assert ring.reader.drain() == []
    ring.submit(waiting, 5)
    assert ring.reader.drain() == [b"later", b"third"]


@pytest.mark.parametrize("before", [0, 3, 100])
def test_busy_records_inside_a_run_of_equal_lengths(before: int) -> None:
    ring = Producer()
    for _ in range(before):
        ring.reserve(b"8 bytes.")
    ring.reserve(b"8 bytes.", BUSY)
    ring.reserve(b"8 bytes.")
    assert len(ring.reader.drain()) == before


def test_discarded_records_are_skipped_and_give_back_their_room() -> None:
    ring = Producer()
    ring.reserve(b"gone", DISCARD)
    ring.reserve(b"kept")
    ring.reserve(b"gone too, and longer", DISCARD)
    assert ring.reader.drain() == [b"kept"]
    assert ring.reader.pending_bytes == 0


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_limit(limit: int) -> None:
    ring = Producer()
    for n in range(60):
        ring.reserve(pack("=I", n) * (1 + n % 2))
    found = []
    while part := ring.reader.drain(limit):
        assert len(part) <= limit
        found += part
    assert [record[0] for record in found] == list(range(60))


def test_records_and_drain_to_agree_with_drain() -> None:
    ring, taken = Producer(), []
    for round in range(3):
        for n in range(20):
            ring.reserve(bytes([round, n]), DISCARD if n == 5 else 0)
        if round == 0:
            taken += [bytes(view) for view in ring.reader.records()]
        elif round == 1:
            assert ring.reader.drain_to(taken.append) == 19
        else:
            taken += ring.reader.drain()
    assert taken == [bytes([r, n]) for r in range(3) for n in range(20) if n != 5]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.sampled_from([0, 0, 0, DISCARD])), max_size=300), st.data())
def test_any_stream_arrives_once_and_in_order(stream: list[tuple[int, int]], data: st.DataObject) -> None:
    ring = Producer()
    expected: list[bytes] = []
    found: list[bytes] = []
    for number, (length, flags) in enumerate(stream):
        while ring.free() < length + 16:
            found += ring.reader.drain(data.draw(st.integers(0, 20)))
        payload = (number.to_bytes(2, "little") * 100)[:length]
        ring.reserve(payload, flags)
        if not flags:
            expected.append(payload)
    found += ring.reader.drain()
    assert found == expected


def test_close_twice() -> None:
    ring = Producer()
    ring.reader.close()
    ring.reader.close()


def test_of_the_second_copy_a_record_s_length_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    overlap = 256
    monkeypatch.setattr("kernscope.kernel.ringbuf._OVERLAP_BYTES", overlap)
    ring = Producer()
    ring.reader = RingBuffer(-1, SIZE, ring.consumer, ring.memory[: PAGE + SIZE + overlap], PAGE)
    sent: list[bytes] = []
    got: list[bytes] = []
    for number in range(2000):
        # Long runs of one length, with others in between, and the longest that may be.
        length = overlap - 8 if number % 97 == 0 else 24 if number % 5 else 40
        payload = pack("=I", number).ljust(length, b"x")
        if ring.free() < 600:
            _copy(ring.memory, ring.reader)
            got += ring.reader.drain()
        ring.reserve(payload)
        sent.append(payload)
    _copy(ring.memory, ring.reader)
    got += ring.reader.drain()
    assert got == sent


def _copy(whole: bytearray, reader: RingBuffer) -> None:
    """What the kernel's one memory is in two places, here by hand."""
    mapped = reader._mappings[1]
    mapped[:] = whole[: len(mapped)]

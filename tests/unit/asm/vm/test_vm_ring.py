"""Draining the machine's ring buffer by number and by position, as a session's reader does."""

from kernscope.asm.vm import VmRing


def ring_with(*sizes: int) -> VmRing:
    ring = VmRing(4096)
    for number, size in enumerate(sizes):
        region = ring.reserve(size)
        assert region is not None
        region.data[:] = bytes([number]) * size
        ring.finish(region, discard=False)
    return ring


def test_a_limit_leaves_the_rest() -> None:
    ring = ring_with(8, 8, 8)
    assert ring.drain(2) == [b"\0" * 8, b"\1" * 8]
    assert ring.consumer == 32
    assert ring.drain() == [b"\2" * 8]


def test_a_position_ends_before_the_record_that_begins_there() -> None:
    ring = ring_with(8, 20, 8)  # at 0, 16 and 48: a header of 8 bytes, all rounded up to 8
    assert ring.drain(until=0) == []
    assert ring.drain(until=16) == [b"\0" * 8]
    assert ring.drain(until=17) == [b"\1" * 20]
    assert ring.consumer == 48
    assert ring.drain(until=1000) == [b"\2" * 8]

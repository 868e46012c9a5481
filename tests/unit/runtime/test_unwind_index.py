"""The index of an unwind table: looking up by it finds what looking at all rows finds."""

from array import array
from random import Random

import pytest

from kernscope.elf.eh_frame import UnwindTable
from kernscope.runtime.unwind_tables import indexed
from kernscope.tables.unwinding import BLOCK_BITS, BLOCK_BYTES, MOST_WORDS


def look_up(blocks: int, content: bytes, address: int) -> int:
    """What the program in the kernel does: the row."""
    words, entries = array("Q", content), array("I", content)
    block = min(address >> BLOCK_BITS, blocks - 1)
    first, last = entries[block], entries[block + 1]
    assert 0 <= last - first <= BLOCK_BYTES
    found = first
    for number in range(first, min(last, first + BLOCK_BYTES - 1) + 1):
        if words[number] & 0xFFFFFFFF <= address:
            found = number
    return words[found]


@pytest.mark.parametrize("seed", range(20))
def test_finds_the_last_row_at_or_before_an_address(seed: int) -> None:
    random = Random(seed)
    span = random.choice((1, 2, 200, 5000, 100_000))
    places = sorted(random.sample(range(span), random.randint(1, min(span, 600))))
    rows = array("Q", [n << 32 | place for n, place in enumerate(places)])
    blocks, content = indexed(UnwindTable(0x1000, rows))
    assert len(content) % 8 == 0 and content.endswith(rows.tobytes())
    probes = {
        0,
        *places,
        *(p + d for p in places for d in (-1, 1)),
        *(random.randrange(span + 999) for _ in range(300)),
    }
    for address in probes:
        if address >= 0:
            before = [row for row in rows if row & 0xFFFFFFFF <= address]
            assert look_up(blocks, content, address) == (before or rows)[-1 if before else 0]


def test_a_row_at_every_address() -> None:
    rows = array("Q", range(3 * BLOCK_BYTES))
    blocks, content = indexed(UnwindTable(0, rows))
    assert all(look_up(blocks, content, address) == address for address in range(3 * BLOCK_BYTES))


def test_a_table_without_rows_or_of_absurd_size_has_no_index() -> None:
    assert indexed(UnwindTable(0, array("Q"))) == (0, b"")
    assert (
        indexed(UnwindTable(0, array("Q", [0, 0xFFFFFFFF])))[0] == 0
        or 0xFFFFFFFF >> BLOCK_BITS < 2 * MOST_WORDS
    )

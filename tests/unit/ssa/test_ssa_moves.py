"""Parallel moves: whatever the pattern, the sequence has the effect of all moves at once."""

from hypothesis import given
from hypothesis import strategies as st

from kernscope.ssa import Module, Op
from kernscope.ssa.ir import Value
from kernscope.ssa.location import LOAD, MOVE, STORE, parallel_moves

_F = Module("test").new_function("main", 0)
_VALUE = _F.new_value(Op.PARAM, [], 0)
_SLOT = _F.new_value(Op.PHI, [], 0)


def run(moves: dict[int, int], free: int) -> tuple[list[int], int]:
    """Registers after the steps (each held its own number), and how often the scratch slot was used."""
    used = 0

    def scratch() -> Value:
        nonlocal used
        used += 1
        return _SLOT

    registers = list(range(10))
    slot = -1
    for kind, _, dst, srcs in parallel_moves([(d, s, _VALUE) for d, s in moves.items()], free, scratch):
        if kind == MOVE:
            registers[dst] = registers[srcs[0]]
        elif kind == STORE:
            slot = registers[srcs[0]]
        elif kind == LOAD:
            registers[dst] = slot
    return registers, used


@given(st.dictionaries(st.integers(0, 9), st.integers(0, 9)), st.booleans())
def test_effect_is_parallel(moves: dict[int, int], give_free: bool) -> None:
    busy = set(moves) | set(moves.values())
    free = sum(1 << r for r in range(10) if r not in busy) if give_free else 0
    registers, used = run(moves, free)
    for dst, src in moves.items():
        assert registers[dst] == src
    for r in busy - set(moves):
        assert registers[r] == r
    assert not (free and used)


def test_two_cycles_need_the_slot_when_nothing_is_free() -> None:
    registers, used = run({0: 1, 1: 0, 2: 3, 3: 4, 4: 2}, 0)
    assert registers[:5] == [1, 0, 3, 4, 2]
    assert used == 2

"""Register allocation and its checker: pressure, calls, loops, and deliberately broken allocations."""

import pytest
from ssa_forms import function, instructions

from kernscope.ssa import Builder, Cond, Function, Op
from kernscope.ssa.allocate import Allocation, allocate
from kernscope.ssa.analysis import find_loops
from kernscope.ssa.checker import AllocationError, check
from kernscope.ssa.liveness import Liveness, find_liveness
from kernscope.ssa.location import LOAD, MOVE, OP, REMAT, STORE
from kernscope.ssa.passes import shape


def allocated(build) -> tuple[Function, Liveness, Allocation]:  # type: ignore[no-untyped-def]
    f = function(build, params=2)
    shape.run(f)
    lv = find_liveness(f)
    return f, lv, allocate(f, lv, find_loops(f))


def kinds(allocation: Allocation) -> list[int]:
    return [step[0] for steps in allocation.body for step in steps]


def many_values(b: Builder) -> None:
    """Twenty values alive at once."""
    p = b.param(0, pointer=True)
    values = [b.load(8, p, 8 * i) for i in range(20)]
    total = b.const(1)
    for value in values:
        total = b.add(b.mul(total, 3), value)
    for value in values:
        total = b.xor(total, value)
    b.ret(total)


def test_high_pressure_spills_each_value_once_at_most() -> None:
    f, _, allocation = allocated(many_values)
    check(f, allocation)
    stores = [step[1] for steps in allocation.body for step in steps if step[0] == STORE]
    assert len(stores) == len(set(stores))
    assert 8 <= len(stores) <= 13


def test_values_across_a_call_move_to_saved_registers_or_slots() -> None:
    def build(b: Builder) -> None:
        p = b.param(0, pointer=True)
        values = [b.load(8, p, 8 * i) for i in range(6)]
        b.call(14)
        total = b.const(0)
        for value in values:
            total = b.add(total, value)
        b.ret(total)

    f, _, allocation = allocated(build)
    check(f, allocation)
    assert kinds(allocation).count(STORE) == 2  # four registers survive


def test_constants_and_references_are_never_spilled() -> None:
    def build(b: Builder) -> None:
        p = b.param(0, pointer=True)
        big = b.const(0x1234_5678_9ABC_DEF0)
        values = [b.load(8, p, 8 * i) for i in range(12)]
        total = big
        for value in values:
            total = b.add(total, b.mul(value, big))
        b.store(8, b.map_value("m"), total)
        b.ret(b.xor(total, big))

    f, _, allocation = allocated(build)
    check(f, allocation)
    for steps in allocation.body:
        for kind, value, _, _ in steps:
            assert kind not in (STORE, LOAD) or value.op > Op.FRAME_ADDR
    assert REMAT in kinds(allocation)


def test_a_loop_counter_stays_in_its_register() -> None:
    def build(b: Builder) -> None:
        head, body, after = b.block("head"), b.block("body"), b.block("after")
        b.write_var("i", 0)
        b.write_var("sum", b.load(8, b.param(0, pointer=True)))
        b.jump(head)
        b.position(head)
        b.branch_cmp(Cond.ULT, b.read_var("i"), 10, body, after)
        b.position(body)
        b.seal(body)
        b.write_var("sum", b.add(b.read_var("sum"), b.read_var("i")))
        b.write_var("i", b.add(b.read_var("i"), 1))
        b.jump(head)
        b.seal(head)
        b.position(after)
        b.seal(after)
        b.ret(b.read_var("sum"))

    assert len(instructions(build)) == 7  # load, 0, test, add, add, test, exit


def test_swapped_phis_in_a_loop() -> None:
    def build(b: Builder) -> None:
        p = b.param(0, pointer=True)
        b.write_var("a", b.load(8, p))
        b.write_var("b", b.load(8, p, 8))
        b.write_var("i", 0)
        head, after = b.block("head"), b.block("after")
        b.jump(head)
        b.position(head)
        x, y = b.read_var("a"), b.read_var("b")
        b.write_var("a", y)
        b.write_var("b", x)
        b.write_var("i", b.add(b.read_var("i"), 1))
        b.branch_cmp(Cond.ULT, b.read_var("i"), 5, head, after)
        b.seal(head)
        b.seal(after)
        b.position(after)
        b.ret(b.sub(x, y))

    f, _, allocation = allocated(build)
    check(f, allocation)


def test_spilled_value_is_stored_again_after_a_branch_has_bounded_it() -> None:
    """The slot must know what the verifier learned: what is reloaded after the second call is bounded."""

    def build(b: Builder) -> None:
        p = b.param(0, pointer=True)
        index = b.load(8, p)
        near = [b.load(8, p, 8 * i) for i in range(1, 5)]
        b.call(14)  # four values are needed sooner than the index
        for value in near:
            b.store(8, b.map_value("m"), value)
        small, out = b.block("small"), b.block("out")
        b.branch_cmp(Cond.ULT, index, 8, small, out)
        b.position(small)
        b.call(14)
        for value in near:
            b.store(8, b.map_value("m"), value)
        b.store(1, b.ptr_add(b.map_value("m"), index), 1)
        b.jump(out)
        b.position(out)
        b.ret(0)

    f, _, allocation = allocated(build)
    check(f, allocation)
    index = f.entry.insns[1]
    places = [(block.name, s[0]) for block in f.blocks for s in allocation.body[block.order] if s[1] is index]
    assert places == [("entry", OP), ("entry", STORE), ("entry", LOAD), ("small", STORE), ("small", LOAD)]


def test_spilled_value_is_not_stored_again_when_nothing_was_learned() -> None:
    def build(b: Builder) -> None:
        p = b.param(0, pointer=True)
        far = b.load(8, p)
        near = [b.load(8, p, 8 * i) for i in range(1, 5)]
        for _ in range(2):
            b.call(14)
            for value in near:
                b.store(8, b.map_value("m"), value)
            b.store(8, b.map_value("m"), far)
        b.ret(0)

    f, _, allocation = allocated(build)
    check(f, allocation)
    far = f.entry.insns[1]
    assert [s[0] for s in allocation.body[0] if s[1] is far] == [OP, STORE, LOAD, LOAD]


# --- the checker -----------------------------------------------------------------------------------------


def _first(allocation: Allocation, kind: int) -> tuple[int, int]:
    for order, steps in enumerate(allocation.body):
        for n, step in enumerate(steps):
            if step[0] == kind:
                return order, n
    raise AssertionError


def test_checker_sees_a_lost_store() -> None:
    f, _, allocation = allocated(many_values)
    order, n = _first(allocation, STORE)
    del allocation.body[order][n]
    with pytest.raises(AllocationError, match="holds nothing"):
        check(f, allocation)


def test_checker_sees_two_values_in_one_slot() -> None:
    f, _, allocation = allocated(many_values)
    with pytest.raises(AllocationError):
        check(f, allocation, dict.fromkeys(allocation.spilled, -8))


def test_checker_sees_a_clobbered_register() -> None:
    f, _, allocation = allocated(many_values)
    order, n = _first(allocation, LOAD)
    kind, value, dst, srcs = allocation.body[order][n]
    allocation.body[order][n] = (kind, value, (dst + 1) % 10, srcs)
    with pytest.raises(AllocationError):
        check(f, allocation)


def test_checker_sees_a_value_left_in_a_register_that_a_call_destroys() -> None:
    def build(b: Builder) -> None:
        x = b.load(8, b.param(0, pointer=True))
        b.call(14)
        b.ret(x)

    f, _, allocation = allocated(build)
    check(f, allocation)

    def to_r3(r: int) -> int:
        return 3 if r >= 6 else r

    for steps in allocation.body:
        steps[:] = [(k, v, to_r3(dst), tuple(map(to_r3, srcs))) for k, v, dst, srcs in steps]
    with pytest.raises(AllocationError, match="holds nothing"):
        check(f, allocation)


def test_checker_sees_a_missing_phi_move() -> None:
    def build(b: Builder) -> None:
        then, orelse, after = b.block("then"), b.block("else"), b.block("after")
        x, y = b.load(8, b.param(0, pointer=True)), b.load(8, b.param(0), 8)
        b.branch_cmp(Cond.NE, x, 0, then, orelse)
        for block, value in ((then, x), (orelse, y)):
            b.seal(block)
            b.position(block)
            b.write_var("r", value)
            b.jump(after)
        b.seal(after)
        b.position(after)
        b.ret(b.add(b.read_var("r"), x))

    f, _, allocation = allocated(build)
    check(f, allocation)
    moves = [(o, n) for o, steps in enumerate(allocation.body) for n, s in enumerate(steps) if s[0] == MOVE]
    caught = 0
    for order, n in moves:
        step = allocation.body[order].pop(n)
        try:
            check(f, allocation)
        except AllocationError:
            caught += 1
        allocation.body[order].insert(n, step)
    assert caught == len(moves) > 0


def test_checker_sees_wrong_operands_of_an_operation() -> None:
    f, _, allocation = allocated(many_values)
    for order, steps in enumerate(allocation.body):
        for n, (kind, value, dst, srcs) in enumerate(steps):
            if kind == OP and value.op == Op.XOR:
                allocation.body[order][n] = (kind, value, dst, (srcs[0], srcs[0]))
                with pytest.raises(AllocationError):
                    check(f, allocation)
                return
    raise AssertionError

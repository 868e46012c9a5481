"""Each pass on functions just large enough to show what it does, and what it must leave alone."""

import sys

import pytest
from ssa_forms import function, text, text_after

from kernscope.ssa import DEFAULT, Builder, Cond, Op
from kernscope.ssa.passes import cfg, dce, gvn, legalize, narrow, order, shape, simplify
from kernscope.ssa.verify import verify_function


def sorted_simplify(build, **options) -> list[str]:  # type: ignore[no-untyped-def]
    return text_after(build, order.run, simplify.run, dce.run, **options)


# --- simplify --------------------------------------------------------------------------------------------


def test_sums_with_constants_are_regrouped() -> None:
    lines = sorted_simplify(lambda b: b.ret(b.add(b.sub(b.param(0), 3), 7)))
    assert lines == ["v1 = add v0, 4", "ret v1"]


def test_a_sum_used_twice_is_not_regrouped_since_a_check_may_have_bounded_it() -> None:
    def build(b: Builder) -> None:
        inner = b.add(b.param(0), 3)
        b.ret(b.mul(inner, b.add(inner, 4)))

    assert "v2 = add v1, 4" in sorted_simplify(build)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (lambda b, x: b.mul(x, 8), "shl v0, 3"),
        (lambda b, x: b.udiv(x, 16), "lshr v0, 4"),
        (lambda b, x: b.umod(x, 16), "and v0, 15"),
        (lambda b, x: b.sub(0, x), "neg v0"),
        (lambda b, x: b.and_(x, 0xFFFF_FFFF), "zext.32 v0"),
        (lambda b, x: b.and_(b.and_(x, 0xFF), 0x3C), "and v0, 60"),
        (lambda b, x: b.ext(b.ext(x, 32, True), 8, False), "zext.8 v0"),
        (lambda b, x: b.ext(b.ext(x, 8, False), 32, True), "zext.8 v0"),
        (lambda b, x: b.logical_not(b.logical_not(x)), "cmp.ne v0, 0"),
        (lambda b, x: b.xor(b.cmp(Cond.SLT, x, 5), 1), "cmp.sge v0, 5"),
        (lambda b, x: b.select(b.cmp(Cond.ULT, x, 5), 1, 0), "cmp.ult v0, 5"),
        (lambda b, x: b.select(b.cmp(Cond.UGT, x, 64), 64, x), "select_cmp.ule v0, 64, v0, 64"),
        (lambda b, x: b.cmp(Cond.ULT, x, 1), "cmp.eq v0, 0"),
    ],
)
def test_cheaper_form(operation, expected: str) -> None:  # type: ignore[no-untyped-def]
    assert sorted_simplify(lambda b: b.ret(operation(b, b.param(0)))) == [f"v1 = {expected}", "ret v1"]


def test_a_comparison_moves_into_the_branch_and_a_mask_becomes_a_bit_test() -> None:
    def build(b: Builder) -> None:
        then, orelse = b.block("then"), b.block("else")
        b.branch_cmp(Cond.EQ, b.and_(b.param(0), 4), 0, then, orelse)
        b.position(then)
        b.ret(1)
        b.position(orelse)
        b.ret(2)

    assert sorted_simplify(build)[0] == "branch_cmp.set v0, 4, else.1, then.2"


def test_constant_offsets_move_into_loads_and_stores() -> None:
    def build(b: Builder) -> None:
        p = b.ptr_add(b.ptr_add(b.param(0, pointer=True), 16), 8)
        b.store(8, p, b.load(4, p, 4), 100)
        b.store(4, b.map_value("m", 8), 1, 4)
        b.store(8, b.ptr_add(p, 40000), 1)
        b.ret(0)

    assert sorted_simplify(build) == [
        "v1 = load.u32 v0 + 28",
        "store.64 v0 + 124, v1",
        "store.32 map_value(m+0) + 12, 1",
        "v4 = ptr_add v0, 40024",
        "store.64 v4, 1",
        "ret 0",
    ]


def test_extensions_that_a_narrow_store_cuts_off_are_dropped() -> None:
    def build(b: Builder) -> None:
        b.store(2, b.param(0, pointer=True), b.ext(b.ext(b.param(1), 32, True), 16, False))
        b.ret(0)

    assert sorted_simplify(build)[0] == "store.16 v0, v1"


# --- gvn -------------------------------------------------------------------------------------------------


def test_equal_operations_are_done_once_where_the_first_dominates() -> None:
    def build(b: Builder) -> None:
        x = b.param(0)
        then, orelse = b.block("then"), b.block("else")
        first = b.add(x, b.param(1))
        b.branch_cmp(Cond.EQ, b.mul(first, 3), b.mul(b.add(b.param(1), x), 3), then, orelse)
        b.position(then)
        b.ret(b.mul(first, 3))
        b.position(orelse)
        b.ret(b.mul(first, 5))

    lines = text_after(build, order.run, gvn.run)
    assert sum(" add " in line for line in lines) == 1
    assert sum(" mul " in line and ", 3" in line for line in lines) == 1


def test_nothing_is_shared_between_siblings() -> None:
    def build(b: Builder) -> None:
        then, orelse = b.block("then"), b.block("else")
        b.branch_cmp(Cond.EQ, b.param(0), 0, then, orelse)
        for block in (then, orelse):
            b.position(block)
            b.ret(b.mul(b.param(1), 3))

    assert sum(" mul " in line for line in text_after(build, order.run, gvn.run)) == 2


def test_loads_that_are_not_volatile_are_shared_up_to_the_next_store() -> None:
    def build(b: Builder) -> None:
        p = b.param(0, pointer=True)
        x = b.load(8, p, volatile=False)
        y = b.load(8, p, volatile=False)
        b.store(8, p, 1, 8)
        z = b.load(8, p, volatile=False)
        w = b.load(8, p)
        b.ret(b.add(b.add(x, y), b.add(z, w)))

    lines = text_after(build, order.run, gvn.run)
    assert sum("load" in line for line in lines) == 3


def test_pure_calls_are_made_once_and_others_as_often_as_written() -> None:
    def build(b: Builder) -> None:
        pids = [b.call(14, pure=True) for _ in range(2)]
        times = [b.call(5) for _ in range(2)]
        b.ret(b.add(b.add(*pids), b.sub(*times)))

    lines = text_after(build, order.run, gvn.run)
    assert sum("call #14" in line for line in lines) == 1
    assert sum("call #5" in line for line in lines) == 2


# --- narrow ----------------------------------------------------------------------------------------------


def test_extensions_of_what_is_in_range_go_and_masks_stay() -> None:
    def build(b: Builder) -> None:
        byte = b.load(1, b.param(0, pointer=True))
        b.ret(b.ext(b.add(b.ext(byte, 32, True), b.and_(byte, 0x7F)), 16, False))

    assert text_after(build, order.run, narrow.run) == [
        "v1 = load.u8 v0",
        "v2 = and v1, 127",
        "v3 = add v1, v2",
        "ret v3",
    ]


def test_32_bit_operations_extend_by_themselves() -> None:
    def build(b: Builder) -> None:
        x = b.ext(b.mul(b.param(0), b.param(1)), 32, False)
        b.ret(b.ext(b.sub(x, 3), 32, False))

    assert text_after(build, order.run, narrow.run) == [
        "v2 = mul.32 v0, v1",
        "v3 = sub.32 v2, 3",
        "ret v3",
    ]


def test_inner_extensions_of_sums_are_not_needed() -> None:
    def build(b: Builder) -> None:
        x = b.ext(b.add(b.param(0), b.param(1)), 32, True)
        b.ret(b.ext(b.add(x, b.param(1)), 32, True))

    lines = text_after(build, order.run, narrow.run)
    assert sum("sext" in line for line in lines) == 1


def test_an_extension_before_a_comparison_or_division_stays() -> None:
    def build(b: Builder) -> None:
        x = b.ext(b.param(0), 32, True)
        b.ret(b.ext(b.udiv(x, b.ext(b.param(1), 16, False)), 32, True))

    lines = text_after(build, order.run, narrow.run)
    assert sum("ext" in line for line in lines) == 3


def test_range_and_need_do_not_justify_each_other() -> None:
    """The outer extension is redundant only while the inner ones keep the upper bits clear."""

    def build(b: Builder) -> None:
        x, y = b.ext(b.param(0), 8, False), b.ext(b.param(1), 8, False)
        b.ret(b.ext(b.or_(x, y), 8, False))

    lines = text_after(build, order.run, narrow.run)
    assert sum("zext.8" in line for line in lines) == 2


def test_signed_loads_with_instruction_set_v4_only() -> None:
    def build(b: Builder) -> None:
        b.ret(b.ext(b.load(4, b.param(0, pointer=True)), 32, True))

    assert "v1 = load.u32 v0" in text_after(build, order.run, narrow.run)
    lines = text_after(build, order.run, narrow.run, features=frozenset({"v4"}))
    assert lines == ["v1 = load.s32 v0", "ret v1"]


# --- legalize --------------------------------------------------------------------------------------------


def test_signed_division_of_what_cannot_be_negative_is_unsigned() -> None:
    def build(b: Builder) -> None:
        b.ret(b.sdiv(b.ext(b.param(0), 32, False), 10))

    assert text_after(build, order.run, legalize.run)[1] == "v2 = udiv v1, 10"


def test_signed_division_is_expanded_where_it_does_not_exist() -> None:
    lines = text_after(lambda b: b.ret(b.sdiv(b.param(0), 10)), order.run, legalize.run)
    assert not any("sdiv" in line for line in lines)
    assert lines == [
        "v1 = ashr v0, 63",
        "v2 = xor v0, v1",
        "v3 = sub v2, v1",
        "v4 = udiv v3, 10",
        "v5 = xor v4, v1",
        "v6 = sub v5, v1",
        "ret v6",
    ]


def test_native_signed_division_only_by_constants_that_cannot_trap() -> None:
    v4 = frozenset({"v4"})

    def by(divisor: int | None) -> str:
        def build(b: Builder) -> None:
            y = b.param(1) if divisor is None else b.const(divisor)
            b.ret(b.binary(Op.SMOD, b.param(0), y))

        return "\n".join(text_after(build, order.run, legalize.run, features=v4))

    assert "smod" in by(10)
    assert "smod" not in by(-1)
    assert "smod" not in by(None)


# --- dce -------------------------------------------------------------------------------------------------


def test_unused_values_go_and_effects_stay() -> None:
    def build(b: Builder) -> None:
        slot, unread = b.frame(8), b.frame(8)
        p = b.param(0, pointer=True)
        b.load(8, p)
        b.mul(b.param(1), 7)
        b.store(8, b.frame_addr(slot), 1)
        b.store(8, b.frame_addr(unread), 1)
        b.call(14)
        b.call(14, pure=True)
        b.call(1, b.map_fd("m"), b.frame_addr(slot), pointer=True)
        b.ret(0)

    assert text_after(build, dce.run) == [
        "frame0: 8 bytes, align 8",
        "frame1: 8 bytes, align 8",
        "store.64 frame0, 1",
        "v3 = call #14",
        "v4 = call #1 map(m), frame0",
        "ret 0",
    ]


def test_phis_that_only_feed_each_other_are_dead() -> None:
    def build(b: Builder) -> None:
        b.write_var("i", 0)
        head, after = b.block("head"), b.block("after")
        b.jump(head)
        b.position(head)
        b.write_var("i", b.add(b.read_var("i"), 1))
        b.branch_cmp(Cond.NE, b.param(0), 0, head, after)
        b.seal(head)
        b.position(after)
        b.ret(0)

    assert not any("phi" in line for line in text_after(build, dce.run))


# --- cfg -------------------------------------------------------------------------------------------------


def test_constant_branches_and_empty_blocks_disappear() -> None:
    def build(b: Builder) -> None:
        then, orelse, empty, after = b.block("then"), b.block("else"), b.block("empty"), b.block("after")
        b.branch_cmp(Cond.NE, b.param(0), 0, then, orelse)
        b.position(then)
        b.jump(empty)
        b.position(orelse)
        b.call(14)
        b.jump(after)
        b.position(empty)
        b.jump(after)
        b.position(after)
        b.ret(0)

    assert text_after(build, cfg.run, params=1) == [
        "branch_cmp.ne v0, 0, after.2, else.1",
        "else.1:",
        "v2 = call #14",
        "jump after.2",
        "after.2:",
        "ret 0",
    ]


def test_a_condition_made_of_two_tests_branches_without_a_phi() -> None:
    """`if (a && b)` built through a variable."""

    def build(b: Builder) -> None:
        second, join, yes, no = b.block("second"), b.block("join"), b.block("yes"), b.block("no")
        b.write_var("c", 0)
        b.branch_cmp(Cond.NE, b.param(0), 0, second, join)
        b.position(second)
        b.seal(second)
        b.write_var("c", b.cmp(Cond.ULT, b.param(1), 5))
        b.jump(join)
        b.seal(join)
        b.position(join)
        b.branch(b.read_var("c"), yes, no)
        b.position(yes)
        b.call(14)
        b.ret(1)
        b.position(no)
        b.ret(0)

    lines = text_after(build, order.run, cfg.run, simplify.run, dce.run)
    assert lines == [
        "branch_cmp.ne v0, 0, second.1, no.3",
        "second.1:",
        "branch_cmp.ult v1, 5, yes.2, no.3",
        "yes.2:",
        "v4 = call #14",
        "ret 1",
        "no.3:",
        "ret 0",
    ]


def test_an_edge_is_not_redirected_where_a_phi_tells_two_edges_apart() -> None:
    def build(b: Builder) -> None:
        empty, after = b.block("empty"), b.block("after")
        b.write_var("x", 1)
        b.branch_cmp(Cond.NE, b.param(0), 0, empty, after)
        b.seal(empty)
        b.position(empty)
        b.write_var("x", 2)
        b.jump(after)
        b.seal(after)
        b.position(after)
        b.ret(b.read_var("x"))

    assert "v3 = phi [entry.0: 1, empty.1: 2]" in text_after(build, cfg.run, params=1)


def test_endless_loops_survive() -> None:
    def build(b: Builder) -> None:
        loop = b.block("loop")
        b.jump(loop)
        b.position(loop)
        b.jump(loop)

    assert "jump loop.1" in text_after(build, order.run, cfg.run)


# --- shape -----------------------------------------------------------------------------------------------


def test_shape_splits_critical_edges() -> None:
    def build(b: Builder) -> None:
        then, after = b.block("then"), b.block("after")
        b.branch_cmp(Cond.NE, b.param(0), 0, then, after)
        b.position(then)
        b.call(14)
        b.jump(after)
        b.position(after)
        b.ret(0)

    f = function(build)
    shape.run(f)
    verify_function(f)
    for block in f.blocks:
        if len(block.succs) > 1:
            assert all(len(s.preds) == 1 for s in block.succs)
    assert "edge" in "\n".join(text(f))


# --- the pipeline ----------------------------------------------------------------------------------------


def test_every_pass_finds_what_it_requires() -> None:
    facts: set[str] = set()
    for name, run in DEFAULT:
        module = sys.modules[run.__module__]
        assert facts >= set(module.REQUIRES), name
        facts -= set(module.BREAKS)
        facts |= set(module.GIVES)
    assert {"sorted", "loops", "shape"} <= facts

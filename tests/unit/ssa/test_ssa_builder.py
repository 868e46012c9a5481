"""The builder: SSA form on the fly, folding, unreachable code."""

import pytest
from ssa_forms import function, text

from kernscope.ssa import Builder, Cond, Op


def test_loop_variable_becomes_a_phi_and_others_do_not() -> None:
    def build(b: Builder) -> None:
        b.write_var("i", 0)
        b.write_var("same", b.param(0))
        head, body, after = b.block("head"), b.block("body"), b.block("after")
        b.jump(head)
        b.position(head)
        b.branch_cmp(Cond.ULT, b.read_var("i"), 10, body, after)
        b.position(body)
        b.seal(body)
        b.write_var("i", b.add(b.read_var("i"), b.read_var("same")))
        b.jump(head)
        b.seal(head)
        b.position(after)
        b.seal(after)
        b.ret(b.add(b.read_var("i"), b.read_var("same")))

    assert text(function(build)) == [
        "jump head.1",
        "head.1:",
        "v2 = phi [entry.0: 0, body.2: v4]",
        "branch_cmp.ult v2, 10, body.2, after.3",
        "body.2:",
        "v4 = add v2, v0",
        "jump head.1",
        "after.3:",
        "v6 = add v2, v0",
        "ret v6",
    ]


def test_variable_that_was_never_written_is_zero() -> None:
    f = function(lambda b: b.ret(b.read_var("nothing")))
    assert text(f) == ["ret 0"]


def test_variable_written_on_one_path_is_zero_on_the_other() -> None:
    def build(b: Builder) -> None:
        then, after = b.block("then"), b.block("after")
        b.branch_cmp(Cond.NE, b.param(0), 0, then, after)
        b.seal(then)
        b.position(then)
        b.write_var("x", 5)
        b.jump(after)
        b.seal(after)
        b.position(after)
        b.ret(b.read_var("x"))

    assert "v3 = phi [entry.0: 0, then.1: 5]" in text(function(build))


def test_deep_chain_of_joins_needs_no_deep_stack() -> None:
    def build(b: Builder) -> None:
        b.write_var("x", b.param(0))
        for _ in range(3000):
            then, after = b.block("then"), b.block("after")
            b.branch_cmp(Cond.NE, b.param(0), 0, then, after)
            b.seal(then)
            b.position(then)
            b.jump(after)
            b.seal(after)
            b.position(after)
        b.ret(b.read_var("x"))

    f = function(build)
    returned = f.blocks[-1].term
    assert returned is not None
    assert returned.args[0].op in (Op.PARAM, Op.PHI)


def test_code_behind_a_return_goes_into_an_unreachable_block() -> None:
    def build(b: Builder) -> None:
        b.ret(1)
        assert b.terminated
        b.ret(b.add(b.param(0), 1))

    f = function(build)
    assert [block.name for block in f.blocks] == ["entry", "unreachable"]


def test_another_jump_to_a_sealed_block_is_refused() -> None:
    def build(b: Builder) -> None:
        block = b.block("done")
        b.seal(block)
        with pytest.raises(ValueError, match="sealed"):
            b.jump(block)
        b.ret(0)

    function(build)


def test_constants_fold_with_the_machine_s_arithmetic() -> None:
    def build(b: Builder) -> None:
        top = b.const(-(1 << 63))
        assert b.sub(top, 1).imm == (1 << 63) - 1
        assert b.udiv(7, 0).imm == 0
        assert b.umod(7, 0).imm == 7
        assert b.sdiv(-7, 2).imm == -3
        assert b.smod(-7, 2).imm == -1
        assert b.sdiv(top, -1).imm == -(1 << 63)
        assert b.lshr(-1, 60).imm == 15
        assert b.ashr(-16, 2).imm == -4
        assert b.shl(1, 64).imm == 1
        assert b.ext(0x80, 8, signed=True).imm == -128
        assert b.ext(0x180, 8, signed=False).imm == 0x80
        assert b.byteswap(0x1234, 16).imm == 0x3412
        assert b.cmp(Cond.ULT, -1, 1).imm == 0
        assert b.cmp(Cond.SLT, -1, 1).imm == 1
        b.ret(0)

    function(build)


def test_frame_addresses_and_constants_exist_once() -> None:
    def build(b: Builder) -> None:
        slot = b.frame(16)
        assert b.frame_addr(slot, 8) is b.ptr_add(b.frame_addr(slot), 8)
        assert b.const(5) is b.const(5)
        assert b.map_value("m") is not b.map_value("m", 8)
        b.ret(0)

    function(build)

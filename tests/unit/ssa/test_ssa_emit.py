"""Instruction selection, seen in the final code of whole functions."""

import pytest
from ssa_forms import function, instructions

from kernscope.asm.instruction import Insn
from kernscope.ssa import Builder, Cond, Module, Op, compile_module


def test_small_constants_are_immediates_and_large_ones_are_loaded() -> None:
    def build(b: Builder) -> None:
        b.ret(b.add(b.add(b.param(0), 5), b.mul(b.param(1), 0x1_0000_0001)))

    code = instructions(build)
    assert "r1 += 5" in code
    assert sum("ll" in line for line in code) == 1


def test_constant_stores_need_no_register() -> None:
    def build(b: Builder) -> None:
        p = b.param(0, pointer=True)
        b.store(8, p, -1)
        b.store(4, p, 0xFFFF_FFFF, 8)
        b.store(1, p, 0x1FF, 12)
        b.ret(0)

    assert instructions(build) == [
        "*(u64 *)(r1 + 0) = -1",
        "*(u32 *)(r1 + 8) = -1",
        "*(u8 *)(r1 + 12) = 255",
        "r0 = 0",
        "exit",
    ]


def test_frame_objects_are_addressed_from_the_frame_pointer() -> None:
    def build(b: Builder) -> None:
        slot = b.frame(16)
        b.store(8, b.frame_addr(slot), b.param(0), 8)
        b.store(8, b.frame_addr(slot), 0)
        b.call(6, b.frame_addr(slot), 16)
        b.ret(0)

    assert instructions(build) == [
        "*(u64 *)(r10 - 8) = r1",
        "*(u64 *)(r10 - 16) = 0",
        "r1 = r10",
        "r1 += -16",
        "r2 = 16",
        "call 6",
        "r0 = 0",
        "exit",
    ]


@pytest.mark.parametrize(
    ("features", "expected"),
    [(frozenset(), ["r1 <<= 32", "r1 s>>= 32"]), (frozenset({"v4"}), ["r0 = (s32)r1"])],
)
def test_sign_extension(features: frozenset[str], expected: list[str]) -> None:
    code = instructions(lambda b: b.ret(b.ext(b.param(0), 32, True)), features=features)
    assert [line for line in code if "32" in line] == expected


def test_32_bit_arithmetic_where_it_saves_the_extension() -> None:
    code = instructions(lambda b: b.ret(b.ext(b.add(b.param(0), b.param(1)), 32, False)))
    assert code == ["w1 += w2", "r0 = r1", "exit"]


def test_an_opaque_value_is_converted_to_the_byte_order_it_has() -> None:
    """Nothing for the machine to do; the verifier takes it for any number, where it was a pointer before."""

    def build(b: Builder) -> None:
        b.ret(b.opaque(b.load(8, b.param(0, pointer=True), pointer_result=True)))

    assert instructions(build) == ["r0 = *(u64 *)(r1 + 0)", "r0 = le64 r0", "exit"]


def test_a_clamp_bounds_the_register_that_it_returns() -> None:
    """Older verifiers know of the bound only in the register that was compared."""

    def build(b: Builder) -> None:
        x = b.load(8, b.param(0, pointer=True))
        index = b.select(b.cmp(Cond.ULT, x, 8), x, 7)
        b.store(8, b.map_value("m"), x)
        b.store(1, b.ptr_add(b.map_value("m"), index), 1)
        b.ret(0)

    code = instructions(build)
    test = next(line for line in code if line.startswith("if "))
    register = test.split()[1]
    assert f"{register} = 7" in code
    assert any(line.endswith(f"+= {register}") for line in code)


def test_equal_returns_share_their_code() -> None:
    def build(b: Builder) -> None:
        for n in range(4):
            then, orelse = b.block("then"), b.block("else")
            b.branch_cmp(Cond.EQ, b.param(0), n, then, orelse)
            b.position(then)
            b.store(8, b.map_value("m"), n)
            b.ret(0)
            b.position(orelse)
        b.ret(0)

    assert instructions(build).count("exit") == 1


def test_unlikely_blocks_come_last() -> None:
    def build(b: Builder) -> None:
        rare, usual = b.block("rare", likely=False), b.block("usual")
        b.branch_cmp(Cond.EQ, b.param(0), 0, rare, usual)
        b.position(rare)
        b.call(14)
        b.ret(7)
        b.position(usual)
        b.store(8, b.map_value("m"), 1)
        b.ret(1)

    code = instructions(build)
    assert code.index("call 14") > code.index("exit")


def test_every_instruction_carries_the_source_tag_of_what_it_is_for() -> None:
    def build(b: Builder) -> None:
        slot = b.frame(8)
        b.at("store")
        b.store(8, b.frame_addr(slot), b.param(0))
        b.at("call")
        b.call(6, b.frame_addr(slot), 8)
        b.at("return")
        b.ret(0)

    f = function(build)
    ((_, items),) = compile_module(f.module)
    tags = [item.tag for item in items if isinstance(item, Insn)]
    assert tags == ["store"] + ["call"] * 4 + ["return"] * 2


def test_calls_of_functions_and_callbacks_refer_by_name_and_unused_functions_are_left_out() -> None:
    m = Module("test")
    main = m.new_function("main")
    helper, callback, unused = (m.new_function(name, 2) for name in ("helper", "callback", "unused"))
    b = Builder(main)
    b.call(181, 10, b.function_ref(callback), 0, 0)
    b.ret(b.call_function(helper, 1, 2))
    for f in (helper, callback, unused):
        b = Builder(f)
        b.ret(b.add(b.param(0), b.param(1)))
    compiled = compile_module(m, verify=True)
    assert [name for name, _ in compiled] == ["main", "helper", "callback"]
    symbols = [item.symbol for item in compiled[0][1] if isinstance(item, Insn) and item.symbol]
    assert symbols == [("func", "callback", 0), ("func", "helper", 0)]


def test_compare_and_exchange_uses_r0() -> None:
    def build(b: Builder) -> None:
        p = b.map_value("m")
        old = b.load(8, p)
        b.ret(b.atomic("cmpxchg", 8, p, old, b.add(old, b.param(0))))

    code = instructions(build, features=frozenset({"atomics"}))
    assert any("cmpxchg" in line and line.startswith("r0 =") for line in code)


def test_may_goto() -> None:
    def build(b: Builder) -> None:
        head, body, out = b.block("head"), b.block("body"), b.block("out")
        b.jump(head)
        b.position(head)
        b.may_goto(out, body)
        b.position(body)
        b.branch_cmp(Cond.NE, b.call(7), 0, head, out)
        b.position(out)
        b.ret(0)

    assert any(line.startswith("may_goto") for line in instructions(build))


def test_dump_shows_every_stage() -> None:
    f = function(lambda b: b.ret(b.add(b.param(0), 1)))
    stages: list[str] = []
    compile_module(f.module, dump=lambda name, stage, text: stages.append(stage) if text else None)
    assert stages[0] == "ssa"
    assert stages[-1] == "allocation"
    assert {"simplify", "gvn", "shape"} <= set(stages)


def test_division_by_a_constant_zero_is_not_left_to_the_verifier() -> None:
    """It refuses the instruction; the results are 0 and the dividend."""
    f = function(lambda b: b.ret(0), params=2)
    builder = Builder(f)
    builder.current.term = None
    for op in (Op.UDIV, Op.UMOD):
        assert builder.binary(op, builder.param(0), 0).op in (Op.CONST, Op.PARAM)
    builder.ret(0)

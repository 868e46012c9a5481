"""Encoding against bytes written down from RFC 9669, and encode/decode as inverses."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernscope.asm import instruction as asm
from kernscope.asm.decode import DecodeError, decode
from kernscope.asm.encode import Assembled, EncodeError, Item, assemble, encode_insns
from kernscope.asm.instruction import Insn, Label
from kernscope.tables import opcodes as o

# (instruction, its 8 or 16 bytes): opcode, src << 4 | dst, offset, immediate, little-endian.
_ENCODINGS = [
    (asm.mov(1, 6), "bf61000000000000"),
    (asm.mov32(1, 6), "bc61000000000000"),
    (asm.mov_imm(3, -2), "b7030000feffffff"),
    (asm.mov32_imm(3, 7), "b403000007000000"),
    (asm.movsx(8, 2, 1), "bf12080000000000"),
    (asm.movsx32(16, 2, 1), "bc12100000000000"),
    (asm.alu64(o.ADD, 1, 2), "0f21000000000000"),
    (asm.alu64_imm(o.SUB, 1, 5), "1701000005000000"),
    (asm.alu32(o.ARSH, 4, 5), "cc54000000000000"),
    (asm.alu32_imm(o.LSH, 4, 3), "6404000003000000"),
    (asm.signed(asm.alu64(o.DIV, 1, 2)), "3f21010000000000"),
    (asm.signed(asm.alu32_imm(o.MOD, 1, 7)), "9401010007000000"),
    (asm.neg(9), "8709000000000000"),
    (asm.neg32(9), "8409000000000000"),
    (asm.endian(o.TO_BE, 1, 16), "dc01000010000000"),
    (asm.endian(o.TO_LE, 1, 64), "d401000040000000"),
    (asm.byteswap(1, 32), "d701000020000000"),
    (asm.ld_imm64(2, 0x1122334455667788), "18020000887766550000000044332211"),
    (asm.ld_imm64(2, -1), "18020000ffffffff00000000ffffffff"),
    (asm.ldx(o.DW, 0, 10, -8), "79a0f8ff00000000"),
    (asm.ldx(o.B, 1, 2, 3), "7121030000000000"),
    (asm.ldxsx(o.W, 1, 2, 4), "8121040000000000"),
    (asm.stx(o.H, 10, -2, 7), "6b7afeff00000000"),
    (asm.st(o.W, 1, 8, -1), "62010800ffffffff"),
    (asm.atomic(o.ATOMIC_ADD, o.DW, 1, 0, 2), "db21000000000000"),
    (asm.atomic(o.ATOMIC_CMPXCHG, o.W, 1, 4, 2), "c3210400f1000000"),
    (asm.call(14), "850000000e000000"),
    (asm.call("get_current_pid_tgid"), "850000000e000000"),
    (asm.exit_(), "9500000000000000"),
]


@pytest.mark.parametrize(("insn", "expected"), _ENCODINGS, ids=lambda value: str(value)[:40])
def test_encoding(insn: Insn, expected: str) -> None:
    assert encode_insns([insn]).hex() == expected


def _slot(code: bytes, index: int) -> tuple[int, int, int, int]:
    op, registers, off, imm = struct.unpack_from("<BBhi", code, 8 * index)
    return op, registers, off, imm


def _assemble(*items: Item) -> Assembled:
    return assemble([("main", items)])


def test_jumps_count_slots_from_the_next_instruction_and_a_wide_load_has_two() -> None:
    end, top = Label("end"), Label("top")
    program = _assemble(
        top, asm.jcond_imm(o.JEQ, 0, 3, end), asm.ld_imm64(1, 5), asm.jump(top), end, asm.exit_()
    )
    assert _slot(program.code, 0) == (o.JMP | o.JEQ, 0, 3, 3)
    assert _slot(program.code, 3) == (o.JA_OP, 0, -4, 0)
    assert [program.slot_of(index) for index in range(6)] == [0, 0, 1, 3, 4, 4]
    assert [program.item_at(slot) for slot in range(5)] == [(0, 1), (0, 2), (0, 2), (0, 3), (0, 5)]
    assert not program.long_jumps


def test_every_kind_of_jump_is_resolved() -> None:
    end = Label("end")
    program = _assemble(
        asm.jcond(o.JSGT, 1, 2, end),
        asm.jcond32(o.JLT, 1, 2, end),
        asm.jcond32_imm(o.JSET, 1, 8, end),
        asm.may_goto(end),
        end,
        asm.exit_(),
    )
    assert [_slot(program.code, index)[::2] for index in range(4)] == [
        (0x6D, 3),
        (0xAE, 2),
        (0x46, 1),
        (0xE5, 0),
    ]


@pytest.mark.parametrize("padding", [32766, 32767, 32768, 40000])
def test_far_jumps_use_gotol_only_when_needed(padding: int) -> None:
    end = Label("end")
    filler = [asm.mov_imm(0, 0)] * padding
    program = _assemble(asm.jcond_imm(o.JEQ, 1, 0, end), asm.jump(end), *filler, end, asm.exit_())
    # Without widening the conditional jump must cross padding + 1 slots and the other one padding.
    if padding + 1 <= 0x7FFF:
        assert not program.long_jumps
        assert len(program.code) // 8 == padding + 3
        return
    assert program.long_jumps
    assert _slot(program.code, 0) == (o.JMP | o.JEQ, 1, 1, 0)
    assert _slot(program.code, 1) == (o.JA_OP, 0, 1, 0)
    assert _slot(program.code, 2) == (o.GOTOL_OP, 0, 0, padding + 1)
    other = _slot(program.code, 3)
    assert other == ((o.JA_OP, 0, padding, 0) if padding <= 0x7FFF else (o.GOTOL_OP, 0, 0, padding))
    assert program.slot_of(len(filler) + 2) == padding + 4


def test_functions_call_and_refer_to_each_other() -> None:
    program = assemble(
        [
            (
                "main",
                [asm.ld_func(2, "second"), asm.call_local("second"), asm.call_local("main"), asm.exit_()],
            ),
            ("second", [asm.ld_func(1, "main"), asm.exit_()]),
        ]
    )
    assert program.functions == [("main", 0), ("second", 5)]
    # Both count from the slot after the first slot of the instruction.
    assert _slot(program.code, 0) == (o.LD_IMM64, o.PSEUDO_FUNC << 4 | 2, 0, 4)
    assert _slot(program.code, 1) == (0, 0, 0, 0)
    assert _slot(program.code, 2) == (o.CALL_OP, o.PSEUDO_CALL << 4, 0, 2)
    assert _slot(program.code, 3) == (o.CALL_OP, o.PSEUDO_CALL << 4, 0, -4)
    assert _slot(program.code, 5) == (o.LD_IMM64, o.PSEUDO_FUNC << 4 | 1, 0, -6)
    assert program.slot_of(1, function=1) == 7
    assert program.item_at(6) == (1, 0)


def test_relocations_say_where_maps_and_kfuncs_are_used() -> None:
    program = _assemble(
        asm.ld_map_fd(1, "counts"),
        asm.ld_map_value(2, "state", 24),
        asm.call_kfunc("bpf_task_from_pid", 77),
        asm.exit_(),
    )
    assert [(r.slot, r.kind, r.name, r.addend) for r in program.relocations] == [
        (0, "map_fd", "counts", 0),
        (2, "map_value", "state", 24),
        (4, "kfunc", "bpf_task_from_pid", 77),
    ]
    assert _slot(program.code, 0)[1] == o.PSEUDO_MAP_FD << 4 | 1
    assert _slot(program.code, 2)[1] == o.PSEUDO_MAP_VALUE << 4 | 2
    assert _slot(program.code, 3) == (0, 0, 0, 24)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([asm.jump(Label("nowhere"))], "label 'nowhere' is not placed"),
        ([asm.mov_imm(1, 1 << 31)], "out of range"),
        ([asm.mov_imm(1, -(1 << 31) - 1)], "out of range"),
        ([asm.ldx(o.B, 1, 2, 1 << 15)], "out of range"),
        ([asm.ld_imm64(1, 1 << 64)], "does not fit 64 bits"),
        ([asm.call_local("absent")], "no function 'absent'"),
    ],
)
def test_what_has_no_encoding_is_refused(items: list[Item], message: str) -> None:
    with pytest.raises(EncodeError, match=message):
        assemble([("main", items)])


def test_a_label_or_function_twice_is_refused() -> None:
    label = Label("here")
    with pytest.raises(EncodeError, match="placed twice"):
        _assemble(label, asm.exit_(), label)
    with pytest.raises(EncodeError, match="two functions"):
        assemble([("f", [asm.exit_()]), ("f", [asm.exit_()])])


@pytest.mark.parametrize("code", [b"\x95" + bytes(6), bytes.fromhex("1802000088776655")])
def test_broken_bytes_are_refused(code: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(code)


_INSNS = st.builds(
    Insn,
    st.integers(0, 255).filter(lambda op: op != o.LD_IMM64),
    st.integers(0, 15),
    st.integers(0, 15),
    st.integers(-0x8000, 0x7FFF),
    st.integers(-0x80000000, 0x7FFFFFFF),
) | st.builds(
    Insn, st.just(o.LD_IMM64), st.integers(0, 10), st.integers(0, 6), st.just(0), st.integers(0, 2**64 - 1)
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_INSNS, max_size=20))
def test_decode_is_the_inverse_of_encode(insns: list[Insn]) -> None:
    code = encode_insns(insns)
    decoded = decode(code)
    assert [(i.op, i.dst, i.src, i.off, i.imm) for i in decoded] == [
        (i.op, i.dst, i.src, i.off, i.imm) for i in insns
    ]
    assert encode_insns(decoded) == code

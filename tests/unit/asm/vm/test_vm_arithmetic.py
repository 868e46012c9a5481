"""Arithmetic of the machine against fixed-width C integers (ctypes) and cases from RFC 9669."""

import ctypes
import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernscope.asm import instruction as asm
from kernscope.asm.encode import Item, assemble
from kernscope.asm.instruction import Insn, Label
from kernscope.asm.vm import Machine, VmFault
from kernscope.tables import opcodes as o

_MIN64, _MIN32 = 1 << 63, 1 << 31
_MACHINE = Machine()

_EDGES = [0, 1, 2, 7, 31, 32, 63, 64, 0x7F, 0x80, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32]
_EDGES += [_MIN64 - 1, _MIN64, _MIN64 + 1, 2**64 - 1, 2**64 - 2, 2**64 - _MIN32, 0x0123456789ABCDEF]
_VALUES = st.sampled_from(_EDGES) | st.integers(0, 2**64 - 1)
_CONSTANTS = st.sampled_from([0, 1, -1, 31, 32, 63, 2**31 - 1, -(2**31)]) | st.integers(-(2**31), 2**31 - 1)


def run(*items: Item) -> int:
    return _MACHINE.run(assemble([("main", [*items, asm.exit_()])]))


def binary(insn: Insn, a: int, b: int) -> int:
    """Run one instruction on r0 = a and r1 = b."""
    return run(asm.ld_imm64(0, a), asm.ld_imm64(1, b), insn)


def truncated(x: int, y: int) -> int:
    """C division of exact integers."""
    quotient = abs(x) // abs(y)
    return quotient if (x >= 0) == (y >= 0) else -quotient


def _c_types(bits: int) -> tuple[Callable[[int], int], Callable[[int], int]]:
    unsigned = {32: ctypes.c_uint32, 64: ctypes.c_uint64}[bits]
    signed = {32: ctypes.c_int32, 64: ctypes.c_int64}[bits]
    return lambda value: int(unsigned(value).value), lambda value: int(signed(value).value)


def reference(operation: int, a: int, b: int, bits: int, signed: bool) -> int:
    """What RFC 9669 sections 4.1 and 4.2 say, on C integers."""
    u, s = _c_types(bits)
    if signed:
        x, y = s(a), s(b)
        if operation == o.DIV:
            return u(truncated(x, y)) if y else 0
        return u(x - y * truncated(x, y)) if y else u(x)
    x, y = u(a), u(b)
    results: dict[int, Callable[[], int]] = {
        o.ADD: lambda: x + y,
        o.SUB: lambda: x - y,
        o.MUL: lambda: x * y,
        o.DIV: lambda: math.floor(x // y) if y else 0,
        o.MOD: lambda: x - y * (x // y) if y else x,
        o.OR: lambda: x + y - (x & y),
        o.AND: lambda: x + y - (x | y),
        o.XOR: lambda: (x | y) - (x & y),
        o.LSH: lambda: x * 2 ** (y % bits),
        o.RSH: lambda: x // 2 ** (y % bits),
        o.ARSH: lambda: s(a) // 2 ** (y % bits),
        o.MOV: lambda: y,
    }
    return u(results[operation]())


_OPERATIONS = [o.ADD, o.SUB, o.MUL, o.DIV, o.MOD, o.OR, o.AND, o.XOR, o.LSH, o.RSH, o.ARSH, o.MOV]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(_OPERATIONS), _VALUES, _VALUES, _CONSTANTS)
def test_unsigned_arithmetic(operation: int, a: int, b: int, constant: int) -> None:
    assert binary(asm.alu64(operation, 0, 1), a, b) == reference(operation, a, b, 64, False)
    assert binary(asm.alu32(operation, 0, 1), a, b) == reference(operation, a, b, 32, False)
    assert binary(asm.alu64_imm(operation, 0, constant), a, b) == reference(operation, a, constant, 64, False)
    assert binary(asm.alu32_imm(operation, 0, constant), a, b) == reference(operation, a, constant, 32, False)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([o.DIV, o.MOD]), _VALUES, _VALUES, _CONSTANTS)
def test_signed_division(operation: int, a: int, b: int, constant: int) -> None:
    for make, make_constant, bits in ((asm.alu64, asm.alu64_imm, 64), (asm.alu32, asm.alu32_imm, 32)):
        by_register = asm.signed(make(operation, 0, 1))
        by_constant = asm.signed(make_constant(operation, 0, constant))
        assert binary(by_register, a, b) == reference(operation, a, b, bits, True)
        assert binary(by_constant, a, b) == reference(operation, a, constant, bits, True)


_MINUS = 2**64
# (instruction on r0 and r1, r0, r1, result), each from the text of RFC 9669 or the kernel's documentation.
_CASES = [
    (asm.alu64(o.DIV, 0, 1), 7, 0, 0),
    (asm.alu64(o.MOD, 0, 1), 7, 0, 7),
    (asm.alu32(o.DIV, 0, 1), 7 << 32 | 7, 1 << 32, 0),
    (asm.alu32(o.MOD, 0, 1), 7 << 32 | 7, 1 << 32, 7),
    (asm.signed(asm.alu64(o.DIV, 0, 1)), _MIN64, _MINUS - 1, _MIN64),
    (asm.signed(asm.alu64(o.MOD, 0, 1)), _MIN64, _MINUS - 1, 0),
    (asm.signed(asm.alu32(o.DIV, 0, 1)), _MIN32, 0xFFFFFFFF, _MIN32),
    (asm.signed(asm.alu32(o.MOD, 0, 1)), _MIN32, 0xFFFFFFFF, 0),
    (asm.signed(asm.alu64(o.DIV, 0, 1)), _MINUS - 13, 3, _MINUS - 4),
    (asm.signed(asm.alu64(o.MOD, 0, 1)), _MINUS - 13, 3, _MINUS - 1),
    (asm.signed(asm.alu64(o.MOD, 0, 1)), 13, _MINUS - 3, 1),
    (asm.alu64_imm(o.DIV, 0, -1), 2**64 - 1, 0, 1),
    (asm.alu64(o.LSH, 0, 1), 1, 65, 2),
    (asm.alu32(o.LSH, 0, 1), 1, 33, 2),
    (asm.alu64(o.ARSH, 0, 1), _MIN64, 63, 2**64 - 1),
    (asm.alu32(o.ARSH, 0, 1), 0xFFFFFFFF80000000, 31, 0xFFFFFFFF),
    (asm.alu32(o.ADD, 0, 1), 0xFFFFFFFFFFFFFFFF, 1, 0),
    (asm.alu64_imm(o.MOV, 0, -1), 0, 0, 2**64 - 1),
    (asm.alu32_imm(o.MOV, 0, -1), 0, 0, 0xFFFFFFFF),
    (asm.neg(0), 1, 0, 2**64 - 1),
    (asm.neg(0), _MIN64, 0, _MIN64),
    (asm.neg32(0), 1 << 40 | 1, 0, 0xFFFFFFFF),
    (asm.movsx(8, 0, 1), 0, 0x1280, _MINUS - 0x80),
    (asm.movsx(16, 0, 1), 0, 0x12348000, _MINUS - 0x8000),
    (asm.movsx(32, 0, 1), 0, 0xFFFFFFFE, _MINUS - 2),
    (asm.movsx(32, 0, 1), 0, 0xABCD7FFFFFFF, 0x7FFFFFFF),
    (asm.movsx32(8, 0, 1), 0, 0x80, 0xFFFFFF80),
    (asm.movsx32(16, 0, 1), 0, 0x7FFF, 0x7FFF),
    (asm.endian(o.TO_BE, 0, 16), 0x1122334455667788, 0, 0x8877),
    (asm.endian(o.TO_BE, 0, 32), 0x1122334455667788, 0, 0x88776655),
    (asm.endian(o.TO_BE, 0, 64), 0x1122334455667788, 0, 0x8877665544332211),
    (asm.endian(o.TO_LE, 0, 16), 0x1122334455667788, 0, 0x7788),
    (asm.endian(o.TO_LE, 0, 32), 0x1122334455667788, 0, 0x55667788),
    (asm.endian(o.TO_LE, 0, 64), 0x1122334455667788, 0, 0x1122334455667788),
    (asm.byteswap(0, 16), 0x1122334455667788, 0, 0x8877),
    (asm.byteswap(0, 32), 0x1122334455667788, 0, 0x88776655),
    (asm.byteswap(0, 64), 0x1122334455667788, 0, 0x8877665544332211),
]


@pytest.mark.parametrize(("insn", "a", "b", "expected"), _CASES)
def test_cases_of_the_specification(insn: Insn, a: int, b: int, expected: int) -> None:
    assert binary(insn, a, b) == expected


_CONDITIONS: dict[int, Callable[[int, int, int, int], bool]] = {
    o.JEQ: lambda ua, ub, sa, sb: ua == ub,
    o.JNE: lambda ua, ub, sa, sb: ua != ub,
    o.JGT: lambda ua, ub, sa, sb: ua > ub,
    o.JGE: lambda ua, ub, sa, sb: ua >= ub,
    o.JLT: lambda ua, ub, sa, sb: ua < ub,
    o.JLE: lambda ua, ub, sa, sb: ua <= ub,
    o.JSET: lambda ua, ub, sa, sb: (ua & ub) != 0,
    o.JSGT: lambda ua, ub, sa, sb: sa > sb,
    o.JSGE: lambda ua, ub, sa, sb: sa >= sb,
    o.JSLT: lambda ua, ub, sa, sb: sa < sb,
    o.JSLE: lambda ua, ub, sa, sb: sa <= sb,
}


def _taken(jump: Insn, a: int, b: int) -> bool:
    assert jump.target is not None
    setup = asm.ld_imm64(2, a), asm.ld_imm64(3, b), asm.mov_imm(0, 1)
    return bool(run(*setup, jump, asm.mov_imm(0, 0), jump.target))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(_CONDITIONS)), _VALUES, _VALUES, _CONSTANTS)
def test_conditions(condition: int, a: int, b: int, constant: int) -> None:
    holds = _CONDITIONS[condition]
    for bits, by_register, by_constant in (
        (64, asm.jcond, asm.jcond_imm),
        (32, asm.jcond32, asm.jcond32_imm),
    ):
        u, s = _c_types(bits)
        here = Label()
        expected = holds(u(a), u(b), s(a), s(b))
        assert _taken(by_register(condition, 2, 3, here), a, b) == expected
        expected = holds(u(a), u(constant), s(a), s(constant))
        assert _taken(by_constant(condition, 2, constant, here), a, b) == expected
        assert _taken(by_register(condition, 2, 2, here), a, a) == holds(u(a), u(a), s(a), s(a))


@pytest.mark.parametrize(
    "insn",
    [
        asm.mov(0, 5),
        asm.alu64(o.ADD, 0, 5),
        asm.alu32(o.MOV, 0, 5),
        asm.neg(5),
        asm.alu64(o.MOD, 5, 0),
        asm.jcond_imm(o.JEQ, 5, 0, Label()),
    ],
)
def test_a_register_that_was_never_set_faults(insn: Insn) -> None:
    items: list[Item] = [asm.mov_imm(0, 0), insn]
    if insn.target is not None:
        items.append(insn.target)
    with pytest.raises(VmFault, match="never set") as caught:
        run(*items)
    assert caught.value.pc == 1


@pytest.mark.parametrize(
    "insn",
    [
        Insn(0xE7, 0, 0, 0, 0),  # no such ALU operation
        Insn(o.ALU64 | o.X | o.MOV, 0, 0, 24),  # sign extension from 24 bits
        Insn(o.ALU | o.X | o.MOV, 0, 0, 32),  # 32-bit sign extension from 32 bits
        Insn(o.ALU64 | o.ADD, 0, 0, 1, 0),  # only DIV and MOD have a signed form
        Insn(o.ALU | o.END, 0, 0, 0, 24),
        Insn(o.JMP | 0xF0, 0, 0, 0, 0),
    ],
)
def test_what_is_not_in_the_instruction_set_faults_when_reached(insn: Insn) -> None:
    with pytest.raises(VmFault, match=f"opcode {insn.op:#04x}"):
        run(asm.mov_imm(0, 0), insn)
    skip = Label()
    assert run(asm.mov_imm(0, 3), asm.jump(skip), insn, skip) == 3

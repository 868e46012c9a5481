"""Constant arithmetic against a second implementation: fixed-width integers of ctypes."""

import ctypes

from hypothesis import given
from hypothesis import strategies as st

from kernscope.ssa import Op
from kernscope.ssa.fold import fold_binary, fold_bswap, fold_ext

s64s = st.integers(-(1 << 63), (1 << 63) - 1) | st.sampled_from([0, 1, -1, 1 << 31, -(1 << 31), -(1 << 63)])
counts = st.integers(0, 63)


def _u(x: int) -> int:
    return ctypes.c_uint64(x).value


def _s(x: int) -> int:
    return ctypes.c_int64(x).value


@given(s64s, s64s)
def test_wrapping_operations(x: int, y: int) -> None:
    assert fold_binary(Op.ADD, x, y) == _s(x + y)
    assert fold_binary(Op.SUB, x, y) == _s(x - y)
    assert fold_binary(Op.MUL, x, y) == _s(x * y)
    assert fold_binary(Op.ADD, x, y, 32) == ctypes.c_uint32(x + y).value
    assert fold_binary(Op.XOR, x, y, 32) == ctypes.c_uint32(x ^ y).value


@given(s64s, s64s.filter(bool))
def test_division(x: int, y: int) -> None:
    assert fold_binary(Op.UDIV, x, y) == _s(_u(x) // _u(y))
    assert fold_binary(Op.UMOD, x, y) == _s(_u(x) % _u(y))
    quotient = int(fold_binary(Op.SDIV, x, y))
    rest = fold_binary(Op.SMOD, x, y)
    assert _s(quotient * y + rest) == x
    assert abs(rest) < abs(y)
    assert rest == 0 or (rest < 0) == (x < 0)


@given(s64s, counts)
def test_shifts(x: int, n: int) -> None:
    assert fold_binary(Op.SHL, x, n) == _s(x * 2**n)
    assert fold_binary(Op.LSHR, x, n) == _s(_u(x) // 2**n)
    assert fold_binary(Op.ASHR, x, n) == x // 2**n


@given(s64s)
def test_extension_and_byte_order(x: int) -> None:
    assert fold_ext(x, 8, True) == ctypes.c_int8(x).value
    assert fold_ext(x, 16, False) == ctypes.c_uint16(x).value
    assert fold_ext(x, 32, True) == ctypes.c_int32(x).value
    assert fold_bswap(x, 64) == _s(int.from_bytes(_u(x).to_bytes(8, "big"), "little"))
    assert fold_bswap(fold_bswap(x, 16), 16) == x & 0xFFFF

"""Integer types of C against the compiler's own idea of them, where the names exist in user space."""

import ctypes

import pytest

from kernscope.probes.c_integers import C_INTEGERS, c_integer
from kernscope.types import INT32, UINT32, UINT64

CTYPES = {
    "char": ctypes.c_byte,
    "short": ctypes.c_short,
    "int": ctypes.c_int,
    "unsigned": ctypes.c_uint,
    "long": ctypes.c_long,
    "unsigned long": ctypes.c_ulong,
    "size_t": ctypes.c_size_t,
    "ssize_t": ctypes.c_ssize_t,
    "u16": ctypes.c_uint16,
    "__s32": ctypes.c_int32,
}


@pytest.mark.parametrize("name", CTYPES)
def test_sizes_and_signs(name: str) -> None:
    t = C_INTEGERS[name]
    assert t.size == ctypes.sizeof(CTYPES[name])
    assert t.signed == (CTYPES[name](-1).value < 0)


def test_const_and_enumerations() -> None:
    assert c_integer("const clockid_t") == INT32
    assert c_integer("const enum landlock_rule_type") == UINT32
    assert c_integer("aio_context_t") == UINT64
    assert c_integer("cap_user_header_t") is None

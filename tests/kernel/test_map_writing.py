"""Maps that are written from here while the program runs, and read by it."""

import os

import pytest
from command_line import needs_tracing

import kernscope
from kernscope.kernel import KernelError
from kernscope.runtime.storage import encoded
from kernscope.types import INT64, UINT32, Array, Integer, String

pytestmark = needs_tracing

PROGRAM = """
let @wanted = hash(4);
begin { @wanted[(uint64)0] = (uint64)0; delete(@wanted, (uint64)0); @by[pton("::")] = 1; @n = count(); @one = 1; }
self:signal:SIGUSR1 { printf("%d %d\\n", @wanted[(uint64)5], @by[pton("2001:db8::1")]); }
"""
ADDRESS = bytes.fromhex("20010db8000000000000000000000001")


def test_what_is_written_is_read() -> None:
    with kernscope.run(PROGRAM, print_maps=False) as session:
        wanted, by = session.maps["@wanted"], session.maps["@by"]
        wanted.assign(5, 1 << 40)
        by.assign(ADDRESS, -7)
        assert dict(wanted) == {5: 1 << 40}
        os.kill(os.getpid(), 10)
        line = next(str(e) for e in session.events(60.0) if isinstance(e, kernscope.PrintfEvent))
        assert line == f"{1 << 40} -7\n"
        assert wanted.remove(5) and not wanted.remove(5)
        assert dict(wanted) == {}
        for key in range(4):
            wanted.assign(key, key)
        with pytest.raises(KernelError):
            wanted.assign(99, 1)
        for name, key in (("@n", 0), ("@one", 0), ("@wanted", b"x"), ("@by", b"short")):
            with pytest.raises(TypeError):
                session.maps[name].assign(key, 1)  # type: ignore[arg-type]
    assert not session.maps["@wanted"].remove(1)


def test_how_values_are_stored() -> None:
    assert encoded(INT64, -2) == b"\xfe" + b"\xff" * 7
    assert encoded(UINT32, 258) == b"\x02\x01\0\0"
    assert encoded(Array(Integer(8, False), 4), b"\x7f\0\0\1") == b"\x7f\0\0\1"
    with pytest.raises(OverflowError):
        encoded(UINT32, -1)
    with pytest.raises(TypeError):
        encoded(String(16), "text")

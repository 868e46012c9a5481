"""Addresses of this process and of children, compared with what the dynamic linker says."""

import ctypes
import os
import subprocess

import pytest

from kernscope.kernel.kallsyms import Kallsyms
from kernscope.symbols import KernelSymbols, UserSymbols

LIBC = ctypes.CDLL(None)


def address_of(name: str) -> int:
    address = ctypes.cast(getattr(LIBC, name), ctypes.c_void_p).value
    assert address is not None
    return address


@pytest.mark.parametrize("name", ["read", "getppid", "PyObject_Repr"])
def test_functions_of_this_process(name: str) -> None:
    found = UserSymbols().lookup(os.getpid(), address_of(name) + 3)
    assert found is not None
    assert (found.name, found.offset) == (name, 3)


def test_an_address_in_nothing() -> None:
    symbols = UserSymbols()
    assert symbols.lookup(os.getpid(), 5) is None
    assert symbols.lookup(os.getpid(), id(symbols)) is None  # the heap


def test_a_process_that_ended_stays_known() -> None:
    symbols = UserSymbols()
    with subprocess.Popen(["/bin/sleep", "60"], stdout=subprocess.PIPE) as child:
        with open(f"/proc/{child.pid}/maps") as maps:
            code: list[str] = []
            while not code:  # until the C library is mapped, and its code executable
                maps.seek(0)
                code = [line for line in maps.read().splitlines() if "r-xp" in line and "libc" in line]
        start = int(code[0].split("-")[0], 16)
        before = symbols.lookup(child.pid, start + 0x100)
        child.kill()
    assert before is not None
    after = symbols.lookup(child.pid, start + 0x100)
    assert after is before
    assert symbols.lookup(child.pid, 5) is None


def test_what_is_kept_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernscope.symbols.user.MOST_ADDRESSES", 8)
    symbols = UserSymbols()
    first = address_of("read")
    for i in range(30):
        found = symbols.lookup(os.getpid(), first + i % 12)
        assert found is not None and found.name == "read"
        assert len(symbols._known) <= 8


def test_build_id() -> None:
    symbols = UserSymbols()
    address = address_of("read")
    symbols.lookup(os.getpid(), address)
    build_id = symbols.build_id(os.getpid(), address)
    assert build_id == "" or len(bytes.fromhex(build_id)) == 20


def test_kernel_symbols_are_read_once_when_wanted() -> None:
    reads = []

    def read() -> Kallsyms:
        reads.append(1)
        return Kallsyms(
            "ffffffff81000000 T first\nffffffff81000100 t second\nffffffffc0000000 t of_module\t[m]\n"
        )

    symbols = KernelSymbols(read)
    assert not reads
    assert symbols.lookup(0xFFFFFFFF81000000) == ("first", 0)
    assert symbols.lookup(0xFFFFFFFF810000FF) == ("first", 255)
    assert symbols.lookup(0xFFFFFFFF81000100) == ("second", 0)
    assert symbols.lookup(0xFFFFFFFFC0000010) == ("of_module", 16)
    assert symbols.lookup(5) is None
    assert len(reads) == 1

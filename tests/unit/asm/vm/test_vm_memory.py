"""Loads, stores and atomics of the machine, and what it refuses."""

import struct
from itertools import pairwise

import pytest

from kernscope.asm import instruction as asm
from kernscope.asm.encode import Item, assemble
from kernscope.asm.instruction import Insn
from kernscope.asm.vm import Environment, Machine, Region, VmFault, VmMap
from kernscope.tables import opcodes as o
from kernscope.tables.bpf import MapType

_BYTES = bytes.fromhex("f1f2f3f4f5f6f7f8 0102030405060708")


def run(*items: Item, ctx: bytes | Region = b"", machine: Machine | None = None) -> int:
    return (machine or Machine()).run(assemble([("main", [*items, asm.exit_()])]), ctx)


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (asm.ldx(o.B, 0, 1, 0), 0xF1),
        (asm.ldx(o.H, 0, 1, 0), 0xF2F1),
        (asm.ldx(o.W, 0, 1, 0), 0xF4F3F2F1),
        (asm.ldx(o.DW, 0, 1, 0), 0xF8F7F6F5F4F3F2F1),
        (asm.ldx(o.DW, 0, 1, 8), 0x0807060504030201),
        (asm.ldx(o.B, 0, 1, 15), 0x08),
        (asm.ldxsx(o.B, 0, 1, 0), 0xFFFFFFFFFFFFFFF1),
        (asm.ldxsx(o.H, 0, 1, 0), 0xFFFFFFFFFFFFF2F1),
        (asm.ldxsx(o.W, 0, 1, 0), 0xFFFFFFFFF4F3F2F1),
        (asm.ldxsx(o.W, 0, 1, 8), 0x04030201),
        (asm.ldx(o.W, 0, 1, 2), 0xF6F5F4F3),
    ],
)
def test_loads_are_little_endian_and_extended(load: Insn, expected: int) -> None:
    assert run(load, ctx=_BYTES) == expected


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        (asm.st(o.B, 10, -8, 0x1FF), 0xA5A5A5A5A5A5A5FF),
        (asm.st(o.H, 10, -8, -2), 0xA5A5A5A5A5A5FFFE),
        (asm.st(o.W, 10, -8, -2), 0xA5A5A5A5FFFFFFFE),
        (asm.st(o.DW, 10, -8, -2), 0xFFFFFFFFFFFFFFFE),
        (asm.stx(o.B, 10, -7, 2), 0xA5A5A5A5A5A588A5),
        (asm.stx(o.H, 10, -8, 2), 0xA5A5A5A5A5A57788),
        (asm.stx(o.W, 10, -4, 2), 0x55667788A5A5A5A5),
        (asm.stx(o.DW, 10, -8, 2), 0x1122334455667788),
    ],
)
def test_stores_write_their_width_only(store: Insn, expected: int) -> None:
    assert run(asm.ld_imm64(2, 0x1122334455667788), store, asm.ldx(o.DW, 0, 10, -8)) == expected


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([asm.ldx(o.B, 0, 1, 16)], r"1 bytes at context\+16, which has 16"),
        ([asm.ldx(o.B, 0, 1, -1)], r"context-1, before its start"),
        ([asm.ldx(o.DW, 0, 1, 9)], r"8 bytes at context\+9"),
        ([asm.st(o.B, 1, 0, 1)], "write to context, which is read-only"),
        ([asm.st(o.B, 10, 0, 1)], r"stack\+512"),
        ([asm.st(o.B, 10, -513, 1)], "stack-1, before its start"),
        ([asm.ldx(o.DW, 0, 10, -12)], r"misaligned access of 8 bytes at stack\+500"),
        ([asm.st(o.W, 10, -6, 1)], "misaligned"),
        ([asm.mov_imm(2, 0), asm.ldx(o.DW, 0, 2, 0)], "8 bytes at 0x0, where nothing is"),
        ([asm.mov_imm(2, 0), asm.ldx(o.DW, 0, 2, -8)], "at 0xfffffffffffffff8, where nothing is"),
        ([asm.ldx(o.DW, 0, 10, 32767)], "which has 512 bytes"),
    ],
)
def test_accesses_outside_of_a_region_fault(items: list[Item], reason: str) -> None:
    with pytest.raises(VmFault, match=reason) as caught:
        run(*items, asm.mov_imm(0, 0), ctx=_BYTES)
    assert caught.value.pc == len(items) - 1


def test_the_ends_of_the_stack_are_usable() -> None:
    assert run(asm.st(o.DW, 10, -512, 7), asm.st(o.DW, 10, -8, 1), asm.ldx(o.DW, 0, 10, -512)) == 7


def test_a_callers_region_can_be_written() -> None:
    region = Region("packet", bytearray(16))
    run(asm.st(o.H, 1, 2, 0x1234), asm.mov_imm(0, 0), ctx=region)
    assert region.data == bytes.fromhex("0000341200000000" + "00" * 8)


def test_direct_loads_reach_kernel_memory_of_the_test_but_not_user_memory() -> None:
    environment = Environment()
    environment.add_memory(0xFFFF888000001000, _BYTES, user=False)
    environment.add_memory(0x7F0000001000, _BYTES, user=True)
    machine = Machine(environment=environment)
    assert (
        run(asm.ld_imm64(2, 0xFFFF888000001000), asm.ldx(o.DW, 0, 2, 8), machine=machine)
        == 0x0807060504030201
    )
    assert run(asm.ld_imm64(2, 0xFFFF888000001000), asm.ldxsx(o.B, 0, 2, 0), machine=machine) == 2**64 - 15
    with pytest.raises(VmFault, match="0x7f0000001000, where nothing is"):
        run(asm.ld_imm64(2, 0x7F0000001000), asm.ldx(o.DW, 0, 2, 0), machine=machine)
    with pytest.raises(VmFault, match="where nothing is"):
        run(asm.ld_imm64(2, 0xFFFF888000001000), asm.st(o.DW, 2, 0, 0), machine=machine)


_OLD = 0x1122334455667788
_VALUE = 0x0102030480000005


@pytest.mark.parametrize(
    ("operation", "new64", "new32"),
    [
        (o.ATOMIC_ADD, _OLD + _VALUE, 0x55667788 + 0x80000005),
        (o.ATOMIC_OR, _OLD | _VALUE, 0xD566778D),
        (o.ATOMIC_AND, _OLD & _VALUE, 0x00000000),
        (o.ATOMIC_XOR, _OLD ^ _VALUE, 0xD566778D),
        (o.ATOMIC_ADD | o.FETCH, _OLD + _VALUE, 0x55667788 + 0x80000005),
        (o.ATOMIC_OR | o.FETCH, _OLD | _VALUE, 0xD566778D),
        (o.ATOMIC_AND | o.FETCH, _OLD & _VALUE, 0x00000000),
        (o.ATOMIC_XOR | o.FETCH, _OLD ^ _VALUE, 0xD566778D),
        (o.ATOMIC_XCHG, _VALUE, 0x80000005),
    ],
)
@pytest.mark.parametrize("size", [o.W, o.DW])
def test_atomic_operations(operation: int, new64: int, new32: int, size: int) -> None:
    fetch = operation & o.FETCH
    table = VmMap(MapType.ARRAY, 4, 24, 1)
    machine = Machine({"m": table})
    result = run(
        asm.ld_map_value(6, "m"),
        asm.ld_imm64(1, _OLD),
        asm.stx(o.DW, 6, 0, 1),
        asm.ld_imm64(2, _VALUE),
        asm.atomic(operation, size, 6, 0, 2),
        asm.mov(0, 2),
        machine=machine,
    )
    (memory,) = struct.unpack_from("<Q", table.lookup(bytes(4)) or b"")
    if size == o.DW:
        assert memory == new64
        assert result == (_OLD if fetch else _VALUE)
    else:
        assert memory == _OLD >> 32 << 32 | new32
        assert result == (0x55667788 if fetch else _VALUE)


@pytest.mark.parametrize(
    ("size", "expected_value", "swapped", "old"),
    [
        (o.DW, _OLD, True, _OLD),
        (o.DW, _OLD + 1, False, _OLD),
        (o.W, 0xDEADBEEF00000000 | _OLD & 0xFFFFFFFF, True, 0x55667788),
        (o.W, 1, False, 0x55667788),
    ],
)
def test_compare_and_exchange(size: int, expected_value: int, swapped: bool, old: int) -> None:
    table = VmMap(MapType.ARRAY, 4, 8, 1, initial=_OLD.to_bytes(8, "little"))
    result = run(
        asm.ld_map_value(6, "m"),
        asm.ld_imm64(0, expected_value),
        asm.ld_imm64(2, _VALUE),
        asm.atomic(o.ATOMIC_CMPXCHG, size, 6, 0, 2),
        machine=Machine({"m": table}),
    )
    (memory,) = struct.unpack("<Q", table.lookup(bytes(4)) or b"")
    new = _VALUE if size == o.DW else _OLD >> 32 << 32 | 0x80000005
    assert memory == (new if swapped else _OLD)
    assert result == old


def test_load_acquire_and_store_release() -> None:
    stored = run(
        asm.ld_imm64(2, _VALUE),
        asm.st(o.DW, 10, -8, 0),
        asm.atomic(o.STORE_REL, o.H, 10, -8, 2),
        asm.atomic(o.LOAD_ACQ, o.DW, 0, -8, 10),
    )
    assert stored == 0x0005


def test_atomics_must_be_aligned_and_exist_for_words_only() -> None:
    with pytest.raises(VmFault, match="misaligned atomic access"):
        run(asm.mov_imm(0, 1), asm.atomic(o.ATOMIC_ADD, o.DW, 10, -12, 0))
    with pytest.raises(VmFault, match="opcode 0xcb"):
        run(asm.mov_imm(0, 1), asm.atomic(o.ATOMIC_ADD, o.H, 10, -8, 0))
    with pytest.raises(VmFault, match="opcode 0xdb"):
        run(asm.mov_imm(0, 1), asm.atomic(0x20, o.DW, 10, -8, 0))


def test_regions_are_far_apart() -> None:
    """No offset of an instruction reaches from one region to another."""
    maps = {name: VmMap(MapType.ARRAY, 4, 8, 1) for name in "abc"}
    machine = Machine(maps)
    addresses = [run(asm.ld_map_value(0, name), machine=machine) for name in "abc"]
    assert all(after - before >= 1 << 32 for before, after in pairwise(sorted(addresses)))

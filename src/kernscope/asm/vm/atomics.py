"""Atomic operations. The machine runs one program at a time, so they are plain reads and writes."""

from collections.abc import Callable
from typing import Any

from kernscope.asm.instruction import Insn
from kernscope.asm.vm.arithmetic import Step
from kernscope.asm.vm.memory import AddressSpace, VmFault
from kernscope.tables import opcodes

__all__ = ["atomic_step"]

_OPERATIONS: dict[int, Callable[[int, int], int]] = {
    opcodes.ATOMIC_ADD: lambda old, value: old + value,
    opcodes.ATOMIC_OR: lambda old, value: old | value,
    opcodes.ATOMIC_AND: lambda old, value: old & value,
    opcodes.ATOMIC_XOR: lambda old, value: old ^ value,
}


def atomic_step(space: AddressSpace, insn: Insn, after: int) -> Step | None:
    """The step of an atomic instruction; None if the instruction set has no such one."""
    width = insn.op & opcodes.SIZE_MASK
    size = opcodes.SIZE_BYTES[width]
    if insn.imm == opcodes.LOAD_ACQ:
        return _load_acquire(space, insn, size, after)
    if insn.imm == opcodes.STORE_REL:
        return _store_release(space, insn, size, after)
    if width not in (opcodes.W, opcodes.DW):
        return None
    if insn.imm == opcodes.ATOMIC_CMPXCHG:
        return _compare_exchange(space, insn, size, after)
    if insn.imm == opcodes.ATOMIC_XCHG:
        return _modify(space, insn, size, after, lambda old, value: value)
    operation = _OPERATIONS.get(insn.imm & ~opcodes.FETCH)
    return None if operation is None else _modify(space, insn, size, after, operation)


def _read(space: AddressSpace, address: int, size: int, write: bool = True) -> tuple[bytearray, int, int]:
    """(the region's data, offset, the number there) of an aligned place that may be written."""
    region, at = space.region_at(address & 0xFFFFFFFFFFFFFFFF, size, write)
    if at & size - 1:
        raise VmFault(f"misaligned atomic access of {size} bytes at {region.name}{at:+}")
    return region.data, at, int.from_bytes(region.data[at : at + size], "little")


def _modify(
    space: AddressSpace, insn: Insn, size: int, after: int, operation: Callable[[int, int], int]
) -> Step:
    dst, src, off = insn.dst, insn.src, insn.off
    fetch = bool(insn.imm & opcodes.FETCH)
    mask = (1 << 8 * size) - 1

    def step(r: list[Any]) -> int:
        data, at, old = _read(space, r[dst] + off, size)
        data[at : at + size] = (operation(old, r[src]) & mask).to_bytes(size, "little")
        if fetch:
            r[src] = old
        return after

    return step


def _compare_exchange(space: AddressSpace, insn: Insn, size: int, after: int) -> Step:
    dst, src, off = insn.dst, insn.src, insn.off
    mask = (1 << 8 * size) - 1

    def step(r: list[Any]) -> int:
        data, at, old = _read(space, r[dst] + off, size)
        new = r[src] & mask
        if old == r[0] & mask:
            data[at : at + size] = new.to_bytes(size, "little")
        r[0] = old
        return after

    return step


def _load_acquire(space: AddressSpace, insn: Insn, size: int, after: int) -> Step:
    dst, src, off = insn.dst, insn.src, insn.off

    def step(r: list[Any]) -> int:
        r[dst] = _read(space, r[src] + off, size, write=False)[2]
        return after

    return step


def _store_release(space: AddressSpace, insn: Insn, size: int, after: int) -> Step:
    dst, src, off = insn.dst, insn.src, insn.off
    mask = (1 << 8 * size) - 1

    def step(r: list[Any]) -> int:
        data, at, _ = _read(space, r[dst] + off, size)
        data[at : at + size] = (r[src] & mask).to_bytes(size, "little")
        return after

    return step

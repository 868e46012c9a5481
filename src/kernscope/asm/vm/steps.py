"""Instructions → steps: each becomes a closure that takes the registers and returns the slot of the next one.

All that can be known beforehand (register numbers, constants, targets, functions) is bound into the closure
when a program is loaded, so that running it is one call per instruction. A slot that must not be reached
has a step that raises; whatever the machine does not know fails only when it is executed.
"""

from collections.abc import Callable, Mapping
from struct import Struct
from typing import TYPE_CHECKING, Any, Protocol

from kernscope.asm.instruction import Insn
from kernscope.asm.vm.arithmetic import Step, alu_step, jump_step
from kernscope.asm.vm.atomics import atomic_step
from kernscope.asm.vm.kernel_functions import KERNEL_FUNCTIONS
from kernscope.asm.vm.memory import MASK64, VmFault
from kernscope.tables import opcodes
from kernscope.tables.helpers import HELPER_NAMES

if TYPE_CHECKING:
    from kernscope.asm.vm.machine import Machine

__all__ = ["MapReference", "failing_step", "translate"]

_LOW = 0xFFFFFFFF
_UNSET = (None,) * 5
_FORMATS = {opcodes.B: "B", opcodes.H: "H", opcodes.W: "I", opcodes.DW: "Q"}
_SIZES = opcodes.SIZE_BYTES


class MapReference(Protocol):
    """A relocation, of `kernscope.asm.encode` or of a Bundle."""

    @property
    def slot(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def addend(self) -> int: ...


def failing_step(reason: str) -> Step:
    """A step that raises VmFault."""

    def step(r: list[Any]) -> int:
        raise VmFault(reason)

    return step


def translate(machine: "Machine", insns: list[Insn], relocations: Mapping[int, MapReference]) -> list[Step]:
    """Return one step per slot, and one more behind the end."""
    slots = sum(insn.slots() for insn in insns)
    entries: set[int] = set()
    steps: list[Step] = []
    for insn in insns:
        entries.add(len(steps))
        steps.append(_step(machine, insn, len(steps), relocations.get(len(steps)), slots))
        if insn.op == opcodes.LD_IMM64:
            steps.append(failing_step("jump into the middle of a 64-bit load"))
    steps.append(failing_step("runs past the end of the program"))
    return steps


def _step(machine: "Machine", insn: Insn, slot: int, relocation: MapReference | None, slots: int) -> Step:
    if relocation is not None and relocation.kind == "kfunc":
        function = KERNEL_FUNCTIONS.get(relocation.name)
        if function is None:
            return failing_step(
                f"call of the kernel function {relocation.name}, which the machine does not have"
            )
        return _call_helper(machine, function, slot + 1)
    kind = insn.op & opcodes.CLASS_MASK
    step: Step | None
    if kind in (opcodes.ALU, opcodes.ALU64):
        step = _alu(insn, slot + 1)
    elif kind in (opcodes.JMP, opcodes.JMP32):
        step = _jump(machine, insn, slot, slots)
    elif insn.op == opcodes.LD_IMM64:
        step = _load_constant(machine, insn, slot, relocation)
    elif kind == opcodes.LDX:
        step = _load(machine, insn, slot + 1)
    elif kind in (opcodes.ST, opcodes.STX):
        step = _store(machine, insn, slot + 1)
    else:
        step = None
    return step or failing_step(f"opcode {insn.op:#04x} is not known to the machine")


def _alu(insn: Insn, after: int) -> Step | None:
    if insn.op & opcodes.OPERATION_MASK != opcodes.END:
        return alu_step(insn.op, insn.dst, insn.src, insn.off, insn.imm, after)
    if insn.imm not in (16, 32, 64):
        return None
    dst, size = insn.dst, insn.imm // 8
    mask = (1 << insn.imm) - 1
    # The machine is little-endian: to_le only truncates, to_be and bswap are the same.
    if insn.op == opcodes.ALU | opcodes.END | opcodes.TO_LE:

        def truncate(r: list[Any]) -> int:
            r[dst] &= mask
            return after

        return truncate

    def swap(r: list[Any]) -> int:
        r[dst] = int.from_bytes((r[dst] & mask).to_bytes(size, "little"), "big")
        return after

    return swap


def _jump(machine: "Machine", insn: Insn, slot: int, slots: int) -> Step | None:
    operation = insn.op & opcodes.OPERATION_MASK
    if insn.op == opcodes.EXIT_OP:
        return machine.leave
    if insn.op == opcodes.CALL_OP:
        return _call(machine, insn, slot, slots)
    after = slot + 1
    taken = after + (insn.imm if insn.op == opcodes.GOTOL_OP else insn.off)
    if not 0 <= taken < slots:
        return failing_step("jump out of the program")
    if operation == opcodes.JA:
        return lambda r: taken
    if insn.op == opcodes.MAY_GOTO_OP:
        return _may_goto(machine, after, taken)
    return jump_step(insn.op, insn.dst, insn.src, insn.imm, after, taken)


def _may_goto(machine: "Machine", after: int, taken: int) -> Step:
    def step(r: list[Any]) -> int:
        if not machine.loops_left:
            return taken
        machine.loops_left -= 1
        return after

    return step


def _call(machine: "Machine", insn: Insn, slot: int, slots: int) -> Step:
    after = slot + 1
    if insn.src == opcodes.PSEUDO_CALL:
        target = after + insn.imm
        if not 0 <= target < slots:
            return failing_step("call out of the program")
        enter = machine.enter

        def call_function(r: list[Any]) -> int:
            enter(r, after)
            return target

        return call_function
    number = insn.imm
    function = machine.helpers.get(number) if insn.src == 0 else None
    if function is None:
        name = (
            HELPER_NAMES[number] if insn.src == 0 and 0 <= number < len(HELPER_NAMES) else "unknown function"
        )
        return failing_step(f"call {number} ({name}), which the machine does not have")
    return _call_helper(machine, function, after)


def _call_helper(machine: "Machine", function: Callable[..., int], after: int) -> Step:
    # The parameters that a helper names, without the machine; see `helper`.
    used = slice(1, function.__code__.co_argcount)

    def step(r: list[Any]) -> int:
        if None in r[used]:
            raise VmFault("passes a register that was never set to a helper")
        r[0] = function(machine, r[1], r[2], r[3], r[4], r[5]) & MASK64
        r[1:6] = _UNSET
        return after

    return step


def _load_constant(machine: "Machine", insn: Insn, slot: int, relocation: MapReference | None) -> Step:
    dst, after = insn.dst, slot + 2
    if insn.src == 0:
        value = insn.imm & MASK64
    elif insn.src == opcodes.PSEUDO_FUNC:
        value = machine.function_address(slot + 1 + ((insn.imm & _LOW ^ 0x80000000) - 0x80000000))
    elif relocation is None:
        return failing_step("a map reference without a relocation")
    else:
        value = machine.resolve(relocation)

    def step(r: list[Any]) -> int:
        r[dst] = value
        return after

    return step


def _load(machine: "Machine", insn: Insn, after: int) -> Step | None:
    mode, width = insn.op & opcodes.MODE_MASK, insn.op & opcodes.SIZE_MASK
    signed = mode == opcodes.MEMSX
    if mode != opcodes.MEM and (not signed or width == opcodes.DW):
        return None
    dst, src, off, size = insn.dst, insn.src, insn.off, _SIZES[width]
    code = Struct("<" + (_FORMATS[width].lower() if signed else _FORMATS[width]))
    unpack = code.unpack_from
    odd = size - 1
    space = machine.space
    regions = space.regions

    def step(r: list[Any]) -> int:
        address = r[src] + off
        region = regions.get(address >> 32)
        if region is None:
            r[dst] = unpack(space.load_outside(address, size, r[src]))[0] & MASK64
            return after
        at = address & _LOW
        if at + size > region.size or (at & odd and region.aligned):
            if r[src] not in space.casts:
                raise space.fault_for(address, size, False)
            r[dst] = 0
            return after
        r[dst] = unpack(region.data, at)[0] & MASK64
        return after

    return step


def _store(machine: "Machine", insn: Insn, after: int) -> Step | None:
    mode, width = insn.op & opcodes.MODE_MASK, insn.op & opcodes.SIZE_MASK
    by_register = insn.op & opcodes.CLASS_MASK == opcodes.STX
    if mode == opcodes.ATOMIC and by_register:
        return atomic_step(machine.space, insn, after)
    if mode != opcodes.MEM:
        return None
    dst, src, off, size = insn.dst, insn.src, insn.off, _SIZES[width]
    pack = Struct("<" + _FORMATS[width]).pack_into
    mask = (1 << 8 * size) - 1
    constant = insn.imm & mask
    odd = size - 1
    space = machine.space
    regions = space.regions

    def step(r: list[Any]) -> int:
        address = r[dst] + off
        region = regions.get(address >> 32)
        at = address & _LOW
        if region is None or at + size > region.size or not region.writable or (at & odd and region.aligned):
            raise space.fault_for(address, size, True)
        pack(region.data, at, r[src] & mask if by_register else constant)
        return after

    return step

"""Bytes → instructions. The inverse of `encode_insns`: jumps keep their numeric offsets."""

from struct import Struct

from kernscope.asm.instruction import Insn
from kernscope.tables import opcodes

__all__ = ["DecodeError", "decode"]

_SLOT = Struct("<BBhi")


class DecodeError(ValueError):
    """Bytes that are not a sequence of instructions."""


def decode(code: bytes) -> list[Insn]:
    """Decode instruction slots; a 64-bit load becomes one `Insn` whose `imm` is the unsigned 64-bit value.

    Raises DecodeError when the length is not a multiple of 8 or a 64-bit load lacks its second slot.
    """
    if len(code) % 8:
        raise DecodeError(f"{len(code)} bytes are not a whole number of 8-byte slots")
    insns: list[Insn] = []
    slots = _SLOT.iter_unpack(code)
    for op, registers, off, imm in slots:
        if op == opcodes.LD_IMM64:
            second = next(slots, None)
            if second is None or second[:3] != (0, 0, 0):
                raise DecodeError("a 64-bit load without its second slot")
            imm = imm & 0xFFFFFFFF | (second[3] & 0xFFFFFFFF) << 32
        insns.append(Insn(op, registers & 15, registers >> 4, off, imm))
    return insns

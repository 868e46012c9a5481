"""One eBPF instruction, and a constructor for each kind.

Registers are numbers 0-10, operations and sizes the numbers of `kernscope.tables.opcodes`. A `Label` in an
instruction list marks the place before the next instruction; jumps refer to the same object. References that
only the loader or the assembler can fill in (maps, functions) are a `symbol`: a tuple (kind, name, addend)
with kind "map_fd", "map_value", "func" or "kfunc".
"""

from kernscope.tables import opcodes
from kernscope.tables.helpers import HELPER_IDS

__all__ = [
    "Insn",
    "Label",
    "Symbol",
    "alu32",
    "alu32_imm",
    "alu64",
    "alu64_imm",
    "atomic",
    "byteswap",
    "call",
    "call_kfunc",
    "call_local",
    "endian",
    "exit_",
    "jcond",
    "jcond32",
    "jcond32_imm",
    "jcond_imm",
    "jump",
    "ld_func",
    "ld_imm64",
    "ld_map_fd",
    "ld_map_value",
    "ldx",
    "ldxsx",
    "may_goto",
    "mov",
    "mov32",
    "mov32_imm",
    "mov_imm",
    "movsx",
    "movsx32",
    "neg",
    "neg32",
    "signed",
    "st",
    "stx",
]

Symbol = tuple[str, str, int]


class Label:
    """A jump target. Identity is what counts; the name is for reading."""

    __slots__ = ("name",)

    def __init__(self, name: str = "") -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<Label {self.name}>"


class Insn:
    """One instruction: a row of numbers, and what is not yet a number.

    `imm` is signed 32-bit, except for the 64-bit load (`opcodes.LD_IMM64`), where it is the whole 64-bit
    value (signed or unsigned); that instruction takes two slots. `off` counts slots from the one after this.
    Where `target` is set it wins over `off`. `tag` belongs to whoever made the instruction (a source
    position, say).
    """

    __slots__ = ("dst", "imm", "off", "op", "src", "symbol", "tag", "target")

    def __init__(
        self,
        op: int,
        dst: int = 0,
        src: int = 0,
        off: int = 0,
        imm: int = 0,
        target: Label | None = None,
        symbol: Symbol | None = None,
        tag: object = None,
    ) -> None:
        self.op = op
        self.dst = dst
        self.src = src
        self.off = off
        self.imm = imm
        self.target = target
        self.symbol = symbol
        self.tag = tag

    def slots(self) -> int:
        """How many 8-byte slots this takes: 1, or 2 for the 64-bit load."""
        return 2 if self.op == opcodes.LD_IMM64 else 1

    def __repr__(self) -> str:
        rest = "".join(
            f", {name}={getattr(self, name)!r}" for name in ("target", "symbol") if getattr(self, name)
        )
        return f"Insn({self.op:#04x}, {self.dst}, {self.src}, {self.off}, {self.imm}{rest})"


def alu64(op: int, dst: int, src: int) -> Insn:
    """64-bit `dst = dst op src`. For signed DIV and MOD set `off` to 1; `signed` does that."""
    return Insn(opcodes.ALU64 | opcodes.X | op, dst, src)


def alu64_imm(op: int, dst: int, imm: int) -> Insn:
    """64-bit `dst = dst op imm`; the immediate is sign-extended."""
    return Insn(opcodes.ALU64 | op, dst, 0, 0, imm)


def alu32(op: int, dst: int, src: int) -> Insn:
    """32-bit `dst = dst op src`; the upper half of dst becomes zero."""
    return Insn(opcodes.ALU | opcodes.X | op, dst, src)


def alu32_imm(op: int, dst: int, imm: int) -> Insn:
    """32-bit `dst = dst op imm`; the upper half of dst becomes zero."""
    return Insn(opcodes.ALU | op, dst, 0, 0, imm)


def signed(insn: Insn) -> Insn:
    """Turn a DIV or MOD into its signed form (instruction set v4, Linux 6.6) and return it."""
    insn.off = 1
    return insn


def mov(dst: int, src: int) -> Insn:
    """64-bit copy of a register."""
    return Insn(0xBF, dst, src)


def mov_imm(dst: int, imm: int) -> Insn:
    """Load a signed 32-bit constant, sign-extended."""
    return Insn(0xB7, dst, 0, 0, imm)


def mov32(dst: int, src: int) -> Insn:
    """Copy the lower half; the upper half becomes zero."""
    return Insn(0xBC, dst, src)


def mov32_imm(dst: int, imm: int) -> Insn:
    """Load a 32-bit constant; the upper half becomes zero."""
    return Insn(0xB4, dst, 0, 0, imm)


def movsx(bits: int, dst: int, src: int) -> Insn:
    """Sign-extend the low 8, 16 or 32 bits to 64 (instruction set v4, Linux 6.6)."""
    return Insn(0xBF, dst, src, bits)


def movsx32(bits: int, dst: int, src: int) -> Insn:
    """Sign-extend the low 8 or 16 bits to 32; the upper half becomes zero (v4, Linux 6.6)."""
    return Insn(0xBC, dst, src, bits)


def neg(dst: int) -> Insn:
    """64-bit negation."""
    return Insn(opcodes.ALU64 | opcodes.NEG, dst)


def neg32(dst: int) -> Insn:
    """32-bit negation; the upper half becomes zero."""
    return Insn(opcodes.ALU | opcodes.NEG, dst)


def endian(order: int, dst: int, bits: int) -> Insn:
    """Convert the low 16, 32 or 64 bits between host order and `opcodes.TO_LE` or `TO_BE`; zero the rest."""
    return Insn(opcodes.ALU | opcodes.END | order, dst, 0, 0, bits)


def byteswap(dst: int, bits: int) -> Insn:
    """Swap the bytes of the low 16, 32 or 64 bits; zero the rest (instruction set v4, Linux 6.6)."""
    return Insn(opcodes.ALU64 | opcodes.END, dst, 0, 0, bits)


def ld_imm64(dst: int, value: int) -> Insn:
    """Load any 64-bit constant; takes two slots."""
    return Insn(opcodes.LD_IMM64, dst, 0, 0, value)


def ld_map_fd(dst: int, map_name: str) -> Insn:
    """Load the map itself, as helpers take it."""
    return Insn(opcodes.LD_IMM64, dst, opcodes.PSEUDO_MAP_FD, 0, 0, None, ("map_fd", map_name, 0))


def ld_map_value(dst: int, map_name: str, offset: int = 0) -> Insn:
    """Load the address of a byte in an array map's value; the kernel wants it to have one entry."""
    return Insn(opcodes.LD_IMM64, dst, opcodes.PSEUDO_MAP_VALUE, 0, 0, None, ("map_value", map_name, offset))


def ld_func(dst: int, function_name: str) -> Insn:
    """Load the address of a function of the same program, as callback helpers take it."""
    return Insn(opcodes.LD_IMM64, dst, opcodes.PSEUDO_FUNC, 0, 0, None, ("func", function_name, 0))


def ldx(size: int, dst: int, src: int, off: int = 0) -> Insn:
    """`dst = *(size *)(src + off)`, zero-extended. `size` is B, H, W or DW of `opcodes`."""
    return Insn(opcodes.LDX | opcodes.MEM | size, dst, src, off)


def ldxsx(size: int, dst: int, src: int, off: int = 0) -> Insn:
    """The same with sign extension to 64 bits; B, H or W (v4, Linux 6.6)."""
    return Insn(opcodes.LDX | opcodes.MEMSX | size, dst, src, off)


def stx(size: int, dst: int, off: int, src: int) -> Insn:
    """`*(size *)(dst + off) = src`."""
    return Insn(opcodes.STX | opcodes.MEM | size, dst, src, off)


def st(size: int, dst: int, off: int, imm: int) -> Insn:
    """`*(size *)(dst + off) = imm`; the immediate is sign-extended for DW."""
    return Insn(opcodes.ST | opcodes.MEM | size, dst, 0, off, imm)


def atomic(op: int, size: int, dst: int, off: int, src: int) -> Insn:
    """Atomic `*(size *)(dst + off) op= src`; `op` is an ATOMIC_* number, FETCH brings the old value."""
    return Insn(opcodes.STX | opcodes.ATOMIC | size, dst, src, off, op)


def jump(target: Label) -> Insn:
    """Jump always."""
    return Insn(opcodes.JA_OP, 0, 0, 0, 0, target)


def jcond(op: int, dst: int, src: int, target: Label) -> Insn:
    """Jump if the 64-bit registers compare so; `op` is one of JEQ … JSLE."""
    return Insn(opcodes.JMP | opcodes.X | op, dst, src, 0, 0, target)


def jcond_imm(op: int, dst: int, imm: int, target: Label) -> Insn:
    """The same with a constant, sign-extended to 64 bits."""
    return Insn(opcodes.JMP | op, dst, 0, 0, imm, target)


def jcond32(op: int, dst: int, src: int, target: Label) -> Insn:
    """Jump if the lower halves compare so."""
    return Insn(opcodes.JMP32 | opcodes.X | op, dst, src, 0, 0, target)


def jcond32_imm(op: int, dst: int, imm: int, target: Label) -> Insn:
    """Jump if the lower half compares so with a 32-bit constant."""
    return Insn(opcodes.JMP32 | op, dst, 0, 0, imm, target)


def may_goto(target: Label) -> Insn:
    """Jump when the kernel's loop budget of this function is used up (Linux 6.9)."""
    return Insn(opcodes.MAY_GOTO_OP, 0, opcodes.MAY_GOTO, 0, 0, target)


def call(helper: int | str) -> Insn:
    """Call a helper by id or by name (without `bpf_`). KeyError when the name is unknown."""
    return Insn(opcodes.CALL_OP, 0, 0, 0, HELPER_IDS[helper] if isinstance(helper, str) else helper)


def call_local(function_name: str) -> Insn:
    """Call a function of the same program."""
    return Insn(opcodes.CALL_OP, 0, opcodes.PSEUDO_CALL, 0, 0, None, ("func", function_name, 0))


def call_kfunc(name: str, btf_id: int) -> Insn:
    """Call a kernel function, which has this id in the BTF of vmlinux."""
    return Insn(opcodes.CALL_OP, 0, opcodes.PSEUDO_KFUNC_CALL, 0, 0, None, ("kfunc", name, btf_id))


def exit_() -> Insn:
    """Return from the function with r0."""
    return Insn(opcodes.EXIT_OP)

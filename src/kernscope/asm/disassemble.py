"""Bytes → text, in the notation of llvm-objdump and the verifier's log.

One line per instruction: slot number, text, and a comment after `;`. Every byte sequence that `decode` takes
has a text; an opcode outside the instruction set prints as `.insn` with its fields.
"""

from collections.abc import Iterable, Mapping

from kernscope.asm.decode import decode
from kernscope.asm.encode import Relocation
from kernscope.asm.instruction import Insn
from kernscope.tables import opcodes
from kernscope.tables.helpers import HELPER_NAMES

__all__ = ["disassemble", "insn_text"]

_ALU_SIGNS = {
    opcodes.ADD: "+=",
    opcodes.SUB: "-=",
    opcodes.MUL: "*=",
    opcodes.DIV: "/=",
    opcodes.OR: "|=",
    opcodes.AND: "&=",
    opcodes.LSH: "<<=",
    opcodes.RSH: ">>=",
    opcodes.MOD: "%=",
    opcodes.XOR: "^=",
    opcodes.MOV: "=",
    opcodes.ARSH: "s>>=",
}
_JUMP_SIGNS = {
    opcodes.JEQ: "==",
    opcodes.JGT: ">",
    opcodes.JGE: ">=",
    opcodes.JSET: "&",
    opcodes.JNE: "!=",
    opcodes.JSGT: "s>",
    opcodes.JSGE: "s>=",
    opcodes.JLT: "<",
    opcodes.JLE: "<=",
    opcodes.JSLT: "s<",
    opcodes.JSLE: "s<=",
}
_SIZE_NAMES = {opcodes.B: "8", opcodes.H: "16", opcodes.W: "32", opcodes.DW: "64"}
_ATOMIC_SIGNS = {
    opcodes.ATOMIC_ADD: ("+=", "add"),
    opcodes.ATOMIC_OR: ("|=", "or"),
    opcodes.ATOMIC_AND: ("&=", "and"),
    opcodes.ATOMIC_XOR: ("^=", "xor"),
}
_PSEUDO_NAMES = {
    opcodes.PSEUDO_MAP_FD: "map[fd:{low}]",
    opcodes.PSEUDO_MAP_VALUE: "map[fd:{low}][0]+{high}",
    opcodes.PSEUDO_BTF_ID: "btf_id[{low}]+{high}",
    opcodes.PSEUDO_FUNC: "func[{low:+}]",
    opcodes.PSEUDO_MAP_IDX: "map[idx:{low}]",
    opcodes.PSEUDO_MAP_IDX_VALUE: "map[idx:{low}][0]+{high}",
}


def disassemble(
    code: bytes,
    relocations: Iterable[Relocation] | None = None,
    comments: Mapping[int, str] | None = None,
) -> str:
    """Return one line per instruction, numbered by slot.

    relocations: as `assemble` made them; they give maps and functions their names.
    comments: text by slot number, put at the end of the line.
    Raises DecodeError for bytes that are no instruction sequence.
    """
    names = {relocation.slot: relocation for relocation in relocations or ()}
    notes = comments or {}
    lines: list[str] = []
    slot = 0
    for insn in decode(code):
        text = insn_text(insn, names.get(slot))
        note = notes.get(slot)
        lines.append(f"{slot:4}: {text}" if note is None else f"{slot:4}: {text:<40} ; {note}")
        slot += insn.slots()
    return "\n".join(lines) + "\n" if lines else ""


def insn_text(insn: Insn, relocation: Relocation | None = None) -> str:
    """Return the text of one instruction whose jump, if it is one, has its numeric offset."""
    text = _BY_CLASS[insn.op & opcodes.CLASS_MASK](insn, relocation)
    if text is not None:
        return text
    return f".insn {insn.op:#04x}, r{insn.dst}, r{insn.src}, {insn.off}, {insn.imm}"


def _alu(insn: Insn, _: Relocation | None) -> str | None:
    wide = insn.op & opcodes.CLASS_MASK == opcodes.ALU64
    register = "r" if wide else "w"
    operation = insn.op & opcodes.OPERATION_MASK
    dst = f"{register}{insn.dst}"
    if operation == opcodes.NEG:
        return f"{dst} = -{dst}"
    if operation == opcodes.END:
        return _byte_order(insn, wide)
    sign = _ALU_SIGNS.get(operation)
    if sign is None:
        return None
    by_register = insn.op & opcodes.X
    if operation == opcodes.MOV and insn.off and by_register:
        return f"{dst} = (s{insn.off}){register}{insn.src}"
    if insn.off == 1 and operation in (opcodes.DIV, opcodes.MOD):
        sign = "s" + sign
    return f"{dst} {sign} {register}{insn.src}" if by_register else f"{dst} {sign} {insn.imm}"


def _byte_order(insn: Insn, wide: bool) -> str:
    if wide:
        name = "bswap"
    else:
        name = "be" if insn.op & opcodes.TO_BE else "le"
    return f"r{insn.dst} = {name}{insn.imm} r{insn.dst}"


def _jump(insn: Insn, relocation: Relocation | None) -> str | None:
    wide = insn.op & opcodes.CLASS_MASK == opcodes.JMP
    operation = insn.op & opcodes.OPERATION_MASK
    if operation == opcodes.JA:
        return f"goto {insn.off:+}" if wide else f"gotol {insn.imm:+}"
    if wide and operation == opcodes.EXIT:
        return "exit"
    if wide and operation == opcodes.CALL:
        return _call(insn, relocation)
    if wide and operation == opcodes.JCOND:
        return f"may_goto {insn.off:+}"
    sign = _JUMP_SIGNS.get(operation)
    if sign is None:
        return None
    register = "r" if wide else "w"
    right = f"{register}{insn.src}" if insn.op & opcodes.X else str(insn.imm)
    return f"if {register}{insn.dst} {sign} {right} goto {insn.off:+}"


def _call(insn: Insn, relocation: Relocation | None) -> str:
    if insn.op & opcodes.X:
        return f"callx r{insn.dst}"
    name = relocation.name if relocation is not None else None
    if insn.src == opcodes.PSEUDO_CALL:
        return f"call {insn.imm:+}" + (f" /* {name} */" if name else "")
    if insn.src == opcodes.PSEUDO_KFUNC_CALL:
        return f"call kernel {insn.imm}" + (f" /* {name} */" if name else "")
    if 0 < insn.imm < len(HELPER_NAMES):
        return f"call {insn.imm} /* {HELPER_NAMES[insn.imm]} */"
    return f"call {insn.imm}"


def _place(insn: Insn, base: int) -> str:
    return f"r{base} - {-insn.off}" if insn.off < 0 else f"r{base} + {insn.off}"


def _ld(insn: Insn, relocation: Relocation | None) -> str | None:
    size = _SIZE_NAMES[insn.op & opcodes.SIZE_MASK]
    mode = insn.op & opcodes.MODE_MASK
    if mode == opcodes.ABS:
        return f"r0 = *(u{size} *)skb[{insn.imm}]"
    if mode == opcodes.IND:
        return f"r0 = *(u{size} *)skb[r{insn.src} + {insn.imm}]"
    if insn.op != opcodes.LD_IMM64:
        return None
    if relocation is not None:
        place = f" + {relocation.addend}" if relocation.kind == "map_value" else ""
        return f"r{insn.dst} = {relocation.kind} {relocation.name}{place} ll"
    pseudo = _PSEUDO_NAMES.get(insn.src)
    if pseudo is None:
        return f"r{insn.dst} = {insn.imm & 0xFFFFFFFFFFFFFFFF:#x} ll"
    low = (insn.imm & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
    return f"r{insn.dst} = {pseudo.format(low=low, high=insn.imm >> 32 & 0xFFFFFFFF)} ll"


def _ldx(insn: Insn, _: Relocation | None) -> str | None:
    mode = insn.op & opcodes.MODE_MASK
    if mode not in (opcodes.MEM, opcodes.MEMSX):
        return None
    sign = "u" if mode == opcodes.MEM else "s"
    size = _SIZE_NAMES[insn.op & opcodes.SIZE_MASK]
    return f"r{insn.dst} = *({sign}{size} *)({_place(insn, insn.src)})"


def _st(insn: Insn, _: Relocation | None) -> str | None:
    if insn.op & opcodes.MODE_MASK != opcodes.MEM:
        return None
    return f"*(u{_SIZE_NAMES[insn.op & opcodes.SIZE_MASK]} *)({_place(insn, insn.dst)}) = {insn.imm}"


def _stx(insn: Insn, _: Relocation | None) -> str | None:
    size = _SIZE_NAMES[insn.op & opcodes.SIZE_MASK]
    mode = insn.op & opcodes.MODE_MASK
    place = _place(insn, insn.dst)
    register = "r" if size == "64" else "w"
    if mode == opcodes.MEM:
        return f"*(u{size} *)({place}) = r{insn.src}"
    if mode != opcodes.ATOMIC:
        return None
    if insn.imm == opcodes.LOAD_ACQ:
        return f"{register}{insn.dst} = load_acquire((u{size} *)({_place(insn, insn.src)}))"
    if insn.imm == opcodes.STORE_REL:
        return f"store_release((u{size} *)({place}), {register}{insn.src})"
    # llvm spells the 32-bit exchange xchg32_32 and the 64-bit one xchg_64.
    suffix = "_64" if size == "64" else f"{size}_{size}"
    if insn.imm == opcodes.ATOMIC_XCHG:
        return f"{register}{insn.src} = xchg{suffix}({place}, {register}{insn.src})"
    if insn.imm == opcodes.ATOMIC_CMPXCHG:
        return f"{register}0 = cmpxchg{suffix}({place}, {register}0, {register}{insn.src})"
    signs = _ATOMIC_SIGNS.get(insn.imm & ~opcodes.FETCH)
    if signs is None:
        return None
    if insn.imm & opcodes.FETCH:
        source = f"{register}{insn.src}"
        return f"{source} = atomic_fetch_{signs[1]}((u{size} *)({place}), {source})"
    return f"lock *(u{size} *)({place}) {signs[0]} {register}{insn.src}"


_BY_CLASS = {
    opcodes.LD: _ld,
    opcodes.LDX: _ldx,
    opcodes.ST: _st,
    opcodes.STX: _stx,
    opcodes.ALU: _alu,
    opcodes.ALU64: _alu,
    opcodes.JMP: _jump,
    opcodes.JMP32: _jump,
}

"""Numbers of the eBPF instruction set.

Source: RFC 9669 ("BPF Instruction Set Architecture"), Documentation/bpf/standardization/instruction-set.rst
and include/uapi/linux/bpf.h of Linux 6.12. The names are the kernel's without the `BPF_` prefix, because
they are always used qualified: `opcodes.ALU64`.
"""

# The low three bits of an opcode: the instruction class.
LD = 0x00
LDX = 0x01
ST = 0x02
STX = 0x03
ALU = 0x04
JMP = 0x05
JMP32 = 0x06
ALU64 = 0x07
CLASS_MASK = 0x07

# Bit 3 of arithmetic and jump opcodes: the second operand is the immediate (K) or the source register (X).
K = 0x00
X = 0x08

# Bits 4-7 of arithmetic opcodes.
ADD = 0x00
SUB = 0x10
MUL = 0x20
DIV = 0x30
OR = 0x40
AND = 0x50
LSH = 0x60
RSH = 0x70
NEG = 0x80
MOD = 0x90
XOR = 0xA0
MOV = 0xB0
ARSH = 0xC0
END = 0xD0
OPERATION_MASK = 0xF0

# The byte order that END converts to, in the place of K and X. ALU64 with TO_LE swaps unconditionally.
TO_LE = 0x00
TO_BE = 0x08

# Bits 4-7 of jump opcodes.
JA = 0x00
JEQ = 0x10
JGT = 0x20
JGE = 0x30
JSET = 0x40
JNE = 0x50
JSGT = 0x60
JSGE = 0x70
CALL = 0x80
EXIT = 0x90
JLT = 0xA0
JLE = 0xB0
JSLT = 0xC0
JSLE = 0xD0
JCOND = 0xE0

# Bits 3-4 of load and store opcodes: the width.
W = 0x00
H = 0x08
B = 0x10
DW = 0x18
SIZE_MASK = 0x18

# Bits 5-7 of load and store opcodes: the mode.
IMM = 0x00
ABS = 0x20
IND = 0x40
MEM = 0x60
MEMSX = 0x80
ATOMIC = 0xC0
MODE_MASK = 0xE0

# The immediate of an ATOMIC store.
ATOMIC_ADD = 0x00
ATOMIC_OR = 0x40
ATOMIC_AND = 0x50
ATOMIC_XOR = 0xA0
FETCH = 0x01
ATOMIC_XCHG = 0xE1
ATOMIC_CMPXCHG = 0xF1
LOAD_ACQ = 0x100
STORE_REL = 0x110

# The source register field of LD | IMM | DW: what the 64-bit immediate refers to.
PSEUDO_MAP_FD = 1
PSEUDO_MAP_VALUE = 2
PSEUDO_BTF_ID = 3
PSEUDO_FUNC = 4
PSEUDO_MAP_IDX = 5
PSEUDO_MAP_IDX_VALUE = 6

# The source register field of a call: 0 is a helper.
PSEUDO_CALL = 1
PSEUDO_KFUNC_CALL = 2

# The source register field of JCOND.
MAY_GOTO = 0

# Whole opcodes that are compared often.
LD_IMM64 = LD | IMM | DW
CALL_OP = JMP | CALL
EXIT_OP = JMP | EXIT
JA_OP = JMP | JA
GOTOL_OP = JMP32 | JA
MAY_GOTO_OP = JMP | JCOND

SIZE_BYTES = {B: 1, H: 2, W: 4, DW: 8}

STACK_BYTES = 512
MAX_CALL_FRAMES = 8
# An iteration limit of bpf_loop and, where the architecture has no timed variant, of may_goto.
MAX_LOOPS = 8 * 1024 * 1024

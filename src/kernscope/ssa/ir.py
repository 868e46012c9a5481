"""The intermediate form: modules, functions, blocks and values in static single assignment.

Every value is 64 bits wide. A value is the instruction that computes it. Constants, map references, function
references and frame addresses *float*: they belong to no block, exist once per function, and are materialised
by the register allocator where they are used, which costs one instruction and never a spill.

No def-use chains are kept. A pass walks the blocks in reverse postorder, rewrites arguments through
`Value.fwd` (set on a replaced value) as it meets them, and so sees every definition before its uses; only phi
arguments along back edges need a second look (`Function.forward_phis`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` and `collections.abc` cost as much start-up time as this whole room
    from collections.abc import Iterator
    from typing import Protocol
else:
    Protocol = object

__all__ = [
    "COND_NAMES",
    "NEGATED",
    "NO_RESULT",
    "OPS",
    "POINTER",
    "SCALAR",
    "SWAPPED",
    "Block",
    "Cond",
    "FrameSlot",
    "Function",
    "Module",
    "Op",
    "OpRow",
    "Value",
    "resolve",
    "s64",
]

SCALAR = 0
POINTER = 1
NO_RESULT = 2
ANY = 3  # the creator decides, per value


class Cond:
    """Comparison conditions; SET is `x & y != 0` and has no negation."""

    EQ = 0
    NE = 1
    ULT = 2
    ULE = 3
    UGT = 4
    UGE = 5
    SLT = 6
    SLE = 7
    SGT = 8
    SGE = 9
    SET = 10


COND_NAMES = ("eq", "ne", "ult", "ule", "ugt", "uge", "slt", "sle", "sgt", "sge", "set")
#: Indexed by condition: the one that is true exactly when this is false (-1: none).
NEGATED = (1, 0, 5, 4, 3, 2, 9, 8, 7, 6, -1)
#: Indexed by condition: the one with the same meaning after exchanging the operands.
SWAPPED = (0, 1, 4, 5, 2, 3, 8, 9, 6, 7, 10)


class Op:
    """Operation numbers; the meaning of each is its row in `OPS`."""

    CONST = 0
    MAP_FD = 1
    MAP_VALUE = 2
    FUNC_REF = 3
    FRAME_ADDR = 4
    PARAM = 5
    PHI = 6
    ADD = 7
    SUB = 8
    MUL = 9
    UDIV = 10
    SDIV = 11
    UMOD = 12
    SMOD = 13
    AND = 14
    OR = 15
    XOR = 16
    SHL = 17
    LSHR = 18
    ASHR = 19
    NEG = 20
    ZEXT = 21
    SEXT = 22
    OPAQUE = 23
    BSWAP = 24
    CMP = 25
    SELECT = 26
    SELECT_CMP = 27
    PTR_ADD = 28
    LOAD = 29
    STORE = 30
    ATOMIC = 31
    CALL = 32
    CALL_FUNC = 33
    CALL_KFUNC = 34
    JUMP = 35
    BRANCH = 36
    BRANCH_CMP = 37
    MAY_GOTO = 38
    RET = 39


class OpRow:
    """What one operation is.

    `kind`: of the result. `effects`: must be kept and kept in order. `pure`: equal arguments give equal
    results, so that it may be shared. `foldable`: computable at compile time from constants. `note`: how
    the fields `imm`, `aux` and `width` are used, and what the kernel's verifier makes of it.
    """

    __slots__ = ("effects", "foldable", "kind", "name", "note", "pure")

    def __init__(self, name: str, kind: int, effects: bool, pure: bool, foldable: bool, note: str) -> None:
        self.name = name
        self.kind = kind
        self.effects = effects
        self.pure = pure
        self.foldable = foldable
        self.note = note


_MATH = (SCALAR, False, True, True)
OPS: tuple[OpRow, ...] = (
    OpRow("const", SCALAR, False, True, True, "imm: the value, signed 64-bit"),
    OpRow("map_fd", POINTER, False, True, False, "aux: map name"),
    OpRow("map_value", POINTER, False, True, False, "aux: map name, imm: offset into its only element"),
    OpRow("func_ref", POINTER, False, True, False, "aux: Function, for helpers that take a callback"),
    OpRow("frame_addr", POINTER, False, True, False, "aux: FrameSlot, imm: offset in it"),
    OpRow("param", ANY, False, True, False, "imm: index; arrives in r1 to r5"),
    OpRow("phi", ANY, False, False, False, "args follow Block.preds"),
    OpRow("add", *_MATH, "width 32: the upper half of the result is zero"),
    OpRow("sub", *_MATH, "width as add"),
    OpRow("mul", *_MATH, "width as add"),
    OpRow("udiv", *_MATH, "x / 0 = 0"),
    OpRow("sdiv", *_MATH, "rounds towards zero, x / 0 = 0, the overflow wraps"),
    OpRow("umod", *_MATH, "x % 0 = x; the verifier knows no bound of the result"),
    OpRow("smod", *_MATH, "sign of the dividend, x % 0 = x"),
    OpRow("and", *_MATH, "width as add; a mask is what bounds a value for the verifier: never dropped"),
    OpRow("or", *_MATH, "width as add"),
    OpRow("xor", *_MATH, "width as add"),
    OpRow("shl", *_MATH, "the low 6 bits of the count (5 at width 32)"),
    OpRow("lshr", *_MATH, "the low 6 bits of the count"),
    OpRow("ashr", *_MATH, "the low 6 bits of the count"),
    OpRow("neg", *_MATH, "width as add"),
    OpRow("zext", *_MATH, "width: low bits kept"),
    OpRow("sext", *_MATH, "width: low bits kept; two shifts before ISA v4"),
    OpRow("opaque", SCALAR, False, True, False, "the same bits; the verifier forgets what it knew of them"),
    OpRow("bswap", *_MATH, "width: bytes of the low 16, 32 or 64 bits reversed, the rest zero"),
    OpRow("cmp", SCALAR, False, True, True, "imm: condition; 0 or 1"),
    OpRow("select", ANY, False, True, False, "args c, x, y: x if c is not 0, else y"),
    OpRow("select_cmp", ANY, False, True, False, "imm: condition; args a, b, x, y"),
    OpRow("ptr_add", POINTER, False, True, False, "args pointer, scalar the verifier can bound"),
    OpRow("load", ANY, False, False, False, "width; imm: offset; aux: (signed, volatile)"),
    OpRow("store", NO_RESULT, True, False, False, "width; imm: offset; args pointer, value"),
    OpRow("atomic", ANY, True, False, False, "width; imm: offset; aux: (name, fetch); args pointer, value…"),
    OpRow("call", ANY, True, False, False, "imm: helper id"),
    OpRow("call_func", ANY, True, False, False, "aux: Function"),
    OpRow("call_kfunc", ANY, True, False, False, "aux: kernel function's name, imm: its BTF id"),
    OpRow("jump", NO_RESULT, True, False, False, "targets: 1"),
    OpRow("branch", NO_RESULT, True, False, False, "args c; targets: c is not 0, c is 0"),
    OpRow("branch_cmp", NO_RESULT, True, False, False, "imm: condition; args a, b; targets: true, false"),
    OpRow("may_goto", NO_RESULT, True, False, False, "targets: exhausted, next; takes 16 bytes of the frame"),
    OpRow("ret", NO_RESULT, True, False, False, "args value"),
)


def s64(n: int) -> int:
    """`n` wrapped to a signed 64-bit integer."""
    return ((n + 0x8000_0000_0000_0000) & 0xFFFF_FFFF_FFFF_FFFF) - 0x8000_0000_0000_0000


class Value:
    """One instruction and its result. `fwd` is the value that replaced this one, if any."""

    __slots__ = ("args", "aux", "block", "fwd", "id", "imm", "kind", "op", "tag", "targets", "width")

    def __init__(
        self,
        ident: int,
        op: int,
        args: list[Value],
        kind: int,
        imm: int = 0,
        aux: object = None,
        width: int = 64,
        tag: object = None,
    ) -> None:
        self.id = ident
        self.op = op
        self.args = args
        self.kind = kind
        self.imm = imm
        self.aux = aux
        self.width = width
        self.tag = tag
        self.block: Block | None = None
        self.fwd: Value | None = None
        self.targets: list[Block] = _NO_TARGETS

    def __repr__(self) -> str:
        return f"<Value v{self.id} {OPS[self.op].name}>"


class Block:
    """Phis, then instructions, then one terminator. `likely`: False where control rarely comes."""

    __slots__ = (
        "depth",
        "dominated",
        "function",
        "id",
        "idom",
        "insns",
        "likely",
        "name",
        "order",
        "phis",
        "preds",
        "term",
    )

    def __init__(self, function: Function, ident: int, name: str) -> None:
        self.function = function
        self.id = ident
        self.name = name
        self.phis: list[Value] = []
        self.insns: list[Value] = []
        self.term: Value | None = None
        self.preds: list[Block] = []
        self.likely = True
        self.order = -1  # position in reverse postorder, set by analyses
        self.depth = 0  # loop depth, set by analyses
        self.idom: Block | None = None  # set by analyses
        self.dominated = (
            0,
            -1,
        )  # numbers of the blocks that this one dominates, its own first; set with idom

    @property
    def succs(self) -> list[Block]:
        """The blocks that control may go to next."""
        return self.term.targets if self.term is not None else []

    def __repr__(self) -> str:
        return f"<Block {self.name}.{self.id}>"


_NO_TARGETS: list[Block] = []


class _Finisher(Protocol):
    def finish(self) -> None: ...


class FrameSlot:
    """An object on the stack. `offset` is relative to r10, set by frame layout."""

    __slots__ = ("align", "id", "offset", "size")

    def __init__(self, ident: int, size: int, align: int) -> None:
        self.id = ident
        self.size = size
        self.align = align
        self.offset = 0


class Function:
    """A main program or a subprogram (callback) with up to five parameters."""

    __slots__ = (
        "_next_block",
        "_next_value",
        "blocks",
        "builder",
        "floating",
        "module",
        "name",
        "params",
        "slots",
    )

    def __init__(self, module: Module, name: str, params: int) -> None:
        if not 0 <= params <= 5:
            raise ValueError(f"a BPF function takes 0 to 5 parameters, not {params}")
        self.module = module
        self.name = name
        self.params: list[Value | None] = [None] * params
        self.blocks: list[Block] = []
        self.slots: list[FrameSlot] = []
        self.floating: dict[tuple[int, int, object], Value] = {}
        self.builder: _Finisher | None = None  # has blocks to seal before the function is complete
        self._next_value = 0
        self._next_block = 0
        self.new_block("entry")

    @property
    def entry(self) -> Block:
        """The first block; it has no predecessors."""
        return self.blocks[0]

    def new_block(self, name: str = "") -> Block:
        """A new empty block at the end of the function."""
        block = Block(self, self._next_block, name or "b")
        self._next_block += 1
        self.blocks.append(block)
        return block

    def new_value(
        self,
        op: int,
        args: list[Value],
        kind: int,
        imm: int = 0,
        aux: object = None,
        width: int = 64,
        tag: object = None,
    ) -> Value:
        """A new value in no block yet."""
        ident = self._next_value
        self._next_value = ident + 1
        return Value(ident, op, args, kind, imm, aux, width, tag)

    def const(self, n: int) -> Value:
        """The constant `n`, wrapped to 64 bits."""
        if not -0x8000_0000_0000_0000 <= n <= 0x7FFF_FFFF_FFFF_FFFF:
            n = s64(n)
        value = self.floating.get((0, n, None))
        if value is None:
            value = self.floating[(0, n, None)] = self.new_value(0, [], SCALAR, n)
        return value

    def float_value(self, op: int, imm: int, aux: object) -> Value:
        """The one floating value with these fields: map, function or frame reference."""
        key = (op, imm, aux)
        value = self.floating.get(key)
        if value is None:
            value = self.floating[key] = self.new_value(op, [], OPS[op].kind, imm, aux)
        return value

    def values(self) -> Iterator[Value]:
        """All placed values: phis, instructions and terminators, block by block."""
        for block in self.blocks:
            yield from block.phis
            yield from block.insns
            if block.term is not None:
                yield block.term

    @property
    def value_count(self) -> int:
        """An upper bound of value ids."""
        return self._next_value

    def forward_phis(self) -> None:
        """Send phi arguments through `fwd`; the last step of each pass that replaces values."""
        for block in self.blocks:
            for phi in block.phis:
                args = phi.args
                for i, arg in enumerate(args):
                    if arg.fwd is not None:
                        args[i] = resolve(arg)


class Module:
    """One BPF program: a main function and the subprograms it calls or passes as callbacks.

    `features`: what the target kernel has beyond 5.8: "v4" (ISA v4 instructions), "may_goto", "atomics"
    (atomics other than a plain add).
    """

    __slots__ = ("features", "functions", "name")

    def __init__(self, name: str, features: set[str] | frozenset[str] = frozenset()) -> None:
        self.name = name
        self.features = set(features)
        self.functions: list[Function] = []

    def new_function(self, name: str, params: int = 1) -> Function:
        """A new function; the first one is the main program."""
        function = Function(self, name, params)
        self.functions.append(function)
        return function


def resolve(value: Value) -> Value:
    """What `value` was finally replaced by (itself, if it was not)."""
    end = value
    while end.fwd is not None:
        end = end.fwd
    while value.fwd is not None and value.fwd is not end:  # path compression keeps chains short
        following = value.fwd
        value.fwd = end
        value = following
    return end

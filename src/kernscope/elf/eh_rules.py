"""The rules of one function: executes the call frame instructions of DWARF 5, section 6.4.2, for x86-64.

`kernscope.elf.eh_frame` says what a rule is and how rows hold it; the constants are here.
"""

from kernscope.elf.eh_pointers import leb128

__all__ = [
    "CFA_AT_RBP",
    "CFA_RBP",
    "CFA_RSP",
    "END",
    "NOTHING",
    "PLT",
    "RBP_AT_RBP",
    "SIGNAL",
    "UNSUPPORTED",
    "Rules",
    "unpack",
    "word",
]

END = 0
"""Nobody called: the first function of a thread."""
CFA_RSP = 1
"""The CFA is rsp plus the offset."""
CFA_RBP = 2
"""The CFA is rbp plus the offset."""
CFA_AT_RBP = 3
"""The CFA is the word at rbp plus the offset (functions that align their stack)."""
PLT = 4
"""The CFA is rsp plus 8, and plus 8 more from byte 11 of each 16-byte entry on (procedure linkage tables)."""
SIGNAL = 5
"""A signal interrupted what comes next: its registers are in the `ucontext` at rsp."""
UNSUPPORTED = 6
"""Described in a way that is not understood here; frame pointers may still help."""
NOTHING = 7
"""No function is described here."""

RBP_AT_RBP = 0xFF
"""Place of rbp: the word at rbp itself, whatever the CFA."""


_MOST_STATES = 64
_MOST_ROWS = 1 << 20
"""Nested DW_CFA_remember_state; compilers use one or two."""

_RSP, _RBP, _RETURN = 7, 6, 16
"""DWARF's numbers of the registers (System V ABI for x86-64, figure 3.36)."""

_DW_OP_BREG0, _DW_OP_DEREF = 0x70, 0x06
_PLT_EXPRESSION = bytes.fromhex("77 08 80 00 3f 1a 3b 2a 33 24 22")
"""What linkers write for `.plt`: breg7 8, breg16 0, lit15, and, lit11, ge, lit3, shl, plus."""


def unpack(row: int) -> tuple[int, int, int]:
    """(kind, CFA offset, rbp's place in words below the CFA) of a row."""
    offset = row >> 32 & 0xFFFF
    return row >> 56, offset - (offset >> 15 << 16), row >> 48 & 0xFF


def word(kind: int, offset: int, rbp: int) -> int:
    """The upper half of a row."""
    if not -0x8000 <= offset <= 0x7FFF or not 0 <= rbp <= 0xFF:
        return UNSUPPORTED << 24
    return kind << 24 | rbp << 16 | offset & 0xFFFF


class Rules:
    """Executes the program of one function: registers of the machine that DWARF section 6.4 describes."""

    __slots__ = (
        "address",
        "code_align",
        "content",
        "data_align",
        "initial",
        "kind",
        "offset",
        "rbp",
        "root",
        "rows",
        "saved",
    )

    def __init__(self, content: bytes, start: int, code_align: int, data_align: int) -> None:
        self.content, self.address = content, start
        self.code_align, self.data_align = code_align, data_align
        self.kind, self.offset, self.rbp, self.root = CFA_RSP, 8, 0, False
        self.rows: list[tuple[int, int]] = []
        self.saved: list[tuple[int, int, int, bool]] = []
        self.initial = (CFA_RSP, 8, 0, False)

    def begin(self) -> None:
        """The common part is done: what DW_CFA_restore goes back to."""
        self.initial = (self.kind, self.offset, self.rbp, self.root)
        self.rows.clear()

    def finish(self, end: int) -> list[tuple[int, int]]:
        """All rules in order; later ones of the same address replace earlier ones."""
        self._emit()
        rows: list[tuple[int, int]] = []
        for address, word in self.rows:
            if address >= end:
                break
            if rows and rows[-1][0] == address:
                rows[-1] = (address, word)
            elif not rows or rows[-1][1] != word:
                rows.append((address, word))
        return rows

    def give_up(self) -> None:
        """What comes from here on is not understood; what came before is."""
        self.kind, self.root = UNSUPPORTED, False

    def _emit(self) -> None:
        self.rows.append((self.address, 0 if self.root else word(self.kind, self.offset, self.rbp)))

    def _advance(self, delta: int) -> None:
        if len(self.rows) > _MOST_ROWS:
            raise ValueError("a function has more rules than any has")
        self._emit()
        self.address += delta * self.code_align

    def run(self, at: int, end: int) -> None:
        """Execute the instructions between two places of the section. ValueError: one is not known."""
        content = self.content
        while at < end:
            byte = content[at]
            at += 1
            low = byte & 0x3F
            if byte >= 0xC0:
                self._restore(low)
            elif byte >= 0x80:
                value, at = leb128(content, at, end)
                self._kept(low, value * self.data_align)
            elif byte >= 0x40:
                self._advance(low)
            else:
                instruction = _INSTRUCTIONS.get(byte)
                if instruction is None:
                    raise ValueError("an instruction is not known")
                at = instruction(self, at, end)

    def _restore(self, register: int) -> None:
        if register == _RBP:
            self.rbp = self.initial[2]
        elif register == _RETURN:
            self.root = self.initial[3]

    def _kept(self, register: int, offset: int) -> None:
        if register == _RBP:
            if offset >= 0 or offset % 8:
                raise ValueError("rbp is kept in an odd place")
            self.rbp = -offset // 8
        elif register == _RETURN:
            self.root = False
            if offset != -8:
                raise ValueError("the return address is not below the CFA")

    def _base(self, register: int) -> None:
        # Another register holds the CFA for a few instructions of functions that align their stack.
        self.kind = {_RSP: CFA_RSP, _RBP: CFA_RBP}.get(register, UNSUPPORTED)

    # --- one method per instruction: each reads its operands from `at` on, and returns where the next one is ---

    def nop(self, at: int, end: int) -> int:
        return at

    def advance1(self, at: int, end: int) -> int:
        self._advance(self.content[at])
        return at + 1

    def advance2(self, at: int, end: int) -> int:
        self._advance(int.from_bytes(self.content[at : at + 2], "little"))
        return at + 2

    def advance4(self, at: int, end: int) -> int:
        self._advance(int.from_bytes(self.content[at : at + 4], "little"))
        return at + 4

    def offset_extended(self, at: int, end: int) -> int:
        register, at = leb128(self.content, at, end)
        value, at = leb128(self.content, at, end)
        self._kept(register, value * self.data_align)
        return at

    def offset_extended_sf(self, at: int, end: int) -> int:
        register, at = leb128(self.content, at, end)
        value, at = leb128(self.content, at, end, signed=True)
        self._kept(register, value * self.data_align)
        return at

    def restore_extended(self, at: int, end: int) -> int:
        register, at = leb128(self.content, at, end)
        self._restore(register)
        return at

    def undefined(self, at: int, end: int) -> int:
        register, at = leb128(self.content, at, end)
        if register == _RETURN:
            self.root = True
        return at

    def same_value(self, at: int, end: int) -> int:
        register, at = leb128(self.content, at, end)
        if register == _RBP:
            self.rbp = 0
        return at

    def register(self, at: int, end: int) -> int:
        register, at = leb128(self.content, at, end)
        _, at = leb128(self.content, at, end)
        if register in (_RBP, _RETURN):
            raise ValueError("kept in a register")
        return at

    def remember(self, at: int, end: int) -> int:
        if len(self.saved) >= _MOST_STATES:
            raise ValueError("too many remembered states")
        self.saved.append((self.kind, self.offset, self.rbp, self.root))
        return at

    def recall(self, at: int, end: int) -> int:
        if not self.saved:
            raise ValueError("no state was remembered")
        self.kind, self.offset, self.rbp, self.root = self.saved.pop()
        return at

    def def_cfa(self, at: int, end: int) -> int:
        register, at = leb128(self.content, at, end)
        self.offset, at = leb128(self.content, at, end)
        self._base(register)
        return at

    def def_cfa_sf(self, at: int, end: int) -> int:
        register, at = leb128(self.content, at, end)
        value, at = leb128(self.content, at, end, signed=True)
        self.offset = value * self.data_align
        self._base(register)
        return at

    def def_cfa_register(self, at: int, end: int) -> int:
        register, at = leb128(self.content, at, end)
        self._base(register)
        return at

    def def_cfa_offset(self, at: int, end: int) -> int:
        self.offset, at = leb128(self.content, at, end)
        return at

    def def_cfa_offset_sf(self, at: int, end: int) -> int:
        value, at = leb128(self.content, at, end, signed=True)
        self.offset = value * self.data_align
        return at

    def def_cfa_expression(self, at: int, end: int) -> int:
        size, at = leb128(self.content, at, end)
        self.kind, self.offset = _cfa_expression(self.content[at : min(at + size, end)])
        return at + size

    def expression(self, at: int, end: int) -> int:
        register, at = leb128(self.content, at, end)
        size, at = leb128(self.content, at, end)
        expression = self.content[at : min(at + size, end)]
        if register == _RBP:
            # In functions that align their stack rbp is kept where rbp points: only known while rbp is the base.
            if expression != bytes((_DW_OP_BREG0 + _RBP, 0)):
                raise ValueError("rbp is kept in a place that is computed")
            self.rbp = RBP_AT_RBP
        elif register == _RETURN:
            raise ValueError("the return address is kept in a place that is computed")
        return at + size

    def gnu_args_size(self, at: int, end: int) -> int:
        _, at = leb128(self.content, at, end)
        return at


def _cfa_expression(expression: bytes) -> tuple[int, int]:
    if expression == _PLT_EXPRESSION:
        return PLT, 8
    if expression[:1] == bytes((_DW_OP_BREG0 + _RBP,)) and expression[-1:] == bytes((_DW_OP_DEREF,)):
        offset, at = leb128(expression, 1, len(expression), signed=True)
        if at == len(expression) - 1:
            return CFA_AT_RBP, offset
    return UNSUPPORTED, 0


_R = Rules
_INSTRUCTIONS = {
    0x00: _R.nop, 0x02: _R.advance1, 0x03: _R.advance2, 0x04: _R.advance4, 0x05: _R.offset_extended,
    0x06: _R.restore_extended, 0x07: _R.undefined, 0x08: _R.same_value, 0x09: _R.register, 0x0A: _R.remember,
    0x0B: _R.recall, 0x0C: _R.def_cfa, 0x0D: _R.def_cfa_register, 0x0E: _R.def_cfa_offset,
    0x0F: _R.def_cfa_expression, 0x10: _R.expression, 0x11: _R.offset_extended_sf, 0x12: _R.def_cfa_sf,
    0x13: _R.def_cfa_offset_sf, 0x16: _R.expression, 0x2E: _R.gnu_args_size,
}  # fmt: skip
"""DW_CFA_* (DWARF 5, section 7.24) → what executes it; others make their function UNSUPPORTED."""

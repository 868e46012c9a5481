"""Where instructions begin, so that no probe is put into the middle of one.

On x86-64 instructions have 1 to 15 bytes; their lengths are told by prefixes, opcode, ModRM and immediate operands.
Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapter 2 and appendix A.
"""

__all__ = ["begins_instruction", "steps_badly", "x86_length"]

_EM_X86_64, _EM_AARCH64 = 62, 183
_PREFIXES = frozenset(b"\x66\x67\xf2\xf3\x2e\x36\x3e\x26\x64\x65\xf0")


def _set(text: str) -> frozenset[int]:
    """`70-73 a4`: numbers and ranges in hex."""
    found: set[int] = set()
    for part in text.split():
        first, _, last = part.partition("-")
        found.update(range(int(first, 16), int(last or first, 16) + 1))
    return frozenset(found)


_ARITHMETIC = frozenset(base + i for base in range(0, 0x40, 8) for i in range(4))
_INVALID = _set("06 07 0e 16 17 1e 1f 27 2f 37 3f 60 61 82 9a ce d4-d6 ea")
_MODRM = _ARITHMETIC | _set("63 69 6b 80-8f c0 c1 c6 c7 d0-d3 d8-df f6 f7 fe ff")
_BYTE = frozenset(range(4, 0x40, 8)) | _set("6a 6b 70-7f 80 83 a8 b0-b7 c0 c1 c6 cd e0-e7 eb")
_WORD = frozenset(range(5, 0x40, 8)) | _set("68 69 81 a9 c7")
"""With 4 bytes of operand, 2 where the operand size is 16 bits."""
_NO_MODRM_0F = _set("05-09 0b 0e 30-37 77 80-8f a0-a2 a8-aa c8-cf")
_BYTE_0F = _set("0f 70-73 a4 ac ba c2 c4-c6")


def begins_instruction(code: "bytes | memoryview", offset: int, machine: int) -> bool:
    """Whether an instruction begins `offset` bytes into a function, whose code begins with `code`.

    What cannot be decoded is taken for the begin of nothing. `machine` is the ELF number of the processor.
    """
    if machine != _EM_X86_64:
        return offset % 4 == 0
    at = 0
    while at < offset:
        length = x86_length(code, at)
        if not length:
            return False
        at += length
    return at == offset


def steps_badly(code: "bytes | memoryview", machine: int) -> bool:
    """Whether code begins with an instruction that must not be stepped over: one of AVX-512 (its prefix is 0x62).

    Seen on Linux 6.18 in a virtual machine: a uprobe there loses what the instruction did, and the program goes on with
    wrong values.
    """
    return machine == _EM_X86_64 and bytes(code[:1]) == b"\x62"


def x86_length(code: "bytes | memoryview", at: int) -> int:
    """The length of the 64-bit instruction at `code[at]`, or 0 where there is none that is known."""
    try:
        return _X86(code, at).length()
    except IndexError:
        return 16  # the end of the code is inside it


class _X86:
    """One instruction while it is read."""

    def __init__(self, code: "bytes | memoryview", at: int) -> None:
        self.code, self.start, self.at = code, at, at
        self.wide = self.short = self.short_address = False

    def next(self) -> int:
        byte = self.code[self.at]
        self.at += 1
        return byte

    def length(self) -> int:
        opcode = self.next()
        while opcode in _PREFIXES:
            self.short |= opcode == 0x66
            self.short_address |= opcode == 0x67
            opcode = self.next()
        if opcode & 0xF0 == 0x40:
            self.wide = bool(opcode & 8)
            opcode = self.next()
        ok = self.operands(opcode)
        return self.at - self.start if ok else 0

    def operands(self, opcode: int) -> bool:
        if opcode == 0x0F:
            return self.two_bytes()
        if opcode in (0xC4, 0xC5):
            map = 1 if opcode == 0xC5 else self.next() & 0x1F
            self.next()
            return self.vector(map)
        if opcode == 0x62:
            map = self.next() & 7
            self.at += 2
            return self.vector(map)
        if opcode in _INVALID:
            return False
        return self.one_byte(opcode)

    def one_byte(self, opcode: int) -> bool:
        register = self.modrm() if opcode in _MODRM else 0
        if opcode in _BYTE or (opcode == 0xF6 and register < 2):
            self.at += 1
        elif opcode in _WORD or (opcode == 0xF7 and register < 2):
            self.at += 2 if self.short else 4
        elif opcode in (0xE8, 0xE9):
            self.at += 4
        elif 0xB8 <= opcode <= 0xBF:
            self.at += 8 if self.wide else 2 if self.short else 4
        elif 0xA0 <= opcode <= 0xA3:
            self.at += 4 if self.short_address else 8
        elif opcode in (0xC2, 0xCA):
            self.at += 2
        elif opcode == 0xC8:
            self.at += 3
        return opcode != 0x8F or register == 0

    def two_bytes(self) -> bool:
        opcode = self.next()
        if opcode in (0x38, 0x3A):
            self.next()
            self.modrm()
            self.at += opcode == 0x3A
            return True
        if opcode not in _NO_MODRM_0F:
            self.modrm()
        if opcode in _BYTE_0F:
            self.at += 1
        elif 0x80 <= opcode <= 0x8F:
            self.at += 4
        return True

    def vector(self, map: int) -> bool:
        """The rest of an instruction with a VEX or EVEX prefix, of opcode map `map`."""
        opcode = self.next()
        if map == 1 and opcode == 0x77:
            return True
        self.modrm()
        self.at += map == 3 or (map == 1 and opcode in _BYTE_0F)
        return map in (1, 2, 3, 5, 6)

    def modrm(self) -> int:
        """Read ModRM, SIB and displacement; returns the middle field."""
        byte = self.next()
        mode, memory = byte >> 6, byte & 7
        if mode != 3:
            base = self.next() & 7 if memory == 4 else memory
            if mode == 1:
                self.at += 1
            elif mode == 2 or (mode == 0 and base == 5):
                self.at += 4
        return byte >> 3 & 7

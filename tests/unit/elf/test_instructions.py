"""Lengths of instructions. Expected values: objdump on code that was assembled for this."""

import pytest

from kernscope.elf.instructions import begins_instruction, x86_length

CODE = {
    "55": "push %rbp",
    "c3": "ret",
    "f30f1efa": "endbr64",
    "4889e5": "mov %rsp,%rbp",
    "8d0437": "lea (%rdi,%rsi,1),%eax",
    "e800000000": "call",
    "0f8400000000": "je, near",
    "7405": "je, short",
    "66c704250000000001 00": "movw $1,0x0",
    "c7042500000000010000 00": "movl $1,0x0",
    "48b80102030405060708": "movabs",
    "66b80100": "mov $1,%ax",
    "a10102030405060708": "movabs 0x…,%eax",
    "f6c101": "test $1,%cl",
    "f6d1": "not %cl",
    "f7c101000000": "test $1,%ecx",
    "f7d9": "neg %ecx",
    "c8100000": "enter",
    "c21000": "ret $16",
    "660f3a0fc108": "palignr",
    "660f3800c1": "pshufb",
    "0f1f840000000000": "nop, 8 bytes",
    "662e0f1f840000000000": "nop, 10 bytes",
    "c5f877": "vzeroupper",
    "c5fd6f06": "vmovdqa (%rsi),%ymm0",
    "c4e37d18c101": "vinsertf128",
    "c4e2f9f7c3": "shlx",
    "62f17c48100 6".replace(" ", ""): "vmovups (%rsi),%zmm0",
    "62f37d483b c001".replace(" ", ""): "vextracti32x8",
    "f0480fb10f": "lock cmpxchg",
    "64488b042528000000": "mov %fs:0x28,%rax",
    "488b05785634 12".replace(" ", ""): "mov 0x12345678(%rip),%rax",
    "8b848d00010000": "mov 0x100(%rbp,%rcx,4),%eax",
    "8b04cd00010000": "mov 0x100(,%rcx,8),%eax",
    "48c7c001000000": "mov $1,%rax",
    "0fa2": "cpuid",
    "0f05": "syscall",
}


@pytest.mark.parametrize("code", CODE)
def test_x86(code: str) -> None:
    bytes_ = bytes.fromhex(code)
    assert x86_length(bytes_ + b"\xcc" * 16, 0) == len(bytes_), CODE[code]


@pytest.mark.parametrize("code", ["06", "60", "82c001", "ea", "9a"])
def test_not_in_64_bit_code(code: str) -> None:
    assert x86_length(bytes.fromhex(code) + bytes(16), 0) == 0


def test_where_instructions_begin() -> None:
    code = bytes.fromhex("554889e58d0437c3")
    assert [n for n in range(len(code)) if begins_instruction(code, n, 62)] == [0, 1, 4, 7]
    assert [n for n in range(8) if begins_instruction(bytes(8), n, 183)] == [0, 4]
    assert not begins_instruction(b"\x06\x90\x90", 1, 62)
    assert not begins_instruction(b"\xe8", 3, 62)


def test_what_must_not_be_stepped_over() -> None:
    from kernscope.elf.instructions import steps_badly

    assert steps_badly(bytes.fromhex("62 e2 7d 28 7a c6"), 62)  # vpbroadcastb %esi,%ymm16
    assert not steps_badly(bytes.fromhex("f3 0f 1e fa"), 62)  # endbr64
    assert not steps_badly(bytes.fromhex("62 e2 7d 28"), 183) and not steps_badly(b"", 62)

"""The text of instructions, against what llvm-objdump and the verifier print for the same bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernscope.asm import instruction as asm
from kernscope.asm.disassemble import disassemble
from kernscope.asm.encode import assemble

_TEXTS = [
    ("bf61000000000000", "r1 = r6"),
    ("bc61000000000000", "w1 = w6"),
    ("b7030000feffffff", "r3 = -2"),
    ("bf12080000000000", "r2 = (s8)r1"),
    ("bc12100000000000", "w2 = (s16)w1"),
    ("0f21000000000000", "r1 += r2"),
    ("c401000003000000", "w1 s>>= 3"),
    ("3f21010000000000", "r1 s/= r2"),
    ("9401010007000000", "w1 s%= 7"),
    ("8701000000000000", "r1 = -r1"),
    ("8401000000000000", "w1 = -w1"),
    ("dc01000010000000", "r1 = be16 r1"),
    ("d401000040000000", "r1 = le64 r1"),
    ("d701000020000000", "r1 = bswap32 r1"),
    ("18020000887766550000000044332211", "r2 = 0x1122334455667788 ll"),
    ("79a0f8ff00000000", "r0 = *(u64 *)(r10 - 8)"),
    ("8121040000000000", "r1 = *(s32 *)(r2 + 4)"),
    ("6b7afeff00000000", "*(u16 *)(r10 - 2) = r7"),
    ("62010800ffffffff", "*(u32 *)(r1 + 8) = -1"),
    ("db21000000000000", "lock *(u64 *)(r1 + 0) += r2"),
    ("db71080001000000", "r7 = atomic_fetch_add((u64 *)(r1 + 8), r7)"),
    ("c302fcff41000000", "w0 = atomic_fetch_or((u32 *)(r2 - 4), w0)"),
    ("db010000e1000000", "r0 = xchg_64(r1 + 0, r0)"),
    ("c3920000e1000000", "w9 = xchg32_32(r2 + 0, w9)"),
    ("db710000f1000000", "r0 = cmpxchg_64(r1 + 0, r0, r7)"),
    ("c3820000f1000000", "w0 = cmpxchg32_32(r2 + 0, w0, w8)"),
    ("db21000000010000", "r1 = load_acquire((u64 *)(r2 + 0))"),
    ("d321f8ff10010000", "store_release((u8 *)(r1 - 8), w2)"),
    ("1500050000000000", "if r0 == 0 goto +5"),
    ("6e30feff00000000", "if w0 s> w3 goto -2"),
    ("4501010008000000", "if r1 & 8 goto +1"),
    ("0500fdff00000000", "goto -3"),
    ("0600000000000100", "gotol +65536"),
    ("e500040000000000", "may_goto +4"),
    ("850000000e000000", "call 14 /* get_current_pid_tgid */"),
    ("8510000007000000", "call +7"),
    ("85200000d2040000", "call kernel 1234"),
    ("85000000f0f0f000", "call 15790320"),
    ("9500000000000000", "exit"),
    ("2000000022000000", "r0 = *(u32 *)skb[34]"),
    ("1811000005000000" + "00" * 8, "r1 = map[fd:5] ll"),
    ("1821000005000000" + "0000000018000000", "r1 = map[fd:5][0]+24 ll"),
    ("ff21010005000000", ".insn 0xff, r1, r2, 1, 5"),
]


@pytest.mark.parametrize(("code", "text"), _TEXTS, ids=[text for _, text in _TEXTS])
def test_text(code: str, text: str) -> None:
    assert disassemble(bytes.fromhex(code)) == f"   0: {text}\n"


def test_names_comments_and_slot_numbers() -> None:
    program = assemble(
        [
            (
                "main",
                [
                    asm.ld_map_fd(1, "counts"),
                    asm.ld_map_value(2, "state", 8),
                    asm.call_local("f"),
                    asm.exit_(),
                ],
            ),
            ("f", [asm.exit_()]),
        ]
    )
    assert disassemble(program.code, program.relocations, {5: "done"}) == (
        "   0: r1 = map_fd counts ll\n"
        "   2: r2 = map_value state + 8 ll\n"
        "   4: call +1 /* f */\n"
        "   5: exit                                     ; done\n"
        "   6: exit\n"
    )


def test_nothing_is_no_text() -> None:
    assert disassemble(b"") == ""


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=8, max_size=8).filter(lambda slot: slot[0] != 0x18))
def test_every_instruction_has_a_text(slot: bytes) -> None:
    text = disassemble(slot)
    assert text.startswith("   0: ")
    assert text.count("\n") == 1

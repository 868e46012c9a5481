"""Static probes' notes: argument texts as compilers write them, and whole files made by gcc and by hand."""

import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from made_elf import made_elf, usdt_note

from kernscope.elf import ElfError, ElfFile
from kernscope.elf.usdt import read_usdt_notes
from kernscope.elf.usdt_arguments import UsdtArgument, parse_usdt_arguments
from kernscope.tables.arch import ARCHITECTURES

SYMBOLS = {"counter": 0x4010, "table": 0x4040}


def _parse(text: str, machine: str = "x86_64") -> list[UsdtArgument]:
    return list(parse_usdt_arguments(text, machine, 0x1000, SYMBOLS.get))


@pytest.mark.parametrize(
    ("text", "size", "signed", "base", "shift"),
    [
        ("-4@%edi", 4, True, "di", 0),
        ("8@%rcx", 8, False, "cx", 0),
        ("-1@%sil", 1, True, "si", 0),
        ("2@%dx", 2, False, "dx", 0),
        ("1@%ah", 1, False, "ax", 8),
        ("4@%r10d", 4, False, "r10", 0),
        ("-2@%r15w", 2, True, "r15", 0),
        ("1@%r8b", 1, False, "r8", 0),
        ("8@%r8", 8, False, "r8", 0),
        ("8@%rbp", 8, False, "bp", 0),
        ("%eax", 4, False, "ax", 0),  # without a size: the register's
        ("8@%eax", 4, False, "ax", 0),  # the upper half is not the argument's
    ],
)
def test_registers(text: str, size: int, signed: bool, base: str, shift: int) -> None:
    (found,) = _parse(text)
    assert not found.problem and not found.in_memory
    assert (found.size, found.signed, found.base, found.shift) == (size, signed, base, shift)


@pytest.mark.parametrize(
    ("text", "base", "index", "scale", "offset"),
    [
        ("-4@-4(%rbp)", "bp", "", 1, -4),
        ("8@(%rax)", "ax", "", 1, 0),
        ("8@0x18(%rsp)", "sp", "", 1, 24),
        ("-8@(%r8,%rax,8)", "r8", "ax", 8, 0),
        ("4@16(%rdi,%r9,4)", "di", "r9", 4, 16),
        ("4@-8(%rdi,%rsi)", "di", "si", 1, -8),
        ("4@counter(%rip)", "ip", "", 1, 0x3010),
        ("4@counter+4(%rip)", "ip", "", 1, 0x3014),
        ("4@8+table(%rip)", "ip", "", 1, 0x3048),
        ("4@table-16(%rip)", "ip", "", 1, 0x3030),
        ("4@counter", "", "", 1, 0x4010),
        ("4@table(,%rax,4)", "", "ax", 4, 0x4040),
    ],
)
def test_memory(text: str, base: str, index: str, scale: int, offset: int) -> None:
    (found,) = _parse(text)
    assert not found.problem and found.in_memory
    assert (found.base, found.index, found.scale, found.offset) == (base, index, scale, offset)


@pytest.mark.parametrize(
    ("text", "value"), [("-4@$-5", -5), ("8@$0x10", 16), ("1@$-56", -56), ("8@$table", 0x4040)]
)
def test_constants(text: str, value: int) -> None:
    (found,) = _parse(text)
    assert not found.problem and not found.in_memory and not found.base
    assert found.offset == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("8f@%rax", "floating-point"),
        ("8@%xmm0", "floating-point"),
        ("16@%rax", "16 bytes"),
        ("x@%rax", "x bytes"),
        ("4@%fs:0xfffffffc", "each thread"),
        ("4@nosuch(%rip)", "no variable `nosuch`"),
        ("4@%nosuch", "no register"),
        ("4@", "empty"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, why: str) -> None:
    (found,) = _parse(text)
    assert why in found.problem
    assert found.text == text


def test_arguments_are_split_outside_of_brackets() -> None:
    assert [a.base for a in _parse("-4@%edi 8@(%rax, %rdx, 8)  1@$3")] == ["di", "ax", ""]
    assert [a.offset for a in _parse("4@[sp, 12] -8@[x29, -16] 8@x1", "aarch64")] == [12, -16, 0]
    assert _parse("") == []
    assert len(_parse(" ".join(["4@%eax"] * 12))) == 10


@pytest.mark.parametrize(
    ("text", "base", "index", "scale", "offset", "in_memory", "size"),
    [
        ("-4@w3", "x3", "", 1, 0, False, 4),
        ("8@x20", "x20", "", 1, 0, False, 8),
        ("8@sp", "sp", "", 1, 0, False, 8),
        ("4@[x0]", "x0", "", 1, 0, True, 4),
        ("4@[sp, #24]", "sp", "", 1, 24, True, 4),
        ("8@[x1, x2, lsl 3]", "x1", "x2", 8, 0, True, 8),
        ("-4@5", "", "", 1, 5, False, 4),
        ("-4@#-7", "", "", 1, -7, False, 4),
    ],
)
def test_arm64(text: str, base: str, index: str, scale: int, offset: int, in_memory: bool, size: int) -> None:
    (found,) = _parse(text, "aarch64")
    assert not found.problem
    assert (found.base, found.index, found.scale, found.offset) == (base, index, scale, offset)
    assert (found.in_memory, found.size) == (in_memory, size)


@pytest.mark.parametrize(
    "text",
    ["8@$99999999999999999999999", "8@(%rax,%rbx,3)", "8@(%rax,%rbx,)", "8@-99999999999999999999(%rax)"],
)
def test_numbers_that_make_no_sense(text: str) -> None:
    assert _parse(text)[0].problem
    assert _parse("8@[x1, x2, lsl 999999999999]", "aarch64")[0].problem


def test_an_unsigned_constant_is_the_same_bits() -> None:
    assert _parse("8@$0xffffffffffffffff")[0].offset == -1


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_any_text_is_read_or_has_a_problem(machine: str) -> None:
    chance = random.Random(7)
    pieces = [
        "8",
        "-4",
        "@",
        "%rax",
        "x1",
        "(",
        ")",
        "[",
        "]",
        ",",
        "$",
        "counter",
        "+",
        "-",
        " ",
        "f",
        ":",
        "lsl",
        "#",
    ]
    for _ in range(3000):
        text = "".join(chance.choice(pieces) for _ in range(chance.randrange(1, 9)))
        for argument in _parse(text, machine):
            assert argument.problem or argument.size in (1, 2, 4, 8)
            assert argument.base in ("", *ARCHITECTURES[machine].register_offsets)


# --- files -------------------------------------------------------------------------------------------------


def test_prelinked_addresses_are_moved_as_the_marker_was() -> None:
    note = usdt_note("prov", "name", 0x1200, "-4@%edi", base=0x2000, semaphore=0x3008)
    (found,) = read_usdt_notes(ElfFile(made_elf(note, base_address=0x12000)))
    assert (found.provider, found.name, found.arguments) == ("prov", "name", "-4@%edi")
    assert (found.address, found.semaphore) == (0x11200, 0x13008)


def test_without_a_semaphore_it_stays_zero() -> None:
    note = usdt_note("p", "n", 0x1200, base=0x2000)
    (found,) = read_usdt_notes(ElfFile(made_elf(note, base_address=0x12000)))
    assert (found.address, found.semaphore) == (0x11200, 0)


def test_damaged_notes_are_left_out() -> None:
    good = usdt_note("p", "n", 0x1200)
    for bad in (
        usdt_note("p", "other", 1, owner=b"others\0\0"),
        usdt_note("p", "", 1),
        struct.pack("<III", 8, 24 + 8, 3) + b"stapsdt\0" + bytes(24) + b"one text",
        struct.pack("<III", 8, 4, 3) + b"stapsdt\0abcd",
    ):
        found = read_usdt_notes(ElfFile(made_elf(bad + good)))
        assert [note.name for note in found] == ["n"], bad
    cut = read_usdt_notes(ElfFile(made_elf(good + struct.pack("<III", 8, 1 << 30, 3))))
    assert len(cut) == 1
    with pytest.raises(ElfError):
        read_usdt_notes(ElfFile(made_elf(good)[:64]))


SOURCE = r"""
#define PROBE(provider, name, arguments, ...) __asm__ volatile( \
    "990: nop\n" \
    ".pushsection .note.stapsdt, \"\", \"note\"\n.balign 4\n" \
    ".4byte 992f-991f, 994f-993f, 3\n" \
    "991: .asciz \"stapsdt\"\n992: .balign 4\n" \
    "993: .8byte 990b\n.8byte _.stapsdt.base\n.8byte 0\n" \
    ".asciz \"" provider "\"\n.asciz \"" name "\"\n.asciz \"" arguments "\"\n994: .balign 4\n.popsection\n" \
    ".ifndef _.stapsdt.base\n.pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat\n" \
    ".weak _.stapsdt.base\n.hidden _.stapsdt.base\n_.stapsdt.base: .space 1\n" \
    ".size _.stapsdt.base, 1\n.popsection\n.endif\n" :: __VA_ARGS__)
int main(int argc, char **argv) {
    PROBE("app", "start", "-4@%[n] 8@%[v]", [n] "r" (argc), [v] "m" (argv));
    PROBE("app", "start", "-8@%[n]", [n] "r" ((long)argc * 3));
    return 0;
}
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_a_program_made_by_gcc(tmp_path: Path) -> None:
    (tmp_path / "t.c").write_text(SOURCE)
    subprocess.run(["gcc", "-O1", "-o", tmp_path / "t", tmp_path / "t.c"], check=True)
    elf = ElfFile((tmp_path / "t").read_bytes())
    notes = read_usdt_notes(elf)
    assert [(note.provider, note.name) for note in notes] == [("app", "start")] * 2
    address, size = elf.symbols().find("main") or (0, 0)
    data = (tmp_path / "t").read_bytes()
    for note in notes:
        assert address <= note.address < address + size
        offset = elf.offset_of(note.address)
        assert offset is not None and data[offset] == 0x90  # nop
    first = parse_usdt_arguments(notes[0].arguments, "x86_64", 0, lambda _: None)
    assert (first[0].size, first[0].signed, first[0].base) == (4, True, "di")
    assert first[1].in_memory

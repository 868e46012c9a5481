"""The numbers of the bpf tables, against C headers where they are installed."""

import re
from pathlib import Path

import pytest

from kernscope.tables import bpf
from kernscope.tables.arch import AARCH64, ARCHITECTURES, X86_64
from kernscope.tables.errno_hints import HINTS, hint_for

HEADER = Path("/usr/include/linux/bpf.h")


def enumerators(text: str, enum: str) -> dict[str, int]:
    """Values of a C enum whose entries have no expressions but numbers and earlier names."""
    body = re.search(rf"enum {enum} \{{(.*?)\}};", text, re.S)
    assert body is not None
    found: dict[str, int] = {}
    value = -1
    for entry in re.sub(r"/\*.*?\*/", "", body[1], flags=re.S).split(","):
        name, _, given = (part.strip() for part in entry.partition("="))
        if name:
            value = found[given] if given in found else int(given) if given else value + 1
            found[name] = value
    return found


@pytest.mark.skipif(not HEADER.exists(), reason="needs linux/bpf.h (linux-libc-dev)")
@pytest.mark.parametrize(
    ("table", "enum", "prefix"),
    [
        (bpf.Command, "bpf_cmd", "BPF_"),
        (bpf.MapType, "bpf_map_type", "BPF_MAP_TYPE_"),
        (bpf.ProgramType, "bpf_prog_type", "BPF_PROG_TYPE_"),
        (bpf.AttachType, "bpf_attach_type", "BPF_"),
        (bpf.LinkType, "bpf_link_type", "BPF_LINK_TYPE_"),
    ],
)
def test_numbers_are_those_of_the_header(table: type, enum: str, prefix: str) -> None:
    header = enumerators(HEADER.read_text(), enum)
    ours = {name: value for name, value in vars(table).items() if isinstance(value, int)}
    common = {name for name in ours if prefix + name in header}
    assert len(common) > 8
    assert {name: header[prefix + name] for name in common} == {name: ours[name] for name in common}


def test_numbers_are_unique() -> None:
    for table in (bpf.Command, bpf.MapType, bpf.ProgramType, bpf.AttachType, bpf.LinkType):
        values = [value for value in vars(table).values() if isinstance(value, int)]
        assert len(values) == len(set(values))


def test_x86_64_registers() -> None:
    # Offsets of struct pt_regs in <asm/ptrace.h>: r15 first, 21 words.
    assert X86_64.syscall_argument_offsets() == (112, 104, 96, 56, 72, 64)
    assert X86_64.register_offsets["orig_ax"] == 120 and X86_64.register_offsets["ax"] == 80
    assert X86_64.pt_regs_size == 168 and max(X86_64.register_offsets.values()) == 160
    assert (X86_64.syscall_bpf, X86_64.syscall_perf_event_open) == (321, 298)


def test_arm64_registers() -> None:
    # struct user_pt_regs of <asm/ptrace.h>: 31 registers, sp, pc, pstate; then orig_x0.
    assert AARCH64.syscall_argument_offsets() == (272, 8, 16, 24, 32, 40)
    assert AARCH64.function_argument_offsets() == (0, 8, 16, 24, 32, 40, 48, 56)
    assert (AARCH64.syscall_bpf, AARCH64.syscall_perf_event_open) == (280, 241)
    assert set(ARCHITECTURES) == {"x86_64", "aarch64"}


def test_hints_fall_back_to_the_general_one() -> None:
    assert "full" in hint_for("BPF_MAP_UPDATE_ELEM", 7)
    assert "root" in hint_for("BPF_ANYTHING", 1)
    assert hint_for("BPF_ANYTHING", 33) == ""
    assert all(text and text[0].islower() for text in HINTS.values())

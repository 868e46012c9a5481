"""Small programs as bytes, for tests of the kernel interface alone: no assembler, no compiler."""

from struct import pack

import pytest

from kernscope.kernel.facts import missing_capabilities

needs_bpf = pytest.mark.skipif(
    bool(missing_capabilities()), reason=f"needs {' and '.join(missing_capabilities())}: run as root"
)


def insn(opcode: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    """``struct bpf_insn``."""
    return pack("=BBhi", opcode, dst | src << 4, off, imm)


def load_map(dst: int, fd: int) -> bytes:
    """dst = map (BPF_PSEUDO_MAP_FD)."""
    return insn(0x18, dst, 1, 0, fd) + insn(0)


def load_map_value(dst: int, fd: int) -> bytes:
    """dst = address of the value of a one-element array (BPF_PSEUDO_MAP_VALUE)."""
    return insn(0x18, dst, 2, 0, fd) + insn(0)


EXIT = insn(0x95)
RETURN_0 = insn(0xB7) + EXIT


def count_runs(fd: int) -> bytes:
    """Adds 1 to the array's only element, atomically."""
    return load_map_value(1, fd) + insn(0xB7, 2, imm=1) + insn(0xDB, 1, 2) + RETURN_0


def send_argument(ring_fd: int, length: int = 8) -> bytes:
    """A raw tracepoint program: its first argument, repeated to `length` bytes, goes to a ring buffer."""
    code = insn(0x79, 2, 1)
    for offset in range(8, length + 8, 8):
        code += insn(0x7B, 10, 2, -offset)
    code += load_map(1, ring_fd) + insn(0xBF, 2, 10) + insn(0x07, 2, imm=-((length + 7) & ~7))
    # bpf_ringbuf_output is helper 130.
    return code + insn(0xB7, 3, imm=length) + insn(0xB7, 4) + insn(0x85, imm=130) + EXIT

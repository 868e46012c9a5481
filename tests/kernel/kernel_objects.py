"""Which BPF objects a process holds, and whether the kernel still has them."""

import errno
import os
import sys
from pathlib import Path

from kernscope.kernel.syscall import Buffer, bpf_result
from kernscope.tables.bpf import Command

__all__ = ["alive", "held"]

_BY_ID = {"prog": Command.PROG_GET_FD_BY_ID, "link": Command.LINK_GET_FD_BY_ID}


def held(pid: int) -> list[tuple[str, int]]:
    """`("prog", id)` and `("link", id)` of all programs and links that a process has open (proc(5), fdinfo)."""
    found = set()
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue  # closed in between
        for line in lines:
            name, _, value = line.partition(":")
            kind = name.removesuffix("_id")
            if kind in _BY_ID:
                found.add((kind, int(value)))
    return sorted(found)


def alive(kind: str, identity: int) -> bool:
    """Whether the kernel still has the object."""
    fd = bpf_result(_BY_ID[kind], Buffer(identity.to_bytes(4, sys.byteorder) + bytes(8)))
    if fd >= 0:
        os.close(fd)
    return fd != -errno.ENOENT

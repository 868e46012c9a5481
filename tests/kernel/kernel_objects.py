"""Which BPF objects a process holds, and whether the kernel still has them."""

import errno
import os
import signal
import sys
from pathlib import Path
from typing import Any, Self

import kernscope as api
from kernscope.kernel.syscall import Buffer, bpf_result
from kernscope.tables.bpf import Command

__all__ = ["Killed", "alive", "held"]

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


class Killed:
    """A process of its own that traces, for tests of its sudden end: entered when all is attached, killed when left.

    `objects` are the programs and links that it holds. It is forked, which takes no time to start.
    """

    def __init__(self, program: str, **options: Any) -> None:
        self._program, self._options = program, options
        self.objects: list[tuple[str, int]] = []
        self._pid = 0

    def __enter__(self) -> Self:
        ready, told = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            try:
                with api.run(self._program, **self._options) as session:
                    os.write(told, b".")
                    session.wait()
            finally:
                os._exit(1)
        os.close(told)
        with open(ready, "rb") as file:
            assert file.read(1), "the tracer did not start"
        self.objects = held(self._pid)
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

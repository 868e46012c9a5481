"""Tools run around known work, and their output taken apart."""

import ctypes
import mmap
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import KERNSCOPE, Finished, Tracer

import kernscope as library

__all__ = [
    "LIBC",
    "Tool",
    "blocks_on_disk",
    "buckets",
    "child",
    "direct_reads",
    "needs",
    "rows",
    "sleeping",
    "watch",
]

LIBC = ctypes.CDLL(None, use_errno=True)


class Tool(Tracer):
    """`kernscope tool` in the background."""

    def __init__(self, *arguments: str) -> None:
        super().__init__()
        self._command = [*KERNSCOPE, "tool", *arguments]


def needs(*events: str) -> None:
    """Skip where the kernel lacks one of these tracepoints."""
    for event in events:
        if not library.list_probes(f"tracepoint:{event}"):
            pytest.skip(f"this kernel has no tracepoint {event}")


def watch(*arguments: str, work: Callable[[], object]) -> Finished:
    """Run a tool around `work`, and end it."""
    with Tool(*arguments) as tracer:
        work()
        done = tracer.stop()
    assert done.code == 0, done.err
    assert [line for line in done.err.splitlines() if not line.startswith("Attached ")] == []
    return done


def rows(done: Finished, pid: int | None = None, column: int = 1) -> list[list[str]]:
    """The lines of a tool that prints one per event, split into words; of one process, if one is given."""
    found = [line.split() for line in done.lines if re.match(r"\d\d:\d\d:\d\d ", line)]
    return [row for row in found if pid is None or row[column] == str(pid)]


def buckets(done: Finished, name: str = "@us") -> dict[str, int]:
    """Rows of the histogram `name`: label → how many."""
    text = done.out.split(f"\n{name}:\n")[1].split("\n\n")[0]
    return {label: int(n) for label, n in re.findall(r"^([\[(].*?[)\]]) +(\d+) \|", text, re.MULTILINE)}


def child(work: Callable[[], object]) -> int:
    """Do it in a child process; its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    return pid


def direct_reads(path: Path, times: int, size: int) -> None:
    """Read from the disk, past the page cache."""
    buffer = mmap.mmap(-1, size)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    for number in range(times):
        assert os.preadv(fd, [buffer], number * size) == size
    os.close(fd)


def blocks_on_disk(tmp_path: Path) -> Path:
    """A file of 40 blocks of 64 KiB that can be read directly from a disk."""
    path = tmp_path / "blocks"
    with open(path, "wb") as file:
        file.write(os.urandom(40 << 16))
        os.fsync(file)
    try:
        direct_reads(path, 1, 65536)
    except OSError as error:
        pytest.skip(f"{tmp_path} cannot be read directly: {error}")
    return path


def sleeping(times: int) -> str:
    """A command that sleeps so often for 4 ms under a name of its own."""
    text = (
        "import ctypes, time; ctypes.CDLL(None).prctl(15, b'ks-sleeps');"
        f" [time.sleep(0.004) for _ in range({times})]"
    )
    return f'{sys.executable} -c "{text}"'

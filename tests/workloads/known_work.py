"""Builds and runs the programs of this folder, whose answer is known, for tests and for the benchmark of profiles.

Each prints `ready`, waits for a line on its standard input, does its work, and prints what a profile should show: lines
of a name and a number.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

__all__ = ["FOLDER", "Work", "build", "python_work"]

FOLDER = Path(__file__).parent
_PLAIN = ("-O2", "-fomit-frame-pointer")
_LIBRARY = ("-O2", "-fomit-frame-pointer", "-fPIC", "-shared")
_PROGRAMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "split": ("split.c", _PLAIN),
    "split-stripped": ("split.c", (*_PLAIN, "-s")),
    "split-pointers": ("split.c", ("-O2", "-fno-omit-frame-pointer", "-mno-omit-leaf-frame-pointer")),
    "split-c++": ("split.cpp", _PLAIN),
    "libparts.so": ("parts.c", _LIBRARY),
    "waits": ("waits.c", (*_PLAIN, "-pthread")),
    "memory": ("memory.c", _PLAIN),
    "disk": ("disk.c", _PLAIN),
    "calls": ("calls.c", _PLAIN),
    "uring": ("uring.c", _PLAIN),
    "compat": ("compat.c", _PLAIN),
    "path_race": ("path_race.c", (*_PLAIN, "-pthread")),
}
"""Program → its source, and how it is compiled."""


def build(name: str, folder: Path) -> Path | str:
    """Compile a program, once per folder; the file, or why there is none."""
    source, flags = _PROGRAMS[name]
    made = folder / name
    if made.exists():
        return made
    command = "g++" if source.endswith(".cpp") else "gcc"
    if shutil.which(command) is None:
        return f"{command} is not installed"
    subprocess.run([command, *flags, "-o", made, FOLDER / source], check=True)
    return made


def python_work(name: str, *arguments: object) -> list[str]:
    """The command that runs a Python program of this folder."""
    return [sys.executable, str(FOLDER / name), *map(str, arguments)]


class Work:
    """A program that is ready for its work: `go`, then `finish`.

    Attributes:
        pid: of its process.
        code: its exit code, when it has ended.
    """

    def __init__(self, command: Sequence[object]) -> None:
        self._command = [str(word) for word in command]
        self.code: int | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        self._ready = self._process.stdout.readline()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def go(self) -> None:
        """Let it begin."""
        assert self._process.stdin is not None
        if self._ready == "ready\n":
            self._process.stdin.write("\n")
            self._process.stdin.flush()

    def finish(self, timeout: float = 120) -> dict[str, int]:
        """Wait for its end: what it printed."""
        out, _ = self._process.communicate(timeout=timeout)
        self.code = self._process.returncode
        return {name: int(number) for name, _, number in (line.partition(" ") for line in out.splitlines())}

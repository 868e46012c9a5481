"""What is traced by tests: this process while it works, and programs that wait until they are told to."""

import os
import subprocess
from collections.abc import Callable
from typing import Self

import kernscope as api

__all__ = ["WaitingProgram", "maps_after"]


def maps_after(work: Callable[[], object], program: str) -> dict[str, object]:
    """The program's maps after `work()` ran; `$1` is this process."""
    found: dict[str, object] = {}
    with api.run(program, args=[str(os.getpid())]) as session:
        work()
        session.stop()
        for event in session:
            if isinstance(event, api.MapEvent):
                found[event.name] = dict(event.mapping)
    return found


class WaitingProgram:
    """A program that works when it reads a number, and then answers with a line. It is killed at the end."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid

    def ask(self, number: int) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

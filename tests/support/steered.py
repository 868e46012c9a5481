"""A process that does what it is told, when it is told, and says what it did: a workload that waits for the tracer."""

import subprocess
import sys
from typing import Any, Self

__all__ = ["Steered"]

_LOOP = """
import sys
{setup}
print("ready", flush=True)
for line in sys.stdin:
    print(repr(eval(line)), flush=True)
"""


class Steered:
    """A Python process that evaluates expressions, one by one; between them it sleeps in read(2).

    `setup` is Python text that runs first. What runs is the interpreter itself, not a wrapper script.
    """

    def __init__(self, setup: str = "") -> None:
        self._setup = setup

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LOOP.format(setup=self._setup)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None and self.process.stdout.readline() == "ready\n"
        return self

    @property
    def pid(self) -> int:
        return self.process.pid

    def do(self, expression: str) -> Any:
        """The value of an expression, in that process."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(expression + "\n")
        self.process.stdin.flush()
        return eval(self.process.stdout.readline())

    def asleep(self) -> None:
        """Wait until it sleeps for the next expression."""
        import time

        while self.stat(3) != "S":
            time.sleep(0.001)

    def stat(self, number: int) -> str:
        """A field of /proc/PID/stat, counted from 1 as proc(5) does."""
        with open(f"/proc/{self.pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[number - 3]

    def status(self, name: str) -> int:
        """A number of /proc/PID/status."""
        with open(f"/proc/{self.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name + ":"))

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

"""The real command in a process of its own, for tests on the running kernel."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Self

import pytest

from kernscope.kernel import facts

__all__ = [
    "KERNSCOPE",
    "Finished",
    "Tracer",
    "counts",
    "eventually",
    "kernscope",
    "lost_total",
    "needs_tracing",
]

_SCRIPT = Path(sys.executable).parent / "kernscope"
KERNSCOPE = [str(_SCRIPT)] if _SCRIPT.exists() else [sys.executable, "-m", "kernscope.cli"]


def _obstacle() -> str:
    """Why nothing can be traced here; "" if it can."""
    missing = facts.missing_capabilities()
    if missing:
        return f"needs {' and '.join(missing)}: run as root"
    done = subprocess.run([*KERNSCOPE, "doctor"], capture_output=True, text=True, timeout=60)
    return (
        "" if done.returncode == 0 else "this machine cannot trace system calls: `kernscope doctor` says why"
    )


_why_not = _obstacle()
needs_tracing = pytest.mark.skipif(bool(_why_not), reason=_why_not or "none")


def kernscope(*arguments: str, timeout: float = 60, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run it to its end."""
    options = {"capture_output": True, "text": True, "errors": "surrogateescape"} | options
    return subprocess.run([*KERNSCOPE, *arguments], timeout=timeout, **options)


class Finished:
    """How a traced run ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Tracer:
    """`kernscope run` in the background: attached when entered, gone when left.

        with Tracer("-e", program) as tracer:
            …                       # what is to be seen
            done = tracer.stop()    # Ctrl-C

    `command` is run instead, if given. Output is read all the time by threads, so that no pipe fills up.
    """

    def __init__(self, *arguments: str, command: Sequence[str] = (), ready: str = "Attached ") -> None:
        self._command: Sequence[str] = command or [*KERNSCOPE, "run", *arguments]
        self._ready = ready.encode()
        self._out, self._err = bytearray(), bytearray()

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        streams = ((self.process.stdout, self._out), (self.process.stderr, self._err))
        self._readers = [threading.Thread(target=_read, args=pair, daemon=True) for pair in streams]
        for reader in self._readers:
            reader.start()
        eventually(lambda: self._ready in self._err or self.process.poll() is not None, 60)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    @property
    def out(self) -> str:
        """Standard output so far."""
        return self._out.decode(errors="surrogateescape")

    @property
    def err(self) -> str:
        return self._err.decode(errors="surrogateescape")

    def stop(self, number: int = signal.SIGINT, timeout: float = 60) -> Finished:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.wait(timeout)

    def wait(self, timeout: float = 60) -> Finished:
        code = self.process.wait(timeout)
        for reader in self._readers:
            reader.join(timeout)
        return Finished(code, self.out, self.err)


def _read(stream: IO[bytes], into: bytearray) -> None:
    while data := os.read(stream.fileno(), 1 << 16):
        into += data


def eventually(condition: Callable[[], bool], seconds: float = 10, pause: float = 0.01) -> bool:
    """Wait until it holds; False if it never did."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def counts(text: str, name: str = "@") -> dict[str, int]:
    """The lines ``@name[key]: number`` of a map."""
    return {
        key: int(value)
        for key, value in re.findall(rf"^{re.escape(name)}\[(.*)\]: (-?\d+)$", text, re.MULTILINE)
    }


def lost_total(err: str) -> int:
    """How many events a run said were lost."""
    return sum(
        int(number) for number in re.findall(r"^warning\[lost-events\]: (\d+) event", err, re.MULTILINE)
    )

"""A program that a child process compiles, as that takes long, and much memory; meanwhile the old one is watched by."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kernscope.detector.service.loading import ServiceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.detector.service.configuration import Configuration
    from kernscope.detector.watch.watcher import Watcher

__all__ = ["Compiling"]

_WAIT_S = 120.0
"""How long it may take."""
_SOURCES = str(Path(__file__).parents[3])
_CODE = """\
import sys
sys.path.insert(0, sys.argv[1])
import kernscope
text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
sys.stdout.buffer.write(kernscope.save(kernscope.compile(text, name="<rules>")))
"""


class Compiling:
    """The program of a watcher, for a configuration that is to follow."""

    def __init__(self, configuration: Configuration, watcher: Watcher) -> None:
        self.configuration, self.watcher = configuration, watcher
        self._deadline = time.monotonic() + _WAIT_S
        self._out = tempfile.TemporaryFile()  # noqa: SIM115
        self._err = tempfile.TemporaryFile()  # noqa: SIM115
        with tempfile.TemporaryFile() as text:
            text.write(watcher.text.encode("utf-8", "surrogateescape"))
            text.seek(0)
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _CODE, _SOURCES],
                stdin=text,
                stdout=self._out,
                stderr=self._err,
                cwd="/",
            )

    def result(self) -> bytes | None:
        """What `kernscope.load` reads; None while it compiles. Raises ServiceError."""
        status = self._process.poll()
        if status is None:
            if time.monotonic() < self._deadline:
                return None
            self.close()
            raise ServiceError(f"compiling the rules took longer than {_WAIT_S:g} s")
        self._err.seek(0)
        self._out.seek(0)
        text, data = self._err.read(4096).decode("utf-8", "replace").strip(), self._out.read()
        self.close()
        if status:
            why = text.splitlines()[-1] if text else f"status {status}"
            raise ServiceError(f"the rules could not be compiled: {why}")
        return data

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._out.close()
        self._err.close()

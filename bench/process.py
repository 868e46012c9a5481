"""Running what is measured: short commands as a whole, and tracers beside a workload."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

__all__ = ["Cost", "RunError", "Tracer", "measure", "tracing", "workload"]

SPAWN = str(Path(__file__).with_name("spawn.py"))
# bpftrace takes about 28 s to leave several hundred perf tracepoints, and more when the machine is busy.
LEAVE_LIMIT_S = 180.0


class RunError(Exception):
    """A command of the benchmark failed or took too long; the message says which and how."""


class Cost(NamedTuple):
    """What one whole run of a command cost: seconds of wall and CPU time, peak memory in KiB."""

    wall_s: float
    cpu_s: float
    peak_kib: int


def measure(command: Sequence[str], *, limit_s: int = 180, stdout: str = "/dev/null") -> Cost:
    """Run `command` from start to end. Raises `RunError` when it fails or is not done after `limit_s`."""
    stderr = f"{os.environ.get('TMPDIR', '/tmp')}/kernscope-bench-stderr-{os.getpid()}"
    spawn = [sys.executable, "-I", "-S", SPAWN, str(limit_s), stdout, stderr, *command]
    try:
        done = subprocess.run(spawn, capture_output=True, text=True, timeout=limit_s + 30, check=False)
        said = Path(stderr).read_text(errors="replace") if Path(stderr).exists() else ""
    finally:
        Path(stderr).unlink(missing_ok=True)
    if done.returncode != 0:
        raise RunError(f"`{command[0]}` could not be started: {done.stderr.strip().splitlines()[-1:]}")
    cost = json.loads(done.stdout)
    if cost["exit"] != 0:
        raise RunError(f"`{' '.join(command[:4])} …` ended with {cost['exit']}: {said.strip()[-300:]}")
    return Cost(cost["wall_s"], cost["cpu_s"], cost["peak_kib"])


def workload(command: Sequence[str], *, limit_s: float = 120) -> list[str]:
    """Run a workload program, return the words it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    if done.returncode != 0:
        raise RunError(f"workload `{' '.join(command)}` ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout.split()


class Tracer:
    """A running tracer; `cpu_s` is what all its threads used so far."""

    def __init__(self, process: subprocess.Popen[bytes], stdout: Path, stderr: Path) -> None:
        self._process = process
        self.stdout = stdout
        self.stderr = stderr

    def cpu_s(self) -> float:
        """CPU seconds of its threads that live, from /proc/PID/task/*/schedstat (first field, ns)."""
        tasks = Path(f"/proc/{self._process.pid}/task")
        total = 0
        for task in tasks.iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                continue
        return total / 1e9

    def wait_attached(self, limit_s: float = 60.0) -> None:
        """Wait for `Attached N probes` on standard error, which all of these tools write when they have."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if b"Attached " in self.stderr.read_bytes():
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.002)
        said = self.stderr.read_text(errors="replace").strip()[-400:]
        raise RunError(f"tracer did not attach (exit {self._process.poll()}): {said}")

    def wait_idle(self, limit_s: float = 120.0) -> None:
        """Wait until it has nothing left to print: under 2 % of a CPU in 0.3 s, three times in a row."""
        end = time.monotonic() + limit_s
        quiet = 0
        before = self.cpu_s()
        while quiet < 3 and time.monotonic() < end:
            time.sleep(0.3)
            now = self.cpu_s()
            quiet = quiet + 1 if now - before < 0.006 else 0
            before = now

    def stop(self) -> float:
        """End it as Ctrl-C does and return how many seconds that took."""
        start = time.monotonic()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout=LEAVE_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise RunError(f"tracer did not end within {LEAVE_LIMIT_S:.0f} s") from None
        return time.monotonic() - start

    def kill(self) -> None:
        """End it at once; nothing happens when it has ended."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@contextmanager
def tracing(command: Sequence[str], folder: Path) -> Iterator[Tracer]:
    """Start a tracer, wait until it has attached. The caller stops it; a block left early kills it."""
    stdout, stderr = folder / "tracer.out", folder / "tracer.err"
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    tracer = Tracer(process, stdout, stderr)
    try:
        tracer.wait_attached()
        yield tracer
    finally:
        tracer.kill()

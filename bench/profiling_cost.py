"""What being profiled costs a program, and what the profilers take themselves, on a machine with many processes."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from profiling_peers import command_of, processor_s

__all__ = ["cost"]

SLOWER_PERCENT = 0.5
PROCESSOR_PERCENT = 1.0
MEMORY_MIB = 150
SLEEPING, PYTHONS = 180, 20
BEGIN_S = 6.0
"""After so long a profiler has seen what runs."""

_LOOP = """
import sys, time
for line in sys.stdin:
    began = time.process_time()
    for i in range(4_000_000): pass
    print(time.process_time() - began, flush=True)
"""
_SOMETIMES = "import time\nwhile True:\n    sum(range(2000))\n    time.sleep(0.1)"


class Loop:
    """A process that does the same piece of work again and again."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", _LOOP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.seconds()  # the first one is slower

    def seconds(self) -> float:
        """Processor time of one piece."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


class Profiler:
    """One that runs, after its beginning: its children count too."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(BEGIN_S)

    def processor_s(self) -> float:
        return processor_s(self.process.pid)

    def peak_mib(self) -> float:
        """The most memory that it has had."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        return 0.0

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _kernscope(hz: int, folder: Path, pid: int) -> list[str] | str:
    script = Path(sys.executable).parent / "kernscope"
    return [str(script), "profile", "cpu", "-F", str(hz), "--once", "-o", str(folder / f"cost-{hz}.json")]


def _perf(hz: int, folder: Path, pid: int) -> list[str] | str:
    perf = command_of("perf", "PERF")
    if perf is None:
        return "not installed"
    return [
        perf,
        "record",
        "-q",
        "-a",
        "-g",
        "-e",
        "cpu-clock",
        "-F",
        str(hz),
        "-o",
        str(folder / "cost.perf"),
    ]


def _pyspy(hz: int, folder: Path, pid: int) -> list[str] | str:
    pyspy = command_of("py-spy", "PYSPY")
    if pyspy is None:
        return "not installed"
    return [
        pyspy,
        "record",
        "-d",
        "600",
        "-r",
        str(hz),
        "-f",
        "raw",
        "-o",
        str(folder / "spy"),
        "-p",
        str(pid),
    ]


TOOLS = {
    "kernscope": _kernscope,
    "perf (frame pointers)": _perf,
    "py-spy (the one program)": _pyspy,
}


def cost(folder: Path, quick: bool, wanted: str) -> Iterator[str]:
    """Rows by tool and rate."""
    yield (
        f"Cost, the whole machine being profiled, with {SLEEPING + PYTHONS} more processes, {PYTHONS} of which run now "
        "and then. Slow-down: the processor time of a fixed loop, beside the same without a profiler before and after; "
        f"processor: of the profiler after its first {BEGIN_S:g} seconds. Budget at 99 Hz: {SLOWER_PERCENT:g} %, "
        f"{PROCESSOR_PERCENT:g} %, {MEMORY_MIB} MiB.\n"
    )
    yield "| tool and rate | slow-down | processor | memory | lost |"
    yield "| --- | --- | --- | --- | --- |"
    many = [subprocess.Popen(["sleep", "900"]) for _ in range(SLEEPING)]
    many += [subprocess.Popen([sys.executable, "-S", "-c", _SOMETIMES]) for _ in range(PYTHONS)]
    loop = Loop()
    try:
        for name, tool in TOOLS.items():
            for hz in (99, 999):
                title = f"{name}, {hz} Hz"
                if wanted in title:
                    print(f"  {title}", file=sys.stderr)
                    command = tool(hz, folder, loop.process.pid)
                    cells = command if isinstance(command, str) else _cells(command, loop, quick, name, hz)
                    yield f"| {title} | {cells} |"
    finally:
        loop.close()
        for process in many:
            process.kill()
        for process in many:
            process.wait()


def _cells(command: list[str], loop: Loop, quick: bool, name: str, hz: int) -> str:
    rounds, seconds = (4, 5.0) if quick else (16, 25.0)
    alone, profiled = [loop.seconds() for _ in range(rounds)], []
    profiler = Profiler(command)
    try:
        if profiler.process.poll() is not None:
            return f"failed: {shlex.join(command)[:60]}"
        first, began = profiler.processor_s(), time.monotonic()
        while time.monotonic() < began + seconds or len(profiled) < rounds:
            profiled.append(loop.seconds())
        spent = 100 * (profiler.processor_s() - first) / (time.monotonic() - began)
        memory = profiler.peak_mib()
    finally:
        profiler.stop()
    alone += [loop.seconds() for _ in range(rounds)]
    slower = 100 * (median(profiled) / median(alone) - 1)
    judged = name == "kernscope" and hz == 99

    def cell(value: float, limit: float, unit: str) -> str:
        verdict = (": kept" if value <= limit else ": **missed**") if judged else ""
        return f"{value:.2f} {unit}{verdict}"

    return " | ".join(
        (
            cell(slower, SLOWER_PERCENT, "%"),
            cell(spent, PROCESSOR_PERCENT, "%"),
            cell(memory, MEMORY_MIB, "MiB"),
            _lost(Path(command[-1])) if name == "kernscope" else "",
        )
    )


def _lost(profile: Path) -> str:
    """How many samples a profile says were lost."""
    import json

    if not profile.exists() or not os.path.getsize(profile):
        return "no profile"
    return str(json.loads(profile.read_text())["lost"])

"""The profilers that are compared: each profiles a program from the moment it may begin, and yields what it saw."""

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from known_work import Work

import kernscope

__all__ = ["PEERS", "Seen", "kernscope_profile"]

ROOTS = ("main", "_start", "Py_BytesMain", "<module>", "__libc_start_main", "start_thread", "clone3")
"""Functions that a whole stack of one of the programs has."""


class Seen:
    """Stacks, the leaf last, with their weights."""

    def __init__(self, stacks: Iterable[tuple[list[str], int]], roots: tuple[str, ...] = ROOTS) -> None:
        self.stacks = list(stacks)
        self.total = sum(weight for _, weight in self.stacks)
        self.complete = sum(weight for names, weight in self.stacks if any(r in names for r in roots))

    def with_function(self, name: str) -> int:
        """Of stacks that have a function."""
        return sum(weight for names, weight in self.stacks if name in names)

    def ranked(self, count: int) -> list[int]:
        """Of the leaves that have most."""
        leaves: dict[str, int] = {}
        for names, weight in self.stacks:
            leaves[names[-1]] = leaves.get(names[-1], 0) + weight
        return sorted(leaves.values(), reverse=True)[:count] + [0] * (count - len(leaves))


def kernscope_profile(work: Work, folder: Path, hz: int, mode: str = "cpu", tid: int = 0) -> Seen:
    """By the library: what `kernscope profile MODE -p PID` collects."""
    options = kernscope.profiler.Options(kernscope.profiler.Filter(pid=work.pid), frequency=hz)
    collector = kernscope.profiler.Collector(kernscope.profiler.mode_named(mode), options)
    with kernscope.run(collector.text, sinks=[collector.sink], pid=work.pid, print_maps=False) as session:
        session.start()
        threading.Timer(0.2, work.go).start()
        profile = collector.run(session)
    stacks = []
    for sample in profile.samples:
        names = [frame.name.partition("(")[0] for frame in profile.frames_of(sample)]
        if tid in (0, sample.tid):
            # Of a stripped program the start has no name: a stack that is not marked as incomplete has it.
            root = "_start" if names and not names[0].startswith("[") else ""
            stacks.append(([root, *names], sample.value))
    return Seen(stacks)


def _stopped(
    command: list[str], work: Work, folder: Path, attach_s: float
) -> "subprocess.CompletedProcess[str]":
    """A tool that is attached to the program, until that ends."""
    log = folder / "peer.out"
    with log.open("w") as out:
        tool = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        time.sleep(attach_s)
        work.go()
        while tool.poll() is None and Path(f"/proc/{work.pid}/stat").read_text().split()[2] != "Z":
            time.sleep(0.2)
        try:
            tool.wait(5)
        except subprocess.TimeoutExpired:
            tool.send_signal(2)
            tool.wait(60)
    return subprocess.CompletedProcess(command, tool.returncode, log.read_text(errors="replace"), "")


def _perf(graph: str) -> Callable[[Work, Path, int], Seen | str]:
    def profile(work: Work, folder: Path, hz: int) -> Seen | str:
        if shutil.which("perf") is None:
            return "not installed"
        file = folder / "perf.data"
        command = [
            "perf",
            "record",
            "-q",
            "-e",
            "cpu-clock",
            "-F",
            str(hz),
            "--call-graph",
            graph,
            "-p",
            str(work.pid),
        ]
        _stopped([*command, "-o", str(file)], work, folder, 2.0)
        script = ["perf", "script", "-i", str(file), "-F", "ip,sym"]
        shown = subprocess.run(script, capture_output=True, text=True, errors="replace", check=False).stdout
        found = []
        for block in shown.split("\n\n"):
            names = [line.split(None, 1)[1] for line in block.splitlines() if len(line.split(None, 1)) == 2]
            if names:
                found.append(([_plain(name) for name in reversed(names)], 1))
        return Seen(found)

    return profile


def _plain(name: str) -> str:
    return re.sub(r"\+0x[0-9a-f]+$", "", name).partition("(")[0]


def _pyspy(work: Work, folder: Path, hz: int) -> Seen | str:
    command = os.environ.get("PYSPY") or shutil.which("py-spy")
    if command is None:
        return "not installed"
    if not os.readlink(f"/proc/{work.pid}/exe").rpartition("/")[2].startswith("python"):
        return "–"
    file = folder / "py-spy.txt"
    options = ["-r", str(hz), "-f", "raw", "-o", str(file), "-d", "600", "-p", str(work.pid)]
    done = _stopped([command, "record", *options], work, folder, 2.0)
    if not file.exists():
        return (
            f"failed: {done.stdout.strip().splitlines()[-1][:60] if done.stdout.strip() else done.returncode}"
        )
    found = []
    for line in file.read_text().splitlines():
        stack, _, weight = line.rpartition(" ")
        found.append(([name.partition(" (")[0] for name in stack.split(";")], int(weight)))
    return Seen(found)


def _bpftrace(work: Work, folder: Path, hz: int) -> Seen | str:
    command = os.environ.get("BPFTRACE")
    if not command:
        return "not installed"
    program = f"profile:hz:{hz} /pid == {work.pid}/ {{ @[ustack(perf)] = count(); }}"
    done = _stopped([command, "-p", str(work.pid), "-e", program], work, folder, 8.0)
    found = []
    for stack, weight in re.findall(r"^@\[\n?(.*?)\]: (\d+)$", done.stdout, re.MULTILINE | re.DOTALL):
        names = [line.split()[1] for line in stack.splitlines() if len(line.split()) > 1]
        if names:
            found.append(([_plain(name) for name in reversed(names)], int(weight)))
    return Seen(found)


PEERS: dict[str, Callable[[Work, Path, int], Seen | str]] = {
    "perf (frame pointers)": _perf("fp"),
    "perf (DWARF)": _perf("dwarf"),
    "py-spy": _pyspy,
    "bpftrace": _bpftrace,
}
"""Name → what profiles with it, or says why it cannot."""

"""The profilers that are compared: they watch the same run of a program at the same time, and say what they saw."""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from known_work import Work

import kernscope

__all__ = ["PEERS", "Peer", "Seen", "command_of", "kernscope_profile", "peer_profiles", "processor_s"]

ROOTS = ("main", "_start", "Py_BytesMain", "<module>", "__libc_start_main", "start_thread", "clone3")
"""Functions that a whole stack of one of the programs has."""
ATTACH_S = 8.0
"""How long the slowest of them takes to begin."""
BEFORE_END_S = 0.7
"""They are ended before the program ends: some name addresses only then, for which it must be there."""
READ_S = 90.0
"""How long one may take to write down what it saw."""


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
        """Of the leaves that have most, where functions without names are told apart."""
        leaves: dict[str, int] = {}
        for names, weight in self.stacks:
            if not names[-1].startswith(("0x", "[unknown]")):
                leaves[names[-1]] = leaves.get(names[-1], 0) + weight
        return sorted(leaves.values(), reverse=True)[:count] + [0] * (count - len(leaves))


def processor_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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


class Peer:
    """One entry. `start` gives the command that watches a process, or why it cannot; `read` what it saw, from the
    folder it wrote to and what it printed.
    """

    def __init__(
        self,
        start: Callable[[int, Path, int], list[str] | str],
        read: Callable[[Path, str], Iterable[tuple[list[str], int]]],
    ) -> None:
        self.start, self.read = start, read


def peer_profiles(work: Work, folder: Path, hz: int, seconds: float) -> dict[str, Seen | str]:
    """Let all of them watch a program that takes so many seconds of processor time; by name what each saw, or why it
    did not.
    """
    running: dict[str, tuple[subprocess.Popen[bytes], Path, Path]] = {}
    found: dict[str, Seen | str] = {}
    for number, (name, peer) in enumerate(PEERS.items()):
        place = folder / f"peer{number}"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        command = peer.start(work.pid, place, hz)
        if isinstance(command, str):
            found[name] = command
            continue
        log = place / "out"
        with log.open("wb") as out:
            tool = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        running[name] = tool, place, log
    try:
        time.sleep(ATTACH_S if running else 0.0)
        work.go()
        limit = time.monotonic() + 6 * seconds
        while processor_s(work.pid) < seconds - BEFORE_END_S and time.monotonic() < limit:
            time.sleep(0.05)
        for tool, _, _ in running.values():
            tool.send_signal(signal.SIGINT)
        for name, (tool, place, log) in running.items():
            found[name] = _seen(PEERS[name], tool, place, log)
    finally:
        for tool, _, _ in running.values():
            if tool.poll() is None:
                tool.kill()
                tool.wait()
    return found


def _seen(peer: Peer, tool: "subprocess.Popen[bytes]", place: Path, log: Path) -> Seen | str:
    try:
        tool.wait(READ_S)
        seen = Seen(peer.read(place, log.read_text(errors="replace")))
    except subprocess.TimeoutExpired:
        return f"not ready after {READ_S:.0f} s"
    except (OSError, ValueError) as problem:
        return f"failed: {problem}"[:60]
    return seen if seen.total else f"no samples (exit code {tool.returncode})"


def command_of(name: str, variable: str) -> str | None:
    """Where a tool is: in an environment variable, or on PATH."""
    return os.environ.get(variable) or shutil.which(name)


def _perf(graph: str) -> Peer:
    def start(pid: int, folder: Path, hz: int) -> list[str] | str:
        perf = command_of("perf", "PERF")
        if perf is None:
            return "not installed"
        options = ["-q", "-e", "cpu-clock", "-F", str(hz), "--call-graph", graph, "-p", str(pid)]
        return [perf, "record", *options, "-o", str(folder / "perf.data")]

    def read(folder: Path, _: str) -> Iterable[tuple[list[str], int]]:
        script = [command_of("perf", "PERF") or "", "script", "--no-inline", "-i", str(folder / "perf.data")]
        shown = subprocess.run(
            [*script, "-F", "ip,sym"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=READ_S,
            check=False,
        )
        for block in shown.stdout.split("\n\n"):
            names = [line.split(None, 1)[1] for line in block.splitlines() if len(line.split(None, 1)) == 2]
            if names:
                yield [_plain(name) for name in reversed(names)], 1

    return Peer(start, read)


def _plain(name: str) -> str:
    return re.sub(r"\+(0x)?[0-9a-f]+$", "", name.strip()).partition("(")[0].partition("@")[0]


def _start_pyspy(pid: int, folder: Path, hz: int) -> list[str] | str:
    command = command_of("py-spy", "PYSPY")
    if command is None:
        return "not installed"
    if not os.readlink(f"/proc/{pid}/exe").rpartition("/")[2].startswith("python"):
        return "–"
    options = ["-r", str(hz), "-f", "raw", "-o", str(folder / "stacks"), "-d", "600", "-p", str(pid)]
    return [command, "record", *options]


def _read_pyspy(folder: Path, _: str) -> Iterable[tuple[list[str], int]]:
    for line in (folder / "stacks").read_text().splitlines():
        stack, _, weight = line.rpartition(" ")
        yield [name.partition(" (")[0] for name in stack.split(";")], int(weight)


def _start_bpftrace(pid: int, folder: Path, hz: int) -> list[str] | str:
    command = command_of("bpftrace", "BPFTRACE")
    if command is None:
        return "not installed"
    return [command, "-p", str(pid), "-e", f"profile:hz:{hz} /pid == {pid}/ {{ @[ustack(perf)] = count(); }}"]


def _read_bpftrace(_: Path, text: str) -> Iterable[tuple[list[str], int]]:
    """`@[`, one line `ADDRESS FUNCTION+OFFSET (FILE)` per frame, `]: COUNT`."""
    for stack, weight in re.findall(r"^@\[\n(.*?)^\]: (\d+)$", text, re.MULTILINE | re.DOTALL):
        names = [line.split()[1] for line in stack.splitlines() if len(line.split()) > 1]
        if names:
            yield [_plain(name) for name in reversed(names)], int(weight)


PEERS: dict[str, Peer] = {
    "perf (frame pointers)": _perf("fp"),
    "perf (DWARF)": _perf("dwarf"),
    "py-spy": Peer(_start_pyspy, _read_pyspy),
    "bpftrace": Peer(_start_bpftrace, _read_bpftrace),
}

"""What watching costs, and what it misses: ``python bench/detection.py [--quick] [-o FILE] [NAME …]``.

`kernscope detect run` with all default rules, beside nothing, `strace -f`, and auditd where it is installed (with rules
for programs that are executed, connections and writes below /etc: a tenth of ours). Round by round, medians. Needs
root.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from choice import may_run
from process import RunError
from result import Budget, Row
from run import machine

__all__ = ["main"]

KERNSCOPE = [str(Path(sys.executable).parent / "kernscope"), "detect", "run", "--no-store"]
C = Path(__file__).parent / "c"
AUDIT_RULES = (
    "-a always,exit -F arch=b64 -S execve,execveat",
    "-a always,exit -F arch=b64 -S connect,ptrace,init_module,finit_module",
    "-w /etc -p wa",
)
_READY_S = 60.0


class Machine:
    """The workloads, built, and what was left out."""

    def __init__(self, folder: Path, quick: bool) -> None:
        self.folder, self.quick = folder, quick
        self.left_out: list[str] = []
        for name in ("each", "flood"):
            subprocess.run(["cc", "-O2", "-o", folder / name, C / f"{name}.c"], check=True)
        self.peers: dict[str, Callable[[], object]] = {"none": _nothing, "kernscope": lambda: detector(self)}
        if shutil.which("auditctl") and shutil.which("auditd"):
            self.peers["auditd"] = lambda: auditd(folder)
        else:
            self.left_out.append("auditd is not installed")
        if not shutil.which("strace"):
            self.left_out.append("strace is not installed")


@contextmanager
def _nothing() -> Iterator[None]:
    yield


class Detector:
    """A running detector: its alerts are lines of JSON in a file."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", alerts: Path, messages: Path, attached_s: float
    ) -> None:
        self.process, self.alerts, self.messages, self.attached_s = process, alerts, messages, attached_s

    def resident_mb(self) -> float:
        """Of it and its children."""
        total = 0
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            except OSError:
                continue
            if self.process.pid in (int(fields["Pid"]), int(fields["PPid"])):
                total += int(fields.get("VmRSS", "0 kB").split()[0])
        return total / 1024

    def found(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.alerts.read_text().splitlines()]

    def stop(self) -> str:
        """What it said at the end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)
        return self.messages.read_text()


@contextmanager
def detector(machine: Machine, *rules: str) -> Iterator[Detector]:
    """Running, and attached."""
    alerts, messages = machine.folder / "alerts", machine.folder / "messages"
    start = time.monotonic()
    with alerts.open("wb") as out, messages.open("wb") as err:
        process = subprocess.Popen([*KERNSCOPE, "-f", "json", *rules], stdout=out, stderr=err)
    try:
        while "watching by" not in messages.read_text():
            if process.poll() is not None or time.monotonic() > start + _READY_S:
                raise RunError(f"the detector did not start: {messages.read_text()[-400:]}")
            time.sleep(0.002)
        yield Detector(process, alerts, messages, time.monotonic() - start)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def auditd(folder: Path) -> Iterator[None]:
    """The kernel's audit with its daemon, which writes a log of its own."""
    # Debian's configuration, but for where the log goes: auditd refuses one that leaves things out.
    usual = Path("/etc/audit/auditd.conf").read_text()
    (folder / "auditd.conf").write_text(
        re.sub(r"(?m)^log_file = .*", f"log_file = {folder}/audit.log", usual)
    )
    daemon = subprocess.Popen(
        ["auditd", "-n", "-c", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        time.sleep(0.5)
        if daemon.poll() is not None:
            raise RunError("auditd does not run here")
        for rule in ("-D", *AUDIT_RULES):
            subprocess.run(["auditctl", *rule.split()], check=True, capture_output=True)
        yield
    finally:
        # Once audit was on, the kernel looks at each call of new processes, but for those that are never audited.
        for end in ("-D", "-e 0", "-a task,never"):
            subprocess.run(["auditctl", *end.split()], capture_output=True)
        daemon.terminate()
        daemon.wait()


# --- rows ---------------------------------------------------------------------------------------------------


def per_call(machine: Machine) -> list[Row]:
    """Each call of a process that no rule is about."""
    found = []
    file = machine.folder / "file"
    file.touch()
    kinds = {
        "getppid": "a call that no rule names",
        "read": "read",
        "mmap": "mmap, read only",
        "openat": "openat, no rule's file",
    }
    for kind, title in kinds.items():
        for index, what in enumerate(("median", "99th percentile", "mean")):
            budgets = [Budget("none", 1.0, 100.0)] if kind == "getppid" and what == "median" else []
            row = Row(f"call-{kind}", f"{title}: {what}", "ns", *budgets)
            found.append((kind, index, row))
    samples: dict[tuple[str, str], list[list[float]]] = {}
    for _ in range(3 if machine.quick else 9):
        for peer, running in machine.peers.items():
            with running():  # type: ignore[attr-defined]
                for kind in kinds:
                    done = subprocess.run(
                        [machine.folder / "each", kind, "300000", file],
                        capture_output=True,
                        text=True,
                        check=True,
                    )
                    samples.setdefault((kind, peer), []).append(
                        [int(word) / 10 for word in done.stdout.split()]
                    )
            print(f"  per-call: {peer}", file=sys.stderr)
    for kind, index, row in found:
        for peer in machine.peers:
            row.add(peer, [sample[index] for sample in samples[kind, peer]])
    return [row for _, _, row in found]


def _sources(folder: Path) -> None:
    """A project of a few dozen files, each of which takes a compiler some tenths of a second."""
    folder.mkdir()
    names = [f"part{n}" for n in range(40)]
    for name in names:
        body = "".join(
            f"double {name}_{k}(double x) {{ for (int i = 0; i < {k + 3}; i++) x = x * {k}.5 + i; return x; }}\n"
            for k in range(120)
        )
        includes = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <math.h>\n"
        (folder / f"{name}.c").write_text(includes + body)
    (folder / "main.c").write_text("int main(void) { return 0; }\n")
    objects = " ".join(f"{name}.o" for name in [*names, "main"])
    (folder / "Makefile").write_text(
        f"all: {objects}\n\tcc -o all {objects} -lm\n%.o: %.c\n\tcc -O1 -c -o $@ $<\n"
    )


def _slowed(machine: Machine, row: Row, command: list[str], prepare: Callable[[], None], rounds: int) -> Row:
    """Wall time of a command beside each peer; under strace too."""
    times: dict[str, list[float]] = {}

    def run(peer: str, before: list[str]) -> None:
        prepare()
        start = time.monotonic()
        subprocess.run([*before, *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.setdefault(peer, []).append(time.monotonic() - start)
        print(f"  {row.name}: {peer} {times[peer][-1]:.2f} s", file=sys.stderr)

    for turn in range(rounds):
        for peer, running in machine.peers.items():
            with running():  # type: ignore[attr-defined]
                run(peer, [])
        if shutil.which("strace") and turn < 2:
            run("strace -f", ["strace", "-f", "-o", "/dev/null"])
    for peer, taken in times.items():
        row.add(peer, taken)
    return row


def build(machine: Machine) -> list[Row]:
    """make -j2 of a generated project."""
    folder = machine.folder / "project"
    _sources(folder)

    def clean() -> None:
        for made in [*folder.glob("*.o"), folder / "all"]:
            made.unlink(missing_ok=True)

    row = Row("build", "make -j2 of 41 C files", "s", Budget("none", 1.02))
    return [_slowed(machine, row, ["make", "-s", "-j2", "-C", str(folder)], clean, 2 if machine.quick else 7)]


def copy(machine: Machine) -> list[Row]:
    """dd bs=512: two calls for each 512 bytes, which no rule is about."""
    count = 300_000 if machine.quick else 2_000_000
    command = ["dd", "if=/dev/zero", "of=/dev/null", "bs=512", f"count={count}"]
    row = Row("copy", f"dd bs=512 count={count:,}", "s")
    return [_slowed(machine, row, command, lambda: None, 3 if machine.quick else 7)]


def _attack(folder: Path, number: int) -> None:
    """Harmless, and what a default rule is about: a file that is no program's own is executed out of /dev/shm."""
    place = Path("/dev/shm") / f"kernscope-bench-{os.getpid()}-{number}"
    shutil.copy("/bin/true", place)
    try:
        subprocess.run([place], check=False)
    finally:
        place.unlink()


def _alerts_of(running: Detector, number: int) -> int:
    return sum(f"kernscope-bench-{os.getpid()}-{number}" in json.dumps(alert) for alert in running.found())


def latency(machine: Machine) -> list[Row]:
    """From before an attack to the alert's line, memory, and the time to the first alert."""
    delay = Row("latency", "from attack to alert", "ms", Budget("", 0, 100.0))
    memory = Row("memory", "resident memory after it", "MB", Budget("", 0, 80.0))
    start = Row("first", "from the command's start to the first alert", "s", Budget("", 0, 2.0))
    delays, sizes, starts = [], [], []
    for _ in range(1 if machine.quick else 5):
        began = time.monotonic()
        with detector(machine) as running:
            for number in range(20):
                sent = time.monotonic()
                _attack(machine.folder, number)
                while not _alerts_of(running, number) and time.monotonic() < sent + 5:
                    time.sleep(0.001)
                if not _alerts_of(running, number):
                    raise RunError("no rule found a program in /dev/shm")
                if number:
                    delays.append(1000 * (time.monotonic() - sent))
                else:
                    starts.append(time.monotonic() - began)
                time.sleep(0.05)
            sizes.append(running.resident_mb())
    delay.add("kernscope", delays)
    memory.add("kernscope", sizes)
    start.add("kernscope", starts)
    return [delay, memory, start]


def flood(machine: Machine) -> list[Row]:
    """A process makes a million calls a second or more, another one ten attacks."""
    found = Row(
        "flood-found",
        "attacks found of 10, during a flood of system calls",
        "",
        Budget("", 0, 10.0, at_least=True),
    )
    lost = Row("flood-lost", "events lost in it", "", Budget("", 0, 0.0))
    rate = Row("flood-rate", "calls a second of the flood", "M")
    with detector(machine) as running:
        flooding = subprocess.Popen([machine.folder / "flood", "8"], stdout=subprocess.PIPE, text=True)
        time.sleep(1)
        for number in range(100, 110):
            _attack(machine.folder, number)
            time.sleep(0.3)
        made, until = flooding.communicate()[0], time.monotonic() + 10
        seen = 0
        while seen < 10 and time.monotonic() < until:
            time.sleep(0.2)
            seen = sum(_alerts_of(running, number) > 0 for number in range(100, 110))
        told = any("flood" in str(alert.get("rule", "")).lower() for alert in running.found())
        said = running.stop()
    found.add("kernscope", [seen])
    lost.add("kernscope", [0.0 if "no event lost" in said else 1.0])
    rate.add("kernscope", [int(made) / 8e6])
    found.notes.append(
        "the flood has an alert of its own" if told else "**the flood itself was not reported**"
    )
    return [found, lost, rate]


def _some_work(folder: Path, turn: int) -> None:
    """What a host does in a second: programs run, files written, renamed and removed, names that were never there."""
    made = folder / f"work-{turn}"
    made.mkdir()
    steps = f"cat /etc/hostname > {made}/$i; mv {made}/$i {made}/$i.done; /bin/true $i {turn}"
    script = f"for i in 1 2 3 4 5; do {steps}; done"
    subprocess.run(["sh", "-c", script], check=True)
    shutil.rmtree(made)


def hour(machine: Machine) -> list[Row]:
    """Resident memory in the course of an hour (two minutes where it is to be quick) of some work each second."""
    minutes = 2 if machine.quick else 60
    rows = {
        part: Row("hour", f"resident memory, {part} of {minutes} minutes", "MB", Budget("", 0, 80.0))
        for part in ("first quarter", "second quarter", "third quarter", "last quarter")
    }
    sizes: list[float] = []
    with detector(machine) as running:
        until, turn = time.monotonic() + 60 * minutes, 0
        while time.monotonic() < until:
            _some_work(machine.folder, turn)
            turn += 1
            if turn % 10 == 0:
                sizes.append(running.resident_mb())
            time.sleep(1)
        said = running.stop()
    quarter = max(1, len(sizes) // 4)
    for number, row in enumerate(rows.values()):
        row.add("kernscope", sizes[number * quarter : (number + 1) * quarter])
    last = rows["last quarter"]
    last.notes.append(
        f"{turn} rounds of work; {said.strip().splitlines()[-1].removeprefix('kernscope detect: ')}"
    )
    return list(rows.values())


ROWS: dict[str, Callable[[Machine], list[Row]]] = {
    "per-call": per_call,
    "build": build,
    "copy": copy,
    "latency": latency,
    "flood": flood,
    "hour": hour,
}
_LONG = ("hour",)
"""Only where it is asked for."""


def table(rows: list[Row]) -> Iterator[str]:
    tools = list(dict.fromkeys(tool for row in rows for tool in row.series))
    yield "| measurement | " + " | ".join(tools) + " | against the budget |"
    yield "| --- " * (len(tools) + 2) + "|"
    for row in rows:
        cells = [row.series[tool].text(row.unit) if tool in row.series else "–" for tool in tools]
        verdicts = "; ".join(f"{text}: {'kept' if kept else '**missed**'}" for text, kept in row.verdicts())
        yield f"| {row.title} | {' | '.join(cells)} | {verdicts or '–'} |"
    notes = [f"- {row.title}: {note}" for row in rows for note in row.notes]
    yield from ["", *notes] if notes else []


def main(arguments: list[str] | None = None) -> int:
    """Run the rows asked for, print the table; 0 when every budget is kept."""
    parser = argparse.ArgumentParser(description="What watching costs, and what it misses.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("-o", "--output", metavar="FILE", help="also write the table here")
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"rows: {', '.join(ROWS)} (default: all but {', '.join(_LONG)})",
    )
    options = parser.parse_args(arguments)
    if not may_run(parser, options.names, ROWS, what="row", work="watching"):
        return 2
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="kernscope-bench-") as folder:
        made = Machine(Path(folder), options.quick)
        before = machine()
        for name in options.names or [name for name in ROWS if name not in _LONG]:
            rows += ROWS[name](made)
    lines = [
        f"{before} before, {os.getloadavg()[0]:.1f} after",
        "",
        *(f"- {line}" for line in made.left_out),
        "",
    ]
    text = "\n".join([*lines, *table(rows)]) + "\n"
    print(text)
    if options.output:
        Path(options.output).write_text(text)
    return 0 if all(kept for row in rows for _, kept in row.verdicts()) else 1


if __name__ == "__main__":
    sys.exit(main())

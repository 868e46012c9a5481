"""What is compared: where each tool is, and the command lines that make it do the same job."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

__all__ = ["Tool", "Workloads", "bpf_object", "bpftrace", "build_workloads", "hand_written_c", "kernscope"]

C = Path(__file__).with_name("c")


class Tool(NamedTuple):
    """A tracer that runs bpftrace programs: its name in the tables, its version, its command."""

    name: str
    version: str
    command: tuple[str, ...]

    def run(self, program: str, *options: str) -> list[str]:
        """Command line that runs `program`."""
        return [*self.command, *options, "-e", program]


class Workloads(NamedTuple):
    """The C programs that make the system calls, and the hand-written tracer (`loader`, "" without clang)."""

    calls: str
    burst: str
    probed: str
    loader: str
    folder: Path


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    lines = done.stdout.strip().splitlines()
    return lines[0] if done.returncode == 0 and lines else "version unknown"


def kernscope() -> Tool:
    """The `kernscope` command of this environment."""
    beside = Path(sys.executable).with_name("kernscope")
    command = str(beside) if beside.exists() else shutil.which("kernscope")
    if command is None:
        raise SystemExit(
            "bench: no kernscope command beside this Python; install the package first (make venv)"
        )
    return Tool("kernscope", _first_line([command, "--version"]), (command, "run"))


def bpftrace() -> Tool | str:
    """bpftrace as the environment variable BPFTRACE names it, or why it is left out."""
    command = os.environ.get("BPFTRACE")
    if not command:
        return "bpftrace: left out, the environment variable BPFTRACE does not name its command"
    if shutil.which(command) is None:
        return f"bpftrace: left out, BPFTRACE={command} is not a command"
    return Tool("bpftrace", _first_line([command, "--version"]), (command,))


def build_workloads(folder: Path) -> Workloads | str:
    """Compile the workloads into `folder`, and the hand-written tracer where clang and libbpf are."""
    compiler = shutil.which("cc")
    if compiler is None:
        return "workloads: left out, there is no C compiler (cc)"
    for name in ("calls", "burst", "probed"):
        subprocess.run(
            [compiler, "-O2", "-fno-omit-frame-pointer", "-o", str(folder / name), str(C / f"{name}.c")],
            check=True,
        )
    return Workloads(str(folder / "calls"), str(folder / "burst"), str(folder / "probed"), "", folder)


def bpf_object(name: str, folder: Path, to: str = "", defines: tuple[str, ...] = ()) -> Path | str:
    """Compile NAME.bpf.c of c/ or c/pairs/ with clang -O2 for BPF; the object, or why there is none.

    `to` is the object's name, when it is another one; `defines` are macros, `NAME=value`.
    """
    source = C / f"{name}.bpf.c"
    if not source.exists():
        source = C / "pairs" / source.name
    clang = shutil.which("clang")
    if clang is None:
        return "hand-written C: left out, clang is not installed"
    target = folder / f"{to or name}.bpf.o"
    # Debian keeps asm/ headers in the architecture's folder, which clang does not search for BPF.
    include = f"-I/usr/include/{os.uname().machine}-linux-gnu"
    command = [
        clang,
        "-O2",
        "-g",
        "-target",
        "bpf",
        include,
        *(f"-D{macro}" for macro in defines),
        "-c",
        str(source),
        "-o",
        str(target),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"hand-written C: left out, clang refuses {name}.bpf.c: {done.stderr.strip().splitlines()[0]}"
    return target


def hand_written_c(workloads: Workloads) -> Workloads | str:
    """`workloads` with the loader built, or why the hand-written tracer is left out."""
    loader = str(workloads.folder / "loader")
    compiler = shutil.which("cc") or "cc"
    command = [compiler, "-O2", "-o", loader, str(C / "loader.c"), "-lbpf"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return "hand-written C: left out, its loader does not compile (is libbpf-dev installed?)"
    for name in ("count", "count_exact", "lines"):
        made = bpf_object(name, workloads.folder)
        if isinstance(made, str):
            return made
    return workloads._replace(loader=loader)

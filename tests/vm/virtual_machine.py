"""Run the kernel tests on other kernels: ``python tests/vm/virtual_machine.py [KERNEL …] [-- PYTEST ARGUMENT …]``.

KERNEL is one of `kernels.KERNELS` (default: all). The virtual machine's root is the machine's own, so Python, the
project and its tests are just there. Works without hardware virtualisation, some ten times slower. Needs root, qemu
(qemu-system-x86 and qemu-system-common), a C compiler and apt.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from kernels import KERNELS, image, kernel_folder
from ram_disk import initial_ram_disk

__all__ = ["CACHE", "QUICK", "Outcome", "main", "obstacle", "run", "test_kernel"]

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
CACHE = PROJECT / "build" / "vm"
VIRTIOFSD = ("/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd")

CHOSEN = (
    "counting tutorial kprobe fentry lsm uprobe usdt iterators counters watchpoint packets verdicts "
    "kernel_attach kernel_maps kernel_facts kernel_loops runtime ssa_kernel vm_against_kernel types"
).split()
"""Of tests/kernel what depends on the kernel most: all of it takes hours on an emulated processor."""

QUICK = tuple(f"tests/kernel/test_{name}.py" for name in ("kernel_loops", "fentry", "lsm", "kernel_attach"))
"""Two minutes of it."""

LIMIT_S = 3600.0
Show = Callable[[str], None]


class Outcome(NamedTuple):
    """How a command in a virtual machine ended. `code` is None when it did not end in time, or the machine died."""

    code: int | None
    text: str
    seconds: float


def obstacle() -> str:
    """Why no virtual machine can be run here; "" if one can."""
    if os.geteuid() != 0:
        return "needs root"
    if os.uname().machine != "x86_64":
        return "knows x86-64 only"
    if Path(__file__).resolve().is_relative_to("/tmp"):
        return "this project lies below /tmp, which the machine inside has for itself"
    if shutil.which("qemu-system-x86_64") is None:
        return "qemu is not installed: apt install qemu-system-x86 qemu-system-common"
    if not any(os.path.exists(path) for path in VIRTIOFSD):
        return f"there is no virtiofsd ({' or '.join(VIRTIOFSD)}): apt install qemu-system-common"
    if shutil.which("gcc") is None:
        return "there is no C compiler for the first process: apt install gcc libc6-dev"
    if shutil.which("apt-get") is None:
        return "kernels come from Debian by apt-get, which is not here"
    return ""


def run(
    kernel: Path, command: Sequence[str], *, limit_s: float = LIMIT_S, show: Show = lambda _: None
) -> Outcome:
    """Boot, run `command` in the project's folder, stop. `show` gets the output as it comes."""
    start = time.monotonic()
    # Not below /tmp or /run, where the virtual machine has file systems of its own.
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="run-") as name:
        folder = Path(name)
        output, script = folder / "output", folder / "script"
        output.touch()
        script.write_text(shlex.join(command))  # the kernel command line splits words at spaces
        in_time = _boot(kernel, [str(PROJECT), str(output), str(script)], folder, start + limit_s, show)
        text = output.read_text(errors="replace")
        body, _, last = text.rstrip().rpartition("\n")
        seconds = time.monotonic() - start
        if last.startswith("exit code "):
            return Outcome(int(last.split()[-1]), body, seconds)
        if not in_time:
            return Outcome(None, f"{text}\nnot done within {limit_s:.0f} s", seconds)
        console = (folder / "console").read_text(errors="replace")
        return Outcome(
            None, f"{text}\nthe machine stopped; the end of its console:\n{console[-3000:]}", seconds
        )


def _boot(kernel: Path, arguments: list[str], folder: Path, end: float, show: Show) -> bool:
    """Run the machine until it stops, or until `end`: then False."""
    socket = folder / "socket"
    virtiofsd = next(path for path in VIRTIOFSD if os.path.exists(path))
    shared = [virtiofsd, "-o", "source=/", "-o", "cache=always", "-o", "sandbox=chroot"]
    command = _machine(kernel, [str(HERE / "inside.sh"), *arguments], folder)
    with subprocess.Popen(
        [*shared, f"--socket-path={socket}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as files:
        try:
            for _ in range(100):
                if socket.exists():
                    break
                time.sleep(0.05)
            with subprocess.Popen(command) as machine, (folder / "output").open(errors="replace") as output:
                try:
                    while machine.poll() is None and time.monotonic() < end:
                        show(output.read())
                        time.sleep(0.2)
                    show(output.read())
                    return machine.poll() is not None
                finally:
                    machine.kill()
        finally:
            files.terminate()


def _machine(kernel: Path, words: list[str], folder: Path) -> list[str]:
    """qemu's command line. `words` is the program that the RAM disk starts in the real root, with its arguments."""
    disk = initial_ram_disk(kernel, folder)
    memory = ["-object", "memory-backend-memfd,id=memory,size=2G,share=on", "-numa", "node,memdev=memory"]
    return [
        *(
            "qemu-system-x86_64",
            "-accel",
            # With a thread per processor, one may run into code that another is about to patch, and the machine stops
            # (`Oops: int3` in __schedule, seen once). One thread is as quick for what is run here.
            "tcg,thread=single",
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            "2G",
            *memory,
        ),
        *(
            "-chardev",
            f"socket,id=root,path={folder / 'socket'}",
            "-no-reboot",
            "-nodefaults",
            "-display",
            "none",
        ),
        *("-device", "vhost-user-fs-pci,chardev=root,tag=root", "-serial", f"file:{folder / 'console'}"),
        *("-kernel", str(image(kernel)), "-initrd", str(disk), "-append"),
        # The kernel gives its first process the words after `--`.
        f"console=ttyS0 quiet panic=-1 lsm=lockdown,yama,bpf lockdown=none -- {' '.join(words)}",
    ]


def test_kernel(
    name: str, tests: Sequence[str] = (), *, limit_s: float = LIMIT_S, show: Show = lambda _: None
) -> Outcome | str:
    """Run tests (default: the chosen ones) on one kernel, or say why there is no such kernel."""
    kernel = kernel_folder(name, CACHE)
    if isinstance(kernel, str):
        return kernel
    show(f"test-vm: Linux {kernel.name.partition('-')[2]}\n")
    files = [f"tests/kernel/test_{chosen}.py" for chosen in CHOSEN]
    pytest = [str(PROJECT / ".venv/bin/python"), "-m", "pytest", "-p", "no:cacheprovider"]
    return run(kernel, [*pytest, *(tests or files)], limit_s=limit_s, show=show)


def summary(outcome: Outcome) -> str:
    """One line: what pytest counted."""
    counted = re.findall(
        r"^(?:=+ )?(\d+ (?:passed|failed|skipped|error).*?) in [\d.]+s", outcome.text, re.MULTILINE
    )
    ended = "" if outcome.code is not None else ", not to the end"
    return f"{counted[-1] if counted else 'no test was run'}{ended}, {outcome.seconds:.0f} s"


def _print(text: str) -> None:
    print(text, end="", flush=True)


def main(arguments: list[str]) -> int:
    """Run the tests on each kernel; 0 when none failed, also when none could be run."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    names, tests = arguments[:at] or list(KERNELS), arguments[at + 1 :]
    unknown = [name for name in names if name not in KERNELS]
    if unknown:
        print(f"test-vm: no kernel {unknown[0]!r}; there are {', '.join(KERNELS)}", file=sys.stderr)
        return 2
    why = obstacle()
    if why:
        print(f"test-vm: left out: {why}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # with the machine, not beside it
    worst, lines = 0, []
    for name in names:
        outcome = test_kernel(name, tests, show=_print)
        if isinstance(outcome, str):
            lines.append(f"{name:8} left out: {outcome}")
            continue
        if outcome.code is None:
            print(outcome.text[-3500:])
        lines.append(f"{name:8} {summary(outcome)}")
        worst = max(worst, 1 if outcome.code is None else outcome.code)
    print("\n".join(["", "test-vm, kernel by kernel:", *lines]))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Which kinds of probes work on which kernels: ``python tools/kernel_matrix.py [KERNEL …]`` writes docs/kernels.json.

One small program per kind is run on the running kernel (`here`) and on Debian's kernels in virtual machines
(tests/vm); default: all. Kernels that are not asked for, or cannot be had, keep their results. `make docs` makes the
tables of docs/kernels.md from the file. ``--on-this FILE`` is what runs inside: the results of this kernel alone.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "kernels.json"
sys.path.append(str(ROOT / "tests" / "vm"))

__all__ = ["CASES", "RESULTS", "Case", "read"]

_WORK = Path(__file__).with_name("kernel_work.c")
_FLAGS = ("-O1", "-pthread", "-no-pie", "-Wl,--section-start=.watched=0x10000000")
"""With a variable at an address that is known: the watchpoint's."""


class Case(NamedTuple):
    """A row: the probe, and the options it needs."""

    probe: str
    options: tuple[str, ...] = ()


_ENFORCING = ("--enforce",)
CASES = (
    Case("tracepoint:syscalls:sys_enter_read"),
    Case("tracepoint:sched:sched_switch"),
    Case("rawtracepoint:sched_switch"),
    Case("interval:ms:10"),
    Case("profile:hz:99"),
    Case("kprobe:vfs_read"),
    Case("kretprobe:vfs_read"),
    Case("kprobe:vfs_*"),
    Case("fentry:vfs_read"),
    Case("fexit:vfs_read"),
    Case("fentry:vfs_*"),
    Case("uprobe:libc:usleep"),
    Case("uretprobe:libc:usleep"),
    Case("uprobe:libc:pthread_*"),
    Case("usdt:./work:step"),
    Case("software:page-faults:1"),
    Case("hardware:cpu-cycles:100000"),
    Case("watchpoint:0x10000000:8:w"),
    Case("iter:task"),
    Case("iter:task_file"),
    Case("iter:task_vma"),
    Case("lsm:file_open", _ENFORCING),
    Case("netfilter:ipv4:input", _ENFORCING),
    Case("xdp:lo", _ENFORCING),
    Case("tc:lo:ingress", _ENFORCING),
    Case("cgroup:/:egress", _ENFORCING),
)


def _run(case: Case, folder: str) -> str:
    """What a user is told when the case does not work here; "" when it does. `folder` has the workload."""
    command = [sys.executable, "-m", "kernscope.cli", "run", *case.options]
    program = case.probe + ' { printf("seen\\n"); exit(); }'
    try:
        done = subprocess.run(
            [*command, "-e", program, "-c", "./work"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
    except subprocess.TimeoutExpired:
        return "not done within 120 s"
    if done.returncode == 0 and "seen" in done.stdout:
        return ""
    told = re.search(r"^error(?:\[[\w-]+\])?: (.*)$", done.stderr, re.MULTILINE)
    return (
        told[1] if told else f"nothing was seen (exit code {done.returncode}): {done.stderr.strip()[-200:]}"
    )


def on_this_kernel() -> dict[str, object]:
    """The column of the running kernel."""
    from kernscope.kernel import Kernel

    with Kernel() as kernel:
        features = {name: not why for name, why in kernel.features.probe_all(again=True).items()}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["gcc", *_FLAGS, "-o", f"{folder}/work", _WORK], check=True)
        probes = {case.probe: _run(case, folder) for case in CASES}
    return {
        "release": os.uname().release,
        "probes": probes,
        "features": features,
    }


def read() -> dict[str, dict[str, dict[str, str]]]:
    """Version → its column, oldest first; nothing where nothing was written yet."""
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return dict(sorted(found.items(), key=lambda item: [int(part) for part in item[0].split(".")]))


def _in_virtual_machine(name: str) -> dict[str, object] | str:
    import virtual_machine
    from kernels import kernel_folder

    why = virtual_machine.obstacle()
    kernel = why or kernel_folder(name, virtual_machine.CACHE)
    if isinstance(kernel, str):
        return kernel
    file = virtual_machine.CACHE / f"matrix-{os.getpid()}.json"
    outcome = virtual_machine.run(kernel, [sys.executable, __file__, "--on-this", str(file)], limit_s=1800)
    if outcome.code != 0:
        return outcome.text[-1000:]
    found: dict[str, object] = json.loads(file.read_text())
    file.unlink()
    return found


def main(arguments: list[str]) -> int:
    """Write the results of the kernels asked for into those that there are."""
    if arguments[:1] == ["--on-this"]:
        Path(arguments[1]).write_text(json.dumps(on_this_kernel()))
        return 0
    from kernels import KERNELS

    columns: dict[str, object] = dict(read())
    for name in arguments or ["here", *KERNELS]:
        column = on_this_kernel() if name == "here" else _in_virtual_machine(name)
        if isinstance(column, str):
            print(f"kernels: {name} left out: {column}", flush=True)
            continue
        release = str(column["release"])
        version = ".".join(release.split(".")[:2])
        if name == "here":
            column["release"] = version
        columns[version] = column
        print(f"kernels: {name} is Linux {release}", flush=True)
        RESULTS.write_text(json.dumps(columns, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

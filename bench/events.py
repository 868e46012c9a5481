"""What one event of a kind costs the traced process: the probe counts, nothing else."""

import os
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from process import RunError, tracing, workload
from result import Budget, Row
from rows import FASTEST, Job, Setup, check_count, cpus, interleave
from tools import bpf_object

__all__ = ["event_costs"]


class Kind(NamedTuple):
    """A kind: its probe on `probed` or on getppid(2), libbpf's section for it, the workload, why it is not here."""

    name: str
    probe: str
    section: str
    workload: str
    missing: Callable[[], str]


def _always() -> str:
    return ""


def _needs(feature: str) -> Callable[[], str]:
    def why() -> str:
        from kernscope.kernel import Kernel

        with Kernel() as kernel:
            return "" if kernel.has_feature(feature) else "left out, this kernel has none (`--vm KERNEL`)"

    return why


_GETPPID = "__x64_sys_getppid" if os.uname().machine == "x86_64" else "__arm64_sys_getppid"
_KINDS = (
    Kind("uprobe", "uprobe:{probed}:step", "uprobe/{probed}:step", "probed", _always),
    Kind("uretprobe", "uretprobe:{probed}:step", "uretprobe/{probed}:step", "probed", _always),
    Kind("usdt", "usdt:{probed}:probed:mark", "usdt/{probed}:probed:mark", "probed", _always),
    Kind("kprobe", f"kprobe:{_GETPPID}", f"kprobe/{_GETPPID}", "calls", _needs("kprobe")),
    Kind("kretprobe", f"kretprobe:{_GETPPID}", f"kretprobe/{_GETPPID}", "calls", _needs("kprobe")),
    Kind("fentry", f"fentry:{_GETPPID}", f"fentry/{_GETPPID}", "calls", _needs("fentry")),
    Kind("fexit", f"fexit:{_GETPPID}", f"fexit/{_GETPPID}", "calls", _needs("fentry")),
)


def event_costs(setup: Setup) -> list[Row]:
    """One row per kind: traced minus untraced, per event."""
    return [_row(setup, kind) for kind in _KINDS]


def _row(setup: Setup, kind: Kind) -> Row:
    title = f"added time per event of a {kind.name}, counted"
    row = Row(f"event-{kind.name}", title, "ns", Budget("bpftrace", 1.1), Budget("C", 1.1))
    workloads = setup.workloads
    why = "left out, needs a C compiler" if workloads is None else kind.missing()
    if why or workloads is None:
        row.notes.append(why)
        return row
    count = 50_000 if setup.quick else 200_000
    program = workloads.probed if kind.workload == "probed" else workloads.calls
    calls = [program, str(count), "20", "1" if cpus() > 1 else "0"]
    probe, section = (text.format(probed=workloads.probed) for text in (kind.probe, kind.section))

    def bare() -> float:
        return float(workload(calls)[FASTEST])

    def traced(command: list[str], key: str) -> float:
        with tracing(command, setup.folder) as tracer:
            took = float(workload(calls)[FASTEST])
            tracer.stop()
            check_count(tracer.stdout.read_text(errors="replace"), key, count)
        return took

    jobs = [Job("baseline", setup.rounds(7, 3), bare)]
    loader = _loader(setup, kind, section, row)
    if loader:
        jobs.append(Job("C", setup.rounds(7, 3), partial(traced, loader, "@[0]")))
    for tool in setup.tools():
        command = tool.run(probe + " { @ = count(); }")
        jobs.append(Job(tool.name, setup.rounds(7, 3), partial(traced, command, "@")))
    interleave(row, jobs)
    untraced = row.series.pop("baseline", None)
    if untraced is None:
        raise RunError(f"the workload of {row.name} does not run alone")
    for name, series in list(row.series.items()):
        row.add(name, [took - untraced.middle for took in series.samples])
    return row


def _loader(setup: Setup, kind: Kind, section: str, row: Row) -> list[str] | None:
    if setup.workloads is None or not setup.workloads.loader:
        return None
    machine = {"x86_64": "x86", "aarch64": "arm64"}.get(os.uname().machine, "none")
    defines = (f'SECTION="{section}"', f"__TARGET_ARCH_{machine}", *(["USDT"] if kind.name == "usdt" else []))
    made = bpf_object("event", setup.folder, f"event-{kind.name}", defines)
    if isinstance(made, str):
        row.notes.append(made)
        return None
    return [setup.workloads.loader, str(made)]

"""Running a program on the user-space machine or on the kernel, and what the run showed in plain values."""

import io
import os
import time
from collections.abc import Sequence
from typing import Any

from program_oracle import Facts, Result
from vm_kernel import VmKernel

from kernscope.asm.vm import Environment
from kernscope.bundle import Bundle
from kernscope.compiler import compile_source
from kernscope.diagnostics import Source
from kernscope.output.histogram import Histogram, Stats
from kernscope.output.text import TextSink
from kernscope.runtime import Session

__all__ = ["Facts", "compiled", "facts_of_this_process", "run_on", "vm_kernel"]

_SIGNAL = 10
"""SIGUSR1 on x86 and arm."""


def facts_of_this_process() -> Facts:
    """What the built-ins say in a program that this process runs."""
    import threading

    with open("/proc/thread-self/comm", "rb") as file:
        comm = file.read().rstrip(b"\n")
    return Facts(os.getpid(), threading.get_native_id(), os.getuid(), os.getgid(), comm)


def vm_kernel(facts: Facts, cpus: int = 2, **options: Any) -> VmKernel:
    """A machine on which the same process runs, on the last CPU."""
    environment = Environment(
        pid=facts.tid,
        tgid=facts.pid,
        uid=facts.uid,
        gid=facts.gid,
        comm=facts.comm,
        cpus=cpus,
        cpu=cpus - 1,
        ktime_ns=time.monotonic_ns() + 10**9,  # after the start of any session
    )
    return VmKernel(environment, possible_cpus=cpus, **options)


def compiled(kernel: Any, text: str, parameters: Sequence[str] = (), *, verify: bool = False) -> Bundle:
    """A program for a kernel; `verify` checks every intermediate form."""
    return compile_source(Source("fuzz", text), kernel, parameters=parameters, verify=verify)


def run_on(
    kernel: Any,
    bundle: Bundle,
    contexts: Sequence[Sequence[int]] = (),
    signals: int = 0,
) -> Result:
    """Load and run: `begin`, the raw tracepoint's events, the signals, `end`; nothing is attached.

    Raises what loading raises.
    """
    output = io.BytesIO()
    programs: list[Any] = []

    def collect(kernel: Any, where: Any, program: Any) -> list[Any]:
        programs.append(program)
        return []

    sink = TextSink(output, None, terminal=False, end_lines="", quiet=True)
    session = Session(bundle, kernel, sinks=[sink], print_maps=False, attach=collect)
    try:
        session.start()
        for context in contexts:
            for program in programs:
                program.test_run(b"".join((word & (1 << 64) - 1).to_bytes(8, "little") for word in context))
        if not session._live.exit_flag:
            for _ in range(signals):
                session._live.run_inline("signal", _SIGNAL)
    finally:
        session.close()
    maps = {name: _plain_map(view.snapshot()) for name, view in session.maps.items()}
    errors = [_short(event.message) for event in session.warnings for _ in range(max(1, event.count))]
    if session.lost:
        errors.append(f"{session.lost} records lost")
    return Result(output.getvalue(), session.exit_code, errors, maps)


def _short(message: str) -> str:
    return "division by zero" if message.startswith("division by zero") else message


def _plain_map(content: dict[Any, Any]) -> dict[Any, Any]:
    return {_plain(key): _plain(value) for key, value in content.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, Stats):
        return (value.count, value.average, value.total)
    if isinstance(value, Histogram):
        return {bucket.low: bucket.count for bucket in value.buckets if bucket.count}
    if isinstance(value, tuple):
        return tuple(_plain(part) for part in value)
    return value

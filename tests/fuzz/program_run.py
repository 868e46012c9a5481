"""Running a program on the user-space machine or on the kernel, and what the run showed in plain values."""

import io
import os
import time
from collections.abc import Sequence
from typing import Any

from program_oracle import Facts, Result
from program_tree import CALL_NUMBERS, PATH, SystemCall
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
    calls: Sequence[SystemCall] = (),
) -> Result:
    """Load and run: `begin`, the raw tracepoint's events, system calls, the signals, `end`; nothing is attached.

    `calls` are for a machine that `vm_kernel` made. Raises what loading raises.
    """
    output = io.BytesIO()
    programs: list[tuple[str, Any]] = []

    def collect(kernel: Any, where: Any, program: Any) -> list[Any]:
        programs.append((where.kind, program))
        return []

    sink = TextSink(output, None, terminal=False, end_lines="", quiet=True)
    session = Session(bundle, kernel, sinks=[sink], print_maps=False, attach=collect)
    try:
        session.start()
        events = [("rawtracepoint", context) for context in contexts]
        for i, call in enumerate(calls):
            registers = _put_registers(kernel, i, call)
            events.append(("syscall_enter", (registers, CALL_NUMBERS[call.name])))
            events.append(("syscall_exit", (registers, call.result)))
        for wanted, words in events:
            for kind, program in programs:
                if kind == wanted:
                    program.test_run(b"".join((word & (1 << 64) - 1).to_bytes(8, "little") for word in words))
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


_REGISTERS_AT = 0xFFFF888000100000
_TASK_AT = 0xFFFF888000800000
_PATH_AT = 0x7F0000001000


def _put_registers(kernel: VmKernel, i: int, call: SystemCall) -> int:
    """Lay out the `i`th call's struct pt_regs, its path and the task in the machine's memory."""
    arch, environment = kernel.arch, kernel.environment
    if i == 0:
        environment.task = _TASK_AT
        environment.add_memory(_TASK_AT, bytes(1 << 14), user=False)
        environment.add_memory(_PATH_AT, PATH + b"\0", user=True)
    registers = bytearray(arch.pt_regs_size)
    arguments = list(call.arguments)
    if call.name == "openat":
        arguments[1] = _PATH_AT
    values = {arch.syscall_number_register: CALL_NUMBERS[call.name]}
    values |= dict(zip(arch.syscall_arguments, arguments))
    for name, value in values.items():
        at = arch.register_offsets[name]
        registers[at : at + 8] = value.to_bytes(8, "little")
    address = _REGISTERS_AT + 0x1000 * i
    environment.add_memory(address, bytes(registers), user=False)
    return address


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

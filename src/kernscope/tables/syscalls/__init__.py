"""System calls: their numbers and names per machine, and what the kernel's tracepoints call them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "NO_RETURN",
    "TRACEPOINT_NAMES",
    "names",
    "numbers",
    "syscall_of_tracepoint",
    "tracepoint_of_syscall",
]

TRACEPOINT_NAMES: dict[str, str] = {
    "stat": "newstat",
    "fstat": "newfstat",
    "lstat": "newlstat",
    "uname": "newuname",
    "umount2": "umount",
    "sendfile": "sendfile64",
}
"""System call → NAME of `tracepoint:syscalls:sys_enter_NAME`, where they differ: tracepoints are named after
the kernel's function (third column of arch/x86/entry/syscalls/syscall_64.tbl and scripts/syscall.tbl)."""

_SYSCALL_NAMES = {tracepoint: name for name, tracepoint in TRACEPOINT_NAMES.items()}

NO_RETURN = frozenset(("exit", "exit_group", "rt_sigreturn"))
"""System calls without a `sys_exit` event of their number: the task is gone, or goes on where a signal had
interrupted it, and the number is -1. `execve` does return."""

_tables: dict[str, dict[int, str]] = {}
_numbers: dict[str, dict[str, int]] = {}


def names(machine: str) -> Mapping[int, str]:
    """Number → name of the system calls of `machine`: `x86_64`, `aarch64` as uname(2) says, or `i386` for 32-bit
    programs on x86_64.
    """
    table = _tables.get(machine)
    if table is None:
        if machine == "x86_64":
            from kernscope.tables.syscalls.x86_64 import RUNS
        elif machine == "i386":
            from kernscope.tables.syscalls.i386 import RUNS
        elif machine in ("aarch64", "arm64"):
            from kernscope.tables.syscalls.aarch64 import RUNS
        else:
            raise KeyError(machine)
        table = {first + index: name for first, run in RUNS for index, name in enumerate(run.split())}
        _tables[machine] = table
    return table


def numbers(machine: str) -> dict[str, int]:
    """Name → number of the system calls of `machine`."""
    table = _numbers.get(machine)
    if table is None:
        table = _numbers[machine] = {name: number for number, name in names(machine).items()}
    return table


def syscall_of_tracepoint(name: str) -> str:
    """`newstat` → `stat`: the system call that `sys_enter_NAME` reports."""
    return _SYSCALL_NAMES.get(name, name)


def tracepoint_of_syscall(name: str) -> str:
    """`stat` → `newstat`: the NAME in `sys_enter_NAME` that reports a system call."""
    return TRACEPOINT_NAMES.get(name, name)

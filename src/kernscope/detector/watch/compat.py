"""System calls of 32-bit programs on x86_64: other numbers, arguments in other registers, the same events.

A task that makes such a call has TS_COMPAT in `thread_info.status` until it returns
(arch/x86/include/asm/thread_info.h).
Sockets by way of the old socketcall(2) are not taken apart.
"""

from __future__ import annotations

from kernscope.tables.syscalls import numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["IS_COMPAT", "REGISTERS", "compat_numbers"]

IS_COMPAT = "(((struct task_struct *)curtask)->thread_info.status & 2) != 0"
REGISTERS = ("bx", "cx", "dx", "si", "di", "bp")

# Their structures differ from those of 64-bit programs.
_OTHER_LAYOUT = ("sendmsg", "process_vm_readv", "process_vm_writev")
_NAMES = {"umount": "umount2", "mmap2": "mmap", "utimensat_time64": "utimensat"}
"""What calls are named there → for 64-bit programs. `setuid32` is `setuid`, `truncate64` is `truncate`."""
_SUFFIXES = ("32", "64")


def compat_numbers(names: Iterable[str]) -> dict[int, str]:
    """Number of a call of a 32-bit program → name, for those that are called `names` in 64-bit programs."""
    wanted = set(names).difference(_OTHER_LAYOUT)
    found = {}
    for name, number in numbers("i386").items():
        for known in (name, _NAMES.get(name, ""), *(name.removesuffix(suffix) for suffix in _SUFFIXES)):
            if known in wanted:
                found[number] = known
                break
    return found

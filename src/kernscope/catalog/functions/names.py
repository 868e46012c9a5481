"""Numbers to names: error numbers and system calls, from tables of constants that the program carries."""

from kernscope.catalog.base import CheckContext, Function, LowerContext
from kernscope.catalog.functions.checks import wants_integer
from kernscope.ssa import Cond
from kernscope.syntax.ast import Call
from kernscope.tables.syscalls import names as syscall_names
from kernscope.types import String, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["FUNCTIONS"]

ENTRY_BYTES = 64

_LAST_ERRNO = 133
"""EHWPOISON, the largest of include/uapi/asm-generic/errno.h."""


_TEXTS = {
    5: "I/O error",
    9: "Bad file number",
    11: "Try again (operation would block)",
    12: "Out of memory",
    18: "Cross-device link",
    23: "File table overflow",
    25: "Not a typewriter",
    33: "Math argument out of domain of func",
    34: "Math result not representable",
    35: "Resource deadlock would occur",
    37: "No record locks available",
    38: "Invalid system call number",
    40: "Too many symbolic links encountered",
    74: "Not a data message",
    84: "Illegal byte sequence",
    95: "Operation not supported on transport endpoint",
    102: "Network dropped connection because of reset",
    122: "Quota exceeded",
    125: "Operation Canceled",
}
"""Where bpftrace says it in the words of include/uapi/asm-generic/errno.h, not in those of the C library."""


class _NameOf(Function):
    """A string of 64 bytes for a number."""

    arity = (1, 1)
    unknown = ""

    def names(self, machine: str) -> dict[int, str]:
        raise NotImplementedError

    def check(self, cx: CheckContext, call: Call) -> Type | None:
        wants_integer(cx, call, call.args[0])
        return String(ENTRY_BYTES)

    def index(self, lo: LowerContext, value: "Value") -> "Value":
        return value

    def lower(self, lo: LowerContext, call: Call) -> "Value | None":
        b = lo.b
        names = self.names(lo.kernel.arch.machine)
        count = max(names) + 1
        entries = [names.get(i, self.unknown) for i in range(count)] + [self.unknown]
        table = b"".join(entry.encode()[: ENTRY_BYTES - 1].ljust(ENTRY_BYTES, b"\0") for entry in entries)
        number = self.index(lo, lo.value(call.args[0]))
        bounded = b.select(b.cmp(Cond.ULT, number, count), number, count)
        return b.ptr_add(lo.global_address(lo.constant_table(table)), b.mul(bounded, ENTRY_BYTES))


class _Strerror(_NameOf):
    name = "strerror"
    usage = ("strerror(ERRNO)",)
    doc = "What an error number means, in words; negative numbers mean the same as positive ones."
    unknown = "Unknown error"

    def names(self, machine: str) -> dict[int, str]:
        import os

        texts = {n: os.strerror(n) for n in range(_LAST_ERRNO + 1)} | _TEXTS
        return {n: text for n, text in texts.items() if not text.startswith(self.unknown)}

    def index(self, lo: LowerContext, value: "Value") -> "Value":
        b = lo.b
        number = b.ext(value, 32, True)
        return b.select(b.cmp(Cond.SLT, number, 0), b.neg(number), number)


class _SyscallName(_NameOf):
    name = "syscall_name"
    usage = ("syscall_name(NUMBER)",)
    doc = "Name of the system call with a number on this machine's architecture."
    unknown = "Unknown syscall"

    def names(self, machine: str) -> dict[int, str]:
        return dict(syscall_names(machine))


FUNCTIONS = (_Strerror(), _SyscallName())

"""`watchpoint:ADDRESS:LENGTH:MODE`: whoever writes to, reads or executes an address, of a process or of the kernel.

The processor watches, with its debug registers, of which it has few (four on x86).
"""

from collections.abc import Sequence

from kernscope.bundle import Attach
from kernscope.diagnostics import Diagnostic, error
from kernscope.tables.bpf import ProgramType

from .base import ProbeKind, ProgramShape, Report, Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelAccess, KernelFacts
    from kernscope.kernel.link import Link
    from kernscope.kernel.program import Program
    from kernscope.syntax.ast import AttachPoint

__all__ = ["ASYNC_WATCHPOINT", "SERVERS", "WATCHPOINT"]

_LENGTHS = (1, 2, 4, 8)
_READ, _WRITE, _EXECUTE = 1, 2, 4
"""HW_BREAKPOINT_* of include/uapi/linux/hw_breakpoint.h."""

_MODES = {"w": _WRITE, "rw": _READ | _WRITE, "wr": _READ | _WRITE, "x": _EXECUTE}
"""x86 cannot watch reads alone, nor execution together with anything else."""

_EXECUTE_LENGTH = 8
"""The kernel wants the size of a long for execution, whatever the instruction's (arch_build_bp_info)."""

_KERNEL_HALF = 1 << 63
"""Addresses from here on are the kernel's, on all 64-bit machines that are supported."""

_EXAMPLE = "write `watchpoint:0x10000000:8:rw`: an address, how many bytes, and what is watched"


class _Watched(ProbeKind):
    """What an address becomes: a perf event in all threads of the process, or on all CPUs.

    A target's key is `(address, length, mode, process)`.
    """

    registers = True

    def __init__(self, name: str, pointer_space: str) -> None:
        self.providers = (name,)
        self.pointer_space = pointer_space

    def shape(self, kernel: "KernelFacts", targets: Sequence[Target]) -> ProgramShape:
        attach = tuple(Attach(self.providers[0], t.name, t.key) for t in targets)
        return ProgramShape("watchpoint", ProgramType.PERF_EVENT, attach)

    def attach(self, kernel: "KernelAccess", attach: Attach, program: "Program") -> "list[Link]":
        address, length, mode, process = (part for part in attach.target if isinstance(part, int))
        return kernel.attach_watchpoint(program, address, length, mode, process=process, target=attach.probe)


_OF_PROCESS = _Watched("process_watchpoint", "user")
_OF_KERNEL = _Watched("kernel_watchpoint", "kernel")

SERVERS = (_OF_PROCESS, _OF_KERNEL)


class _Watchpoint(ProbeKind):
    providers = ("watchpoint", "w")
    syntax = ("watchpoint:ADDRESS:LENGTH:MODE",)
    doc = (
        "Runs when an address is written (`w`), written or read (`rw`), or executed (`x`): of the process of `-p` or "
        "`-c`, otherwise of the kernel. `watchpoint:0x10000000:8:rw`."
    )

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        if len(point.args) != 3 or not all(point.args):
            report(_wrong(point, f"`{point.text}` does not say what to watch", _EXAMPLE))
            return []
        written, size, mode = point.args
        address, length = _number(written), _number(size)
        if address is None:
            report(_no_address(point, written))
        elif length not in _LENGTHS:
            report(_wrong(point, f"the processor watches 1, 2, 4 or 8 bytes, not `{size}`", _EXAMPLE))
        elif mode not in _MODES:
            report(_wrong(point, f"`{mode}` is none of the modes `w`, `rw` and `x`", _help_for(mode)))
        elif _MODES[mode] == _EXECUTE and length != _EXECUTE_LENGTH:
            help = f"write `watchpoint:{written}:{_EXECUTE_LENGTH}:x`"
            report(_wrong(point, "execution is watched with length 8, whatever the instruction's", help))
        elif _MODES[mode] != _EXECUTE and address % length:
            help = f"write `watchpoint:{address - address % length:#x}:{length}:{mode}`, for instance"
            report(_wrong(point, f"{address:#x} is no multiple of the length, {length}", help))
        elif not point.process and address < _KERNEL_HALF:
            message = f"{address:#x} is the address of a process, and no process is named"
            help = "name it with `-p PID`, or start it with `-c COMMAND`"
            report(_wrong(point, message, help))
        else:
            kind = _OF_PROCESS if point.process else _OF_KERNEL
            key = (address, length, _MODES[mode], point.process)
            return [Target(kind, f"watchpoint:{address:#x}:{length}:{mode}", key)]
        return []

    def list_names(self, kernel: "KernelFacts") -> Sequence[str]:
        return ()


class _AsyncWatchpoint(ProbeKind):
    """Watches what a function's argument leads to; bpftrace 0.27 does not have it either."""

    providers = ("asyncwatchpoint", "aw")
    syntax = ("asyncwatchpoint:FUNCTION+argN:LENGTH:MODE",)
    doc = "Not here yet, as in bpftrace 0.27: watching what a function's argument leads to."

    def expand(self, point: "AttachPoint", kernel: "KernelFacts", report: Report) -> list[Target]:
        report(_no_address(point, point.args[0] if point.args else ""))
        return []


WATCHPOINT = _Watchpoint()
ASYNC_WATCHPOINT = _AsyncWatchpoint()


def _number(text: str) -> int | None:
    from kernscope.syntax.literals import NumberError, read_number  # few programs have numbers in targets

    try:
        value, suffix = read_number(text)
    except NumberError:
        return None
    return None if suffix else value


def _wrong(point: "AttachPoint", message: str, help: str) -> Diagnostic:
    return error("bad-target", message, point.span, help=help)


def _help_for(mode: str) -> str:
    if mode == "r":
        return "no processor here watches reads alone: write `rw`, and compare the value"
    return (
        "execution cannot be watched together with reads and writes: use two probes"
        if "x" in mode
        else _EXAMPLE
    )


def _no_address(point: "AttachPoint", written: str) -> Diagnostic:
    function, plus, argument = written.partition("+")
    if not plus or not argument.startswith("arg"):
        return _wrong(point, f"`{point.text}` does not begin with an address", _EXAMPLE)
    return error(
        "not-yet",
        "watching what a function's argument leads to is not supported yet",
        point.span,
        help=f"learn the address from `uprobe:PROGRAM:{function}` and its `{argument}`, then watch that",
    )


KINDS: tuple[ProbeKind, ...] = (WATCHPOINT, ASYNC_WATCHPOINT)

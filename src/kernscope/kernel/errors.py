"""What can go wrong between us and the kernel: one exception per cause, with its data in fields."""

import os

from kernscope.tables.errno_hints import hint_for

__all__ = ["AttachError", "KernelError", "NotSupportedError", "VerifierError"]


_ENOTSUPP = 524
"""A kernel-internal errno that bpf(2) lets through; libc has no text for it."""


class KernelError(OSError):
    """A system call refused. `errno` and `strerror` as in OSError, and:

    Attributes:
        command: what was asked for, in kernel spelling (``BPF_MAP_CREATE``, ``perf_event_open``).
        object: the thing it was asked for (a map, program, probe or file name); may be empty.
        hint: what the user can do about it; empty if we have nothing better than the errno.
    """

    def __init__(self, errno: int, command: str, object: str = "", hint: str | None = None) -> None:
        super().__init__(errno, "Operation not supported" if errno == _ENOTSUPP else os.strerror(errno))
        self.command = command
        self.object = object
        self.hint = hint_for(command, errno) if hint is None else hint

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return (type(self), (self.errno, self.command, self.object, self.hint))

    def __str__(self) -> str:
        subject = f"{self.command} for `{self.object}`" if self.object else self.command
        return f"{subject}: {self.strerror}"


class NotSupportedError(Exception):
    """This kernel, or these privileges, cannot do it.

    Attributes:
        feature: the entry of `kernscope.kernel.features` (or a short noun) that is missing.
        needs: what gives it: kernel option, version as information, privilege.
        instead: the nearest thing that works here; may be empty.
    """

    def __init__(self, feature: str, needs: str, instead: str = "") -> None:
        super().__init__(feature, needs, instead)
        self.feature = feature
        self.needs = needs
        self.instead = instead

    def __str__(self) -> str:
        text = f"`{self.feature}` does not work here: it needs {self.needs}"
        return f"{text}; {self.instead}" if self.instead else text


class AttachError(KernelError):
    """A loaded program could not be attached.

    Attributes:
        target: the probe as the user wrote it, or the kernel's name of the event.
    """

    def __init__(self, errno: int, command: str, target: str, hint: str | None = None) -> None:
        super().__init__(errno, command, target, hint)
        self.target = target

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return (type(self), (self.errno, self.command, self.target, self.hint))

    def explained(self, hints: "dict[int, str]") -> "AttachError":
        """The same, with what its errno means for one way of attaching, where `hints` say that."""
        number = self.errno or 0
        return AttachError(number, self.command, self.target, hints.get(number, self.hint))


class VerifierError(KernelError):
    """The verifier refused a program.

    Attributes:
        program: the program's name.
        log: the verifier's whole log.
        instruction: index of the instruction that was refused, or -1 if the log does not say.
        reason: the log's last telling line.
    """

    def __init__(self, errno: int, program: str, log: str, hint: str | None = None) -> None:
        super().__init__(errno, "BPF_PROG_LOAD", program, hint)
        self.program = program
        self.log = log
        self.instruction, self.reason = last_telling_line(log)

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return (type(self), (self.errno, self.program, self.log, self.hint))

    def __str__(self) -> str:
        where = f" at instruction {self.instruction}" if self.instruction >= 0 else ""
        return f"the verifier refused `{self.program}`{where}: {self.reason or self.strerror}"


_STATISTICS = ("processed ", "verification time", "stack depth", "max_states")


def last_telling_line(log: str) -> tuple[int, str]:
    """The last instruction's index and the last line that states a reason, of a verifier log.

    The log interleaves instructions (``12: (79) r1 = *(u64 *)(r0 +8)``), register states and, at the end,
    the complaint followed by statistics (kernel/bpf/verifier.c, print_verification_stats).
    """
    instruction = -1
    reason = ""
    for line in reversed(log.splitlines()):
        text = line.strip()
        if not text or text.startswith(_STATISTICS):
            continue
        number, colon, rest = text.partition(": ")
        if colon and number.isdigit():
            if rest.lstrip().startswith("("):
                instruction = int(number)
                break
            continue
        if not reason:
            reason = text
    return instruction, reason

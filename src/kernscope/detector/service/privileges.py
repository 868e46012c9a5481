"""Which capabilities a running detector needs, and giving up the others."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["drop_privileges", "needed_capabilities"]

_ALWAYS = {
    # Loading and attaching programs: reload does that again.
    "CAP_BPF",
    "CAP_PERFMON",
    # /proc/PID/exe, cwd, environ and fd of others' processes.
    "CAP_SYS_PTRACE",
    "CAP_DAC_READ_SEARCH",
    # Addresses of the kernel's functions, where kernel.kptr_restrict hides them.
    "CAP_SYSLOG",
}
_BY_STEP = {
    "kill": {"CAP_KILL"},
    "stop": {"CAP_KILL"},
    "run": {"CAP_KILL", "CAP_SETUID", "CAP_SETGID"},
    "block": {"CAP_NET_ADMIN"},
    "deny": {"CAP_KILL"},
}


def needed_capabilities(steps: Collection[str]) -> set[str]:
    """For watching, and for the kinds of reactions that are configured."""
    return _ALWAYS.union(*(_BY_STEP.get(step, set()) for step in steps))


def drop_privileges(steps: Collection[str]) -> None:
    """Give up what is not needed, for this thread and those that it starts. Raises OSError."""
    from kernscope.kernel.privileges import keep_only

    keep_only(needed_capabilities(steps))

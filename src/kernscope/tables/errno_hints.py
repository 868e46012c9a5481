"""What an errno of a given kernel interface usually means, and what the user can do: one entry per case.

Sources: bpf(2), perf_event_open(2), and the named checks in kernel/bpf/syscall.c and kernel/events/core.c.
"""

import errno as _e

__all__ = ["HINTS", "hint_for"]

_PRIVILEGE = "run as root, or with the capabilities CAP_BPF and CAP_PERFMON (packets: and CAP_NET_ADMIN)"

HINTS: dict[tuple[str, int], str] = {
    ("", _e.EPERM): _PRIVILEGE + "; in a container also check its seccomp profile",
    ("", _e.EACCES): _PRIVILEGE,
    (
        "",
        _e.ENOMEM,
    ): "not enough memory, or RLIMIT_MEMLOCK is too low (kernels before 5.11): try `ulimit -l unlimited`",
    ("", _e.EMFILE): "too many open files: raise the limit with `ulimit -n`",
    ("", _e.ENFILE): "the machine has too many open files",
    ("", _e.ENOSYS): "this kernel was built without it (CONFIG_BPF_SYSCALL, CONFIG_PERF_EVENTS)",
    (
        "BPF_MAP_CREATE",
        _e.EINVAL,
    ): "the kernel does not know this map type or flag, or the sizes are not allowed",
    (
        "BPF_MAP_CREATE",
        _e.E2BIG,
    ): "the map is too large: reduce its number of entries or the size of its key or value",
    ("BPF_MAP_UPDATE_ELEM", _e.E2BIG): "the map is full: raise its number of entries",
    ("BPF_PROG_LOAD", _e.E2BIG): "the program is too large for the verifier",
    (
        "BPF_PROG_LOAD",
        _e.EINVAL,
    ): "the kernel does not know this program type or attach type, or the program is malformed",
    (
        "BPF_PROG_LOAD",
        _e.ENOTSUPP if hasattr(_e, "ENOTSUPP") else 524,
    ): "the kernel's JIT does not support this program",
    ("BPF_RAW_TRACEPOINT_OPEN", _e.ENOENT): "this kernel has no tracepoint of that name",
    ("BPF_LINK_CREATE", _e.EINVAL): "the kernel does not support this kind of link",
    ("BPF_LINK_CREATE", _e.EBUSY): "another program is attached there already",
    ("perf_event_open", _e.EACCES): _PRIVILEGE + ", or lower `kernel.perf_event_paranoid`",
    (
        "perf_event_open",
        _e.ENOENT,
    ): "the machine does not have this event (hardware counters are often missing in VMs)",
    ("perf_event_open", _e.EOPNOTSUPP): "the processor does not have this event",
    ("perf_event_open", _e.ENODEV): "the processor is offline or has no such event",
    ("perf_event_open", _e.EMFILE): "too many open perf events: raise the limit with `ulimit -n`",
    (
        "mount tracefs",
        _e.EPERM,
    ): "mounting tracefs needs CAP_SYS_ADMIN: as root, run `mount -t tracefs tracefs /sys/kernel/tracing`",
    ("mount tracefs", _e.ENODEV): "this kernel was built without tracefs (CONFIG_TRACING)",
    ("exec", _e.ENOENT): "no such program: check the spelling, or give its full path",
    ("exec", _e.EACCES): "the file is not executable, or a directory in its path cannot be searched",
    ("exec", _e.ENOEXEC): "the file is not a program: a script needs a first line such as `#!/bin/sh`",
}
"""(command, errno) → hint; the command `""` is the fallback for every command."""


def hint_for(command: str, errno: int) -> str:
    """The hint for `errno` of `command`, or the general one for `errno`, or the empty string."""
    return HINTS.get((command, errno)) or HINTS.get(("", errno), "")

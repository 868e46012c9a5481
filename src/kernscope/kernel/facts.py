"""Facts about this machine and process that need no BPF: CPUs, clocks, privileges, namespaces, users.

Sources: proc(5), sysfs(5), capabilities(7), include/linux/proc_ns.h.
"""

import os
import time

__all__ = [
    "PidNamespace",
    "boot_id",
    "boot_offset_ns",
    "capabilities",
    "errno_name",
    "has_capability",
    "jit_enabled",
    "kernel_build_id",
    "lockdown_state",
    "lsm_active",
    "missing_capabilities",
    "online_cpus",
    "parse_cpu_list",
    "pid_namespace",
    "possible_cpus",
    "read_text",
    "unprivileged_bpf_disabled",
    "user_name",
]

CAPABILITY_BITS = {
    "CAP_SYS_ADMIN": 21,
    "CAP_SYS_RESOURCE": 24,
    "CAP_SYSLOG": 34,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}
"""Bit numbers in /proc/PID/status CapEff (include/uapi/linux/capability.h)."""

_PROC_PID_INIT_INO = 0xEFFFFFFC
"""Inode of the initial pid namespace (PROC_PID_INIT_INO)."""


class PidNamespace:
    """Identity of the pid namespace of this process, as bpf_get_ns_current_pid_tgid() wants it."""

    __slots__ = ("device", "inode")

    def __init__(self, device: int, inode: int) -> None:
        self.device = device
        """In the kernel's own encoding of a device number (major << 20 | minor)."""
        self.inode = inode

    @property
    def is_initial(self) -> bool:
        return self.inode == _PROC_PID_INIT_INO


def read_text(path: str) -> str | None:
    """The file's content without surrounding white space, or None if it cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read().decode("utf-8", "replace").strip()
    except OSError:
        return None


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """``0-3,8`` → (0, 1, 2, 3, 8); the format of /sys/devices/system/cpu/online."""
    found: list[int] = []
    for part in text.strip().split(","):
        first, dash, last = part.partition("-")
        if first:
            found.extend(range(int(first), int(last if dash else first) + 1))
    return tuple(found)


_possible = 0


def possible_cpus() -> int:
    """Number of possible CPUs: the highest possible number plus one, as the kernel sizes per-CPU values."""
    global _possible
    if not _possible:
        cpus = parse_cpu_list(read_text("/sys/devices/system/cpu/possible") or "")
        # num_possible_cpus() counts set bits; without sysfs the online number is the best there is.
        _possible = len(cpus) or os.cpu_count() or 1
    return _possible


def online_cpus() -> tuple[int, ...]:
    """Numbers of the CPUs online now."""
    return parse_cpu_list(read_text("/sys/devices/system/cpu/online") or "") or tuple(
        range(os.cpu_count() or 1)
    )


def boot_offset_ns() -> int:
    """CLOCK_REALTIME minus CLOCK_BOOTTIME now, ns: the smallest of a few readings' spans is the truest."""
    best_span, best = 1 << 62, 0
    for _ in range(5):
        before = time.clock_gettime_ns(time.CLOCK_REALTIME)
        boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        after = time.clock_gettime_ns(time.CLOCK_REALTIME)
        if 0 <= after - before < best_span:
            best_span, best = after - before, (before + after) // 2 - boot
    return best


def boot_id() -> str:
    """A name for this boot, or the empty string."""
    return read_text("/proc/sys/kernel/random/boot_id") or ""


def kernel_build_id() -> str:
    """The running kernel's GNU build id in hex from /sys/kernel/notes, or the empty string."""
    try:
        with open("/sys/kernel/notes", "rb", buffering=0) as file:
            return build_id_of_notes(file.read())
    except OSError:
        return ""


def build_id_of_notes(notes: bytes) -> str:
    """The NT_GNU_BUILD_ID (3) note of an ELF note area, hex, or the empty string (elf(5))."""
    position = 0
    while position + 12 <= len(notes):
        name_size, size, kind = (
            int.from_bytes(notes[position + i : position + i + 4], "little") for i in (0, 4, 8)
        )
        content = position + 12 + ((name_size + 3) & ~3)
        if kind == 3 and notes[position + 12 : position + 12 + name_size] == b"GNU\0":
            return notes[content : content + size].hex()
        position = content + ((size + 3) & ~3)
    return ""


def capabilities() -> int:
    """Effective capabilities of this process, as a bit mask."""
    for line in (read_text("/proc/self/status") or "").splitlines():
        if line.startswith("CapEff:"):
            return int(line[7:], 16)
    return 0


def has_capability(name: str) -> bool:
    """Whether this process has `name`; CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON (bpf_capable())."""
    effective = capabilities()
    bits = {CAPABILITY_BITS[name]}
    if name in ("CAP_BPF", "CAP_PERFMON"):
        bits.add(CAPABILITY_BITS["CAP_SYS_ADMIN"])
    return any(effective >> bit & 1 for bit in bits)


def missing_capabilities() -> list[str]:
    """What tracing needs and this process lacks; empty when it may trace."""
    return [name for name in ("CAP_BPF", "CAP_PERFMON") if not has_capability(name)]


def pid_namespace() -> PidNamespace:
    """Identity of our pid namespace."""
    found = os.stat("/proc/self/ns/pid")
    return PidNamespace(os.major(found.st_dev) << 20 | os.minor(found.st_dev), found.st_ino)


def lockdown_state() -> str:
    """``none``, ``integrity``, ``confidentiality``, or empty where the kernel has no lockdown."""
    text = read_text("/sys/kernel/security/lockdown") or ""
    return text.partition("[")[2].partition("]")[0]


def lsm_active() -> tuple[str, ...] | None:
    """Active security modules, or None where securityfs is not mounted."""
    text = read_text("/sys/kernel/security/lsm")
    return None if text is None else tuple(text.split(","))


def unprivileged_bpf_disabled() -> int:
    """sysctl kernel.unprivileged_bpf_disabled; 0 where it does not exist."""
    return int(read_text("/proc/sys/kernel/unprivileged_bpf_disabled") or 0)


def jit_enabled() -> bool:
    """sysctl net.core.bpf_jit_enable; always-on kernels show 1."""
    return (read_text("/proc/sys/net/core/bpf_jit_enable") or "0") != "0"


def errno_name(number: int) -> str:
    """``ENOENT`` for 2 or -2; `E524`-style for numbers without a name."""
    import errno

    number = abs(number)
    return errno.errorcode.get(number) or {
        512: "ERESTARTSYS",
        513: "ERESTARTNOINTR",
        514: "ERESTARTNOHAND",
        516: "ERESTART_RESTARTBLOCK",
        524: "ENOTSUPP",
    }.get(number, f"E{number}")


_user_names: dict[int, str] = {}


def user_name(uid: int) -> str:
    """Login name of `uid`, or the number as text; remembered."""
    name = _user_names.get(uid)
    if name is None:
        try:
            import pwd

            name = pwd.getpwuid(uid).pw_name
        except (KeyError, ImportError, OverflowError):
            name = str(uid)
        _user_names[uid] = name
    return name

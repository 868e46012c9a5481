"""How readily the kernel preempts its own code: the boot parameter and debugfs file `preempt`.

debugfs is often not mounted. It is then opened without being mounted anywhere, by fsopen(2), fsconfig(2) and
fsmount(2), whose numbers are the same on every architecture. Some machines let nobody read it.
"""

import os

from kernscope.kernel.facts import read_text
from kernscope.kernel.syscall import Buffer, syscall

__all__ = ["mode"]

_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
_CLOEXEC = 1
"""FSOPEN_CLOEXEC and FSMOUNT_CLOEXEC of include/uapi/linux/mount.h."""

_CMD_CREATE = 6
_FILE = "sched/preempt"


def mode() -> str:
    """One of "none", "voluntary", "lazy" or "full"; "unknown" where a kernel that can change it does not tell."""
    version = os.uname().version
    if "PREEMPT" not in version:
        return "none"
    if "PREEMPT_DYNAMIC" not in version:
        return "full"
    text = read_text(f"/sys/kernel/debug/{_FILE}") or _unmounted()
    # "none (voluntary) full": the one in brackets is in force.
    return text.partition("(")[2].partition(")")[0] or _as_booted()


def _as_booted() -> str:
    """What the boot parameter says, or else the kernel's configuration."""
    for word in (read_text("/proc/cmdline") or "").split():
        if word.startswith("preempt="):
            return word.partition("=")[2]
    try:
        with open("/proc/config.gz", "rb") as file:
            from zlib import decompress

            text = decompress(file.read(), 31).decode()  # 31: with gzip's header
    except OSError:
        text = read_text(f"/boot/config-{os.uname().release}") or ""
    for name in ("none", "voluntary", "lazy"):
        if f"\nCONFIG_PREEMPT_{name.upper()}=y" in text:
            return name
    return "full" if "\nCONFIG_PREEMPT=y" in text else "unknown"


def _unmounted() -> str:
    name = Buffer(b"debugfs\0")
    context = syscall(_FSOPEN, name.address, _CLOEXEC)
    if context < 0:
        return ""
    try:
        if syscall(_FSCONFIG, context, _CMD_CREATE) < 0:
            return ""
        mount = syscall(_FSMOUNT, context, _CLOEXEC)
    finally:
        os.close(context)
    if mount < 0:
        return ""
    try:
        file = os.open(_FILE, os.O_RDONLY | os.O_CLOEXEC, dir_fd=mount)
    except OSError:
        return ""
    finally:
        os.close(mount)
    try:
        return os.read(file, 256).decode(errors="replace")
    finally:
        os.close(file)

"""What no reaction touches: processes that the machine or the detector needs, and addresses that must stay reachable.

Always protected: process 1, kernel threads, the detector, its ancestors and its children. By path: those of `paths`, if
it is the file that the detector sees there (in a container, or with mounts of one's own, `/usr/sbin/sshd` may be any
program), and only root can write it. Names are not looked at: any process can have any.
"""

from __future__ import annotations

import os
import socket
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ADDRESSES", "PATHS", "Protection"]

PATHS = (
    *("/sbin/init", "/usr/sbin/init", "/lib/systemd/*", "/usr/lib/systemd/*", "/usr/sbin/sshd"),
    *("/usr/lib/openssh/*", "/usr/libexec/openssh/*", "/usr/libexec/sshd-session", "/usr/sbin/dropbear"),
    *("/usr/bin/dbus-daemon", "/usr/bin/dbus-broker", "/usr/sbin/agetty", "/sbin/agetty", "/usr/bin/login"),
)
"""Paths of executables, with `*`: without these a machine cannot be reached, or stops working."""
ADDRESSES = ("127.0.0.0/8", "::1", "169.254.0.0/16", "fe80::/10")
"""Networks that are never blocked; the machine's own addresses are not either."""
_KERNEL_THREADS = 2
_DELETED = " (deleted)"


class Protection:
    """Raises ValueError where an address or a path is none."""

    def __init__(self, paths: Iterable[str] = PATHS, addresses: Iterable[str] = ADDRESSES) -> None:
        self.paths = list(paths)
        for path in self.paths:
            if not path.startswith("/"):
                raise ValueError(f"`{path}` is no absolute path")
        self.networks: list[IPv4Network | IPv6Network] = [ip_network(a, strict=False) for a in addresses]
        self.own_pid = os.getpid()

    def of_process(self, pid: int) -> str:
        """Why a process must not be touched; empty where it may be."""
        from kernscope.kernel.process_table import read_process

        if pid <= 1:
            return "it is process 1"
        if pid == self.own_pid:
            return "it is the detector"
        if pid in self.ancestors():
            return "it is an ancestor of the detector"
        facts = read_process(pid)
        if facts is None:
            return ""
        if pid == _KERNEL_THREADS or facts.ppid == _KERNEL_THREADS:
            return "it is a kernel thread"
        if self._below_detector(pid, facts.ppid):
            return "the detector started it"
        return self._by_path(pid, facts.exe)

    def ancestors(self) -> set[int]:
        """Of the detector, process 1 included."""
        from kernscope.kernel.process_table import read_process

        found: set[int] = set()
        pid = self.own_pid
        while pid > 1:
            facts = read_process(pid)
            if facts is None or facts.ppid in found:
                break
            pid = facts.ppid
            found.add(pid)
        return found

    def _below_detector(self, pid: int, parent: int) -> bool:
        from kernscope.kernel.process_table import read_process

        for _ in range(64):
            if parent == self.own_pid:
                return True
            if parent <= 1 or parent == pid:
                return False
            facts = read_process(parent)
            if facts is None:
                return False
            pid, parent = parent, facts.ppid
        return False

    def _by_path(self, pid: int, exe: str) -> str:
        path = exe.removesuffix(_DELETED)
        if not path or not any(fnmatchcase(path, pattern) for pattern in self.paths):
            return ""
        try:
            file = os.stat(f"/proc/{pid}/exe")
            # After an update the old program runs on, and its file has no name any more.
            same = file.st_nlink == 0 if path != exe else os.path.samestat(file, os.stat(path))
        except OSError:
            return ""
        if not same or file.st_uid != 0 or file.st_mode & 0o022:
            return ""
        return f"`{path}` is protected"

    def of_address(self, text: str) -> str:
        """Why an address must not be blocked; empty where it may be. Raises ValueError where it is none."""
        address = ip_address(text)
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped if mapped is not None else address
        if address.is_unspecified or address.is_multicast or text == "255.255.255.255":
            return "it is no address of one machine"
        for network in self.networks:
            if address.version == network.version and address in network:
                return f"`{network}` is protected"
        return "it is an address of this machine" if _is_own(address) else ""


def _is_own(address: IPv4Address | IPv6Address) -> bool:
    """Only an address of this machine can be bound to."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True

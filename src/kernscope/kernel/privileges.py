"""Giving up privileges: capabilities, and new ones by executing (capabilities(7), prctl(2)).

Numbers: include/uapi/linux/prctl.h, include/uapi/linux/capability.h. Capabilities belong to threads: this is done
before others are started, which have what their maker has.
"""

import os
import struct
from collections.abc import Collection

from kernscope.kernel.errors import KernelError
from kernscope.kernel.syscall import Buffer, syscall
from kernscope.tables.capabilities import CAPABILITIES
from kernscope.tables.syscalls import numbers

__all__ = ["effective_capabilities", "keep_only"]

_VERSION_3 = 0x20080522
_PR_CAPBSET_READ, _PR_CAPBSET_DROP = 23, 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_HEADER, _DATA = struct.Struct("Ii"), struct.Struct("6I")


def _number(name: str) -> int:
    return numbers(os.uname().machine)[name]


def _sets() -> tuple[int, int, int]:
    """Effective, permitted, inheritable, as bits."""
    header, data = Buffer(_HEADER.pack(_VERSION_3, 0)), Buffer(bytes(_DATA.size))
    result = syscall(_number("capget"), header.address, data.address)
    if result < 0:
        raise KernelError(-result, "capget", "")
    low_e, low_p, low_i, high_e, high_p, high_i = _DATA.unpack(data.bytes())
    return low_e | high_e << 32, low_p | high_p << 32, low_i | high_i << 32


def effective_capabilities() -> int:
    """Those that this thread has in effect, as bits."""
    return _sets()[0]


def keep_only(wanted: Collection[str]) -> None:
    """Keep these capabilities, as far as they are there, and give up all others for good, also for programs that are
    executed; none of those gets more by a set-user-ID bit. Raises KernelError.
    """
    permitted = _sets()[1]
    bits = sum(1 << CAPABILITIES.index(name) for name in set(wanted)) & permitted
    prctl = _number("prctl")
    if permitted >> CAPABILITIES.index("CAP_SETPCAP") & 1:
        number = 0
        while syscall(prctl, _PR_CAPBSET_READ, number) >= 0:
            if not bits >> number & 1:
                _check(syscall(prctl, _PR_CAPBSET_DROP, number), "prctl(PR_CAPBSET_DROP)")
            number += 1
    _check(syscall(prctl, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL), "prctl(PR_CAP_AMBIENT)")
    _check(syscall(prctl, _PR_SET_NO_NEW_PRIVS, 1), "prctl(PR_SET_NO_NEW_PRIVS)")
    low, high = bits & 0xFFFF_FFFF, bits >> 32
    header = Buffer(_HEADER.pack(_VERSION_3, 0))
    data = Buffer(_DATA.pack(low, low, 0, high, high, 0))
    _check(syscall(_number("capset"), header.address, data.address), "capset")


def _check(result: int, what: str) -> None:
    if result < 0:
        raise KernelError(-result, what, "")

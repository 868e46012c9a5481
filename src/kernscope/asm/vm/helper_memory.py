"""Helpers that read memory and compare strings."""

import errno
from typing import TYPE_CHECKING, Any

from kernscope.asm.vm.helper import helper
from kernscope.asm.vm.memory import VmFault

if TYPE_CHECKING:
    from kernscope.asm.vm.machine import Machine


# Where the upper half of the x86-64 address space begins (4-level page tables).
_KERNEL_HALF = 0xFFFF800000000000


def _unreadable(source: int, user: bool) -> int:
    """The error for memory that is not there; kernel reads refuse other addresses first.

    See copy_from_kernel_nofault_allowed in arch/x86/mm/maccess.c.
    """
    return -errno.EFAULT if user or source >= _KERNEL_HALF else -errno.ERANGE


def _probe_read(m: "Machine", destination: int, size: int, source: int, user: bool) -> int:
    data = m.space.peek(source, size, user)
    m.space.write(destination, bytes(size) if data is None else data)
    return 0 if data is not None else _unreadable(source, user)


def _probe_read_str(m: "Machine", destination: int, size: int, source: int, user: bool) -> int:
    """Length with the NUL. What follows it in the buffer stays, which the kernel does not promise."""
    if not size:
        return 0
    text = m.space.peek_string(source, size, user)
    m.space.region_at(destination, size, write=True)
    if text is None:
        m.space.write(destination, bytes(size))
        return _unreadable(source, user)
    text = text[: size - 1] + b"\0"
    m.space.write(destination, text)
    return len(text)


@helper("probe_read_kernel", "probe_read")
def probe_read_kernel(m: "Machine", destination: Any, size: Any, source: Any, *_: Any) -> int:
    return _probe_read(m, destination, size & 0xFFFFFFFF, source, user=False)


@helper("probe_read_user")
def probe_read_user(m: "Machine", destination: Any, size: Any, source: Any, *_: Any) -> int:
    return _probe_read(m, destination, size & 0xFFFFFFFF, source, user=True)


@helper("probe_read_kernel_str", "probe_read_str")
def probe_read_kernel_str(m: "Machine", destination: Any, size: Any, source: Any, *_: Any) -> int:
    return _probe_read_str(m, destination, size & 0xFFFFFFFF, source, user=False)


@helper("probe_read_user_str")
def probe_read_user_str(m: "Machine", destination: Any, size: Any, source: Any, *_: Any) -> int:
    return _probe_read_str(m, destination, size & 0xFFFFFFFF, source, user=True)


@helper("strncmp")
def strncmp(m: "Machine", left: Any, size: Any, right: Any, *_: Any) -> int:
    """-1, 0 or 1 (lib/string.c). The verifier wants `right` to be a constant string with its NUL."""
    first = m.space.read(left, size)
    region, at = m.space.region_at(right, 1)
    if b"\0" not in region.data[at:]:
        raise VmFault("strncmp with a second string that has no NUL")
    second = bytes(region.data[at : at + size]).partition(b"\0")[0]
    first = first.partition(b"\0")[0]
    second = second[:size]
    return (first > second) - (first < second)

"""The table of emulated helpers: one entry per helper id, filled by the modules `helper_*`.

A helper takes the machine and the five argument registers and returns r0 (any Python integer; it is cut to
64 bits). The arguments that it names must be set; those that it takes as `*_` need not be. Facts about each
helper: the comments of include/uapi/linux/bpf.h and the functions in kernel/bpf/helpers.c and
kernel/trace/bpf_trace.c.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kernscope.tables.helpers import HELPER_IDS

if TYPE_CHECKING:
    from kernscope.asm.vm.machine import Machine

__all__ = ["HELPERS", "Helper", "helper"]

Helper = Callable[["Machine", Any, Any, Any, Any, Any], int]

HELPERS: dict[int, Helper] = {}


def helper(*names: str) -> Callable[[Helper], Helper]:
    """Enter a function into the table under these names (without `bpf_`)."""

    def enter(function: Helper) -> Helper:
        for name in names:
            HELPERS[HELPER_IDS[name]] = function
        return function

    return enter

"""The table of emulated kernel functions (kfuncs), by name; they are called as helpers are (`helper`)."""

from typing import TYPE_CHECKING, Any

from kernscope.asm.vm.memory import MASK64

if TYPE_CHECKING:
    from kernscope.asm.vm.helper import Helper
    from kernscope.asm.vm.machine import Machine

__all__ = ["KERNEL_FUNCTIONS"]


def rdonly_cast(m: "Machine", address: Any, btf_id: Any, *_: Any) -> int:
    """The same address, from which the program may load: an exception table turns a fault into 0."""
    m.space.casts.add(address & MASK64)
    return int(address)


KERNEL_FUNCTIONS: "dict[str, Helper]" = {"bpf_rdonly_cast": rdonly_cast}

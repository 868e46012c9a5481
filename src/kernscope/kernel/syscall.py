"""The one door to the kernel: syscall(2) and memory whose address can be put into its arguments.

`_ctypes` is the C half of `ctypes`; using it directly avoids most of that module's import time (about 3 ms,
a twentieth of the start-up budget). Where an interpreter does not have it in that form, `ctypes` is used.
"""

import os

from kernscope.kernel.errors import KernelError
from kernscope.tables.arch import ARCHITECTURES
from kernscope.tables.bpf import Command

__all__ = ["Buffer", "bpf", "bpf_result", "syscall"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    # syscall(2), the errno of this thread, and (holder, address) of a bytearray's memory.
    _Door = tuple[Callable[..., int], Callable[[], int], Callable[[bytearray], tuple[object, int]]]


def _direct() -> "_Door":
    import _ctypes

    class Long(_ctypes._SimpleCData):  # type: ignore[type-arg]
        _type_ = "l"

    class Char(_ctypes._SimpleCData):  # type: ignore[type-arg]
        _type_ = "c"

    class Function(_ctypes.CFuncPtr):
        # FUNCFLAG_CDECL | FUNCFLAG_USE_ERRNO (Modules/_ctypes/ctypes.h).
        _flags_ = 0x1 | 0x8
        _restype_ = Long
        _argtypes_ = (Long,) * 7

    def pin(memory: bytearray) -> tuple[object, int]:
        holder = Char.from_buffer(memory)
        return holder, _ctypes.addressof(holder)

    # RTLD_NOW; the handle of the interpreter itself, which always has libc.
    function = Function(_ctypes.dlsym(_ctypes.dlopen(None, 2), "syscall"))  # type: ignore[arg-type]
    return function, _ctypes.get_errno, pin


def _through_ctypes() -> "_Door":
    import ctypes

    function = ctypes.CDLL(None, use_errno=True).syscall
    function.restype = ctypes.c_long
    function.argtypes = (ctypes.c_long,) * 7

    def pin(memory: bytearray) -> tuple[object, int]:
        holder = ctypes.c_char.from_buffer(memory)
        return holder, ctypes.addressof(holder)

    return function, ctypes.get_errno, pin


try:
    _call, _get_errno, _pin = _direct()
except Exception:  # a private interface: whatever fails, the public one is there
    _call, _get_errno, _pin = _through_ctypes()


def syscall(number: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0, e: int = 0, f: int = 0) -> int:
    """The system call's result, or the negated errno."""
    result = _call(number, a, b, c, d, e, f)
    return -_get_errno() if result == -1 else result


class Buffer:
    """Fixed memory at `address`, written by us or by the kernel; it lives as long as this object.

    While `_holder` exports it, the bytearray cannot be resized, so it does not move.
    """

    __slots__ = ("_holder", "_memory", "address", "size")

    def __init__(self, content: "bytes | bytearray | memoryview | int") -> None:
        self._memory = memory = bytearray(content)
        self.size = len(memory)
        if not memory:
            memory.append(0)  # an address is wanted for nothing, too
        self._holder, self.address = _pin(memory)

    def __len__(self) -> int:
        return self.size

    @property
    def view(self) -> memoryview:
        return memoryview(self._memory)[: self.size]

    def bytes(self, size: int | None = None) -> bytes:
        """A copy of the first `size` bytes, or of all."""
        return self.view[:size].tobytes()

    def text(self) -> str:
        """The content up to the first zero byte."""
        return self._memory.partition(b"\0")[0].decode("utf-8", "replace")


_machine = os.uname().machine
_EPERM = 1
_ALLOCATING = (Command.MAP_CREATE, Command.PROG_LOAD)
_NR_BPF = ARCHITECTURES[_machine].syscall_bpf if _machine in ARCHITECTURES else -1


_memlock_raised = False


def bpf_result(command: int, attribute: Buffer) -> int:
    """bpf(2): its result, or the negated errno. `attribute` is one arm of ``union bpf_attr``."""
    result = syscall(_NR_BPF, command, attribute.address, attribute.size)
    if result == -_EPERM and not _memlock_raised and command in _ALLOCATING and _raise_memlock():
        result = syscall(_NR_BPF, command, attribute.address, attribute.size)
    return result


def _raise_memlock() -> bool:
    """Kernels before 5.11 count maps and programs against RLIMIT_MEMLOCK, and then say EPERM."""
    global _memlock_raised
    _memlock_raised = True
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (ImportError, OSError, ValueError):
        return False
    return True


def bpf(command: int, attribute: Buffer, what: str, object: str = "") -> int:
    """bpf(2), raising KernelError(`what`, `object`) when it refuses."""
    result = bpf_result(command, attribute)
    if result < 0:
        raise KernelError(-result, what, object)
    return result

"""The only room that talks to the kernel: bpf(2), perf events, ring buffers, tracefs, procfs.

`Kernel` is the one facade the compiler and the runtime use; `interface.KernelFacts` and
`interface.KernelAccess` are its types, which tests replace. The parts can be used alone:

    bpf (map, program, link)   perf   ringbuf   tracefs   features   facts   kallsyms   process   btf_cache
"""

from kernscope.kernel.errors import AttachError, KernelError, NotSupportedError, VerifierError

__all__ = ["AttachError", "Kernel", "KernelError", "NotSupportedError", "VerifierError"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.kernel import Kernel


def __getattr__(name: str) -> object:
    # The facade imports most of the room: only who uses it pays for it.
    if name == "Kernel":
        from kernscope.kernel.kernel import Kernel

        return Kernel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

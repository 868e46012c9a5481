"""A kernel that answers the compiler the same way everywhere, so that expectations can be written down.

As tests/support/fake_kernel.py, with all features but kprobes, and few tracepoints.
"""

from fake_kernel import FORMATS, FakeKernel

_TRACEPOINTS = (
    ("syscalls", "sys_enter_openat"),
    ("syscalls", "sys_exit_openat"),
    ("syscalls", "sys_enter_read"),
    ("syscalls", "sys_exit_read"),
    ("sched", "sched_process_exec"),
)


class FixedKernel(FakeKernel):
    """Implements `kernscope.kernel.interface.KernelFacts`."""

    def __init__(self) -> None:
        super().__init__(formats={name: FORMATS[name] for name in _TRACEPOINTS})

    def has_feature(self, name: str) -> bool:
        return name != "kprobe"

    def raw_tracepoints(self) -> list[str]:
        return ["sched_process_exec", "sys_enter", "sys_exit"]

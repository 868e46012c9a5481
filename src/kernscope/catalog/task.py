"""Facts about the current task that several entries need."""

from kernscope.catalog.base import LowerContext
from kernscope.tables.helpers import HELPER_IDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["task_id"]


def task_id(lo: LowerContext, *, process: bool, initial: bool = False) -> "Value":
    """The process or thread id, as it is seen in the tracer's pid namespace, or in the `initial` one."""
    b = lo.b
    namespace = lo.kernel.pid_namespace
    if initial or namespace.is_initial:
        both = b.call(HELPER_IDS["get_current_pid_tgid"], pure=True)
        return b.lshr(both, 32) if process else b.ext(both, 32, False)
    # struct bpf_pidns_info { u32 pid, tgid; }: zeros where the task is not in our namespace
    result = b.frame_addr(b.frame(8))
    b.store(8, result, 0)
    b.call(HELPER_IDS["get_ns_current_pid_tgid"], namespace.device, namespace.inode, result, 8)
    return b.load(4, result, 4 if process else 0)

"""Facts about tasks that several entries need: the ids of the current one, and where another one is."""

from kernscope.catalog.base import LowerContext
from kernscope.ssa import Cond
from kernscope.tables.helpers import HELPER_IDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.ssa import Value

__all__ = ["task_id", "task_of"]

_NODE = 2
"""What the two low bits of an entry say that is a node of the tree (include/linux/xarray.h: xa_mk_internal)."""

_LEVELS = 4
"""Of a tree that holds the ids below PID_MAX_LIMIT, 2^22 (include/linux/threads.h), 64 entries in each node."""


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


def task_of(lo: LowerContext, id: "Value") -> "Value":
    """The address of the task with an id of the first pid namespace, 0 where there is none.

    The way of the kernel's find_task_by_pid_ns (kernel/pid.c) through its memory: the tree of ids of the namespace,
    then the first of the tasks that use the id. So it serves in every probe and kernel; a kernel function for programs
    (bpf_task_from_pid) is refused in most. Programs run in an RCU section, where no node is freed, and what a broken
    way leads to is not read but 0.
    """
    b = lo.b
    slots = lo.member_offset("xa_node", "slots")
    bits = ((lo.member_offset("xa_node", "marks") - slots) // 8).bit_length() - 1
    current = b.call(HELPER_IDS["get_current_task"], pure=True)
    pid = lo.read_kernel(b.add(current, lo.member_offset("task_struct", "thread_pid")), 8, False)
    namespace = lo.read_kernel(
        b.add(pid, lo.member_offset("pid", "numbers") + lo.member_offset("upid", "ns")), 8, False
    )
    root = lo.member_offset("pid_namespace", "idr") + lo.member_offset("idr", "idr_rt")
    entry = lo.read_kernel(b.add(namespace, root + lo.member_offset("xarray", "xa_head")), 8, False)
    rest = id  # what the node at hand has to tell apart
    for _ in range(_LEVELS):
        node = b.select(b.cmp(Cond.EQ, b.and_(entry, 3), _NODE), b.sub(entry, _NODE), 0)
        shift = lo.read_kernel(b.add(node, lo.member_offset("xa_node", "shift")), 1, False)
        index = b.lshr(rest, b.and_(shift, 63))
        slot = b.add(b.add(node, slots), b.shl(b.and_(index, (1 << bits) - 1), 3))
        below = lo.read_kernel(slot, 8, False)
        inside = b.select(b.cmp(Cond.ULT, index, 1 << bits), below, 0)
        rest = b.and_(rest, b.sub(b.shl(b.const(1), b.and_(shift, 63)), 1))
        entry = b.select(b.cmp(Cond.NE, node, 0), inside, entry)
    found = b.select(b.cmp(Cond.EQ, b.and_(entry, 3), 0), entry, 0)
    first = lo.read_kernel(b.add(found, lo.member_offset("pid", "tasks")), 8, False)
    task = b.sub(first, lo.member_offset("task_struct", "pid_links"))
    return b.select(b.cmp(Cond.NE, b.select(b.cmp(Cond.NE, found, 0), first, 0), 0), task, 0)

"""Helpers that report the task, the processor, the clocks and chance, all from the `Environment`."""

import errno
from typing import TYPE_CHECKING, Any

from kernscope.asm.vm.helper import helper

if TYPE_CHECKING:
    from kernscope.asm.vm.machine import Machine

# sizeof(struct bpf_pidns_info): two u32.
_PIDNS_BYTES = 8


def _clock(m: "Machine", name: str) -> int:
    now = int(getattr(m.environment, name))
    m.environment.advance_clocks()
    return now


@helper("ktime_get_ns")
def ktime_get_ns(m: "Machine", *_: Any) -> int:
    return _clock(m, "ktime_ns")


@helper("ktime_get_boot_ns")
def ktime_get_boot_ns(m: "Machine", *_: Any) -> int:
    return _clock(m, "boot_ns")


@helper("ktime_get_coarse_ns")
def ktime_get_coarse_ns(m: "Machine", *_: Any) -> int:
    return _clock(m, "coarse_ns")


@helper("ktime_get_tai_ns")
def ktime_get_tai_ns(m: "Machine", *_: Any) -> int:
    return _clock(m, "tai_ns")


@helper("jiffies64")
def jiffies64(m: "Machine", *_: Any) -> int:
    return m.environment.jiffies


@helper("get_current_pid_tgid")
def get_current_pid_tgid(m: "Machine", *_: Any) -> int:
    return m.environment.tgid << 32 | m.environment.pid


@helper("get_ns_current_pid_tgid")
def get_ns_current_pid_tgid(m: "Machine", dev: Any, ino: Any, nsdata: Any, size: Any, *_: Any) -> int:
    environment = m.environment
    if size != _PIDNS_BYTES or (dev, ino) != environment.pid_namespace:
        m.space.write(nsdata, bytes(size))
        return -errno.EINVAL
    numbers = environment.namespace_pid, environment.namespace_tgid
    m.space.write(nsdata, b"".join(number.to_bytes(4, "little") for number in numbers))
    return 0


@helper("get_current_uid_gid")
def get_current_uid_gid(m: "Machine", *_: Any) -> int:
    return m.environment.gid << 32 | m.environment.uid


@helper("get_current_comm")
def get_current_comm(m: "Machine", buffer: Any, size: Any, *_: Any) -> int:
    # strscpy_pad: cut so that a NUL fits, and zero the rest.
    m.space.write(buffer, m.environment.comm[: min(size - 1, 15)].ljust(size, b"\0"))
    return 0


@helper("get_current_task", "get_current_task_btf")
def get_current_task(m: "Machine", *_: Any) -> int:
    return m.environment.task


@helper("get_smp_processor_id")
def get_smp_processor_id(m: "Machine", *_: Any) -> int:
    return m.environment.cpu


@helper("get_numa_node_id")
def get_numa_node_id(m: "Machine", *_: Any) -> int:
    return m.environment.numa_node


@helper("get_prandom_u32")
def get_prandom_u32(m: "Machine", *_: Any) -> int:
    return m.environment.next_random()


@helper("get_current_cgroup_id")
def get_current_cgroup_id(m: "Machine", *_: Any) -> int:
    return m.environment.cgroup_id


@helper("get_attach_cookie")
def get_attach_cookie(m: "Machine", context: Any, *_: Any) -> int:
    return m.environment.attach_cookie

"""Names that only the kernel's internal headers define as macros, so that BTF does not have them.

Programs for bpftrace include these headers for them. Where from: include/linux/socket.h (AF_), include/linux/sched.h
(TASK_, EXIT_, PF_), include/uapi/linux/stat.h (S_), include/linux/kdev_t.h, include/linux/blk_types.h,
include/vdso/time64.h.
"""

__all__ = ["HEADER_NAMES"]

HEADER_NAMES: dict[str, int] = {
    "AF_UNSPEC": 0,
    "AF_UNIX": 1,
    "AF_LOCAL": 1,
    "AF_INET": 2,
    "AF_INET6": 10,
    "AF_NETLINK": 16,
    "AF_PACKET": 17,
    "AF_VSOCK": 40,
    "TASK_RUNNING": 0x0,
    "TASK_INTERRUPTIBLE": 0x1,
    "TASK_UNINTERRUPTIBLE": 0x2,
    "__TASK_STOPPED": 0x4,
    "__TASK_TRACED": 0x8,
    "EXIT_DEAD": 0x10,
    "EXIT_ZOMBIE": 0x20,
    "TASK_PARKED": 0x40,
    "TASK_DEAD": 0x80,
    "PF_EXITING": 0x4,
    "PF_KTHREAD": 0x200000,
    "S_IFMT": 0o170000,
    "S_IFSOCK": 0o140000,
    "S_IFLNK": 0o120000,
    "S_IFREG": 0o100000,
    "S_IFBLK": 0o060000,
    "S_IFDIR": 0o040000,
    "S_IFCHR": 0o020000,
    "S_IFIFO": 0o010000,
    "MINORBITS": 20,
    "SECTOR_SHIFT": 9,
    "NSEC_PER_SEC": 1_000_000_000,
    "NSEC_PER_MSEC": 1_000_000,
    "NSEC_PER_USEC": 1_000,
    "USEC_PER_SEC": 1_000_000,
}

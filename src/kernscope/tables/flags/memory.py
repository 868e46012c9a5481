"""Flags and enumerations of memory: mappings, advice, policies, locks, shared memory.

Source: the UAPI headers of Linux (include/uapi), x86_64 values where architectures differ.
"""

from kernscope.tables.flags.decoding import FlagSet, Names

__all__ = ["SETS"]

SETS: dict[str, FlagSet | Names] = {
    "mmap_protection": FlagSet(
        {
            0x1: "PROT_READ",
            0x2: "PROT_WRITE",
            0x4: "PROT_EXEC",
            0x8: "PROT_SEM",
            0x1000000: "PROT_GROWSDOWN",
            0x2000000: "PROT_GROWSUP",
        },
        zero="PROT_NONE",
    ),
    "mmap_flags": FlagSet(
        {
            0x10: "MAP_FIXED",
            0x20: "MAP_ANONYMOUS",
            0x40: "MAP_32BIT",
            0x100: "MAP_GROWSDOWN",
            0x800: "MAP_DENYWRITE",
            0x1000: "MAP_EXECUTABLE",
            0x2000: "MAP_LOCKED",
            0x4000: "MAP_NORESERVE",
            0x8000: "MAP_POPULATE",
            0x10000: "MAP_NONBLOCK",
            0x20000: "MAP_STACK",
            0x40000: "MAP_HUGETLB",
            0x80000: "MAP_SYNC",
            0x100000: "MAP_FIXED_NOREPLACE",
        },
        field=(
            0xF,
            {0x1: "MAP_SHARED", 0x2: "MAP_PRIVATE", 0x3: "MAP_SHARED_VALIDATE", 0x8: "MAP_DROPPABLE"},
        ),
    ),
    "mremap_flags": FlagSet({0x1: "MREMAP_MAYMOVE", 0x2: "MREMAP_FIXED", 0x4: "MREMAP_DONTUNMAP"}),
    "msync_flags": FlagSet({0x1: "MS_ASYNC", 0x2: "MS_INVALIDATE", 0x4: "MS_SYNC"}),
    "mlock_flags": FlagSet({0x1: "MLOCK_ONFAULT"}),
    "mlockall_flags": FlagSet({0x1: "MCL_CURRENT", 0x2: "MCL_FUTURE", 0x4: "MCL_ONFAULT"}),
    "madvise_advice": Names(
        {
            0: "MADV_NORMAL",
            1: "MADV_RANDOM",
            2: "MADV_SEQUENTIAL",
            3: "MADV_WILLNEED",
            4: "MADV_DONTNEED",
            8: "MADV_FREE",
            9: "MADV_REMOVE",
            10: "MADV_DONTFORK",
            11: "MADV_DOFORK",
            12: "MADV_MERGEABLE",
            13: "MADV_UNMERGEABLE",
            14: "MADV_HUGEPAGE",
            15: "MADV_NOHUGEPAGE",
            16: "MADV_DONTDUMP",
            17: "MADV_DODUMP",
            18: "MADV_WIPEONFORK",
            19: "MADV_KEEPONFORK",
            20: "MADV_COLD",
            21: "MADV_PAGEOUT",
            22: "MADV_POPULATE_READ",
            23: "MADV_POPULATE_WRITE",
            24: "MADV_DONTNEED_LOCKED",
            25: "MADV_COLLAPSE",
            100: "MADV_HWPOISON",
            101: "MADV_SOFT_OFFLINE",
            102: "MADV_GUARD_INSTALL",
            103: "MADV_GUARD_REMOVE",
        }
    ),
    "memfd_flags": FlagSet(
        {
            0x1: "MFD_CLOEXEC",
            0x2: "MFD_ALLOW_SEALING",
            0x4: "MFD_HUGETLB",
            0x8: "MFD_NOEXEC_SEAL",
            0x10: "MFD_EXEC",
        }
    ),
    "pkey_rights": FlagSet({0x1: "PKEY_DISABLE_ACCESS", 0x2: "PKEY_DISABLE_WRITE"}),
    "memory_policy": FlagSet(
        {0x8000: "MPOL_F_STATIC_NODES", 0x4000: "MPOL_F_RELATIVE_NODES", 0x2000: "MPOL_F_NUMA_BALANCING"},
        field=(
            0xFFF,
            {
                0x0: "MPOL_DEFAULT",
                0x1: "MPOL_PREFERRED",
                0x2: "MPOL_BIND",
                0x3: "MPOL_INTERLEAVE",
                0x4: "MPOL_LOCAL",
                0x5: "MPOL_PREFERRED_MANY",
                0x6: "MPOL_WEIGHTED_INTERLEAVE",
            },
        ),
    ),
    "mbind_flags": FlagSet({0x1: "MPOL_MF_STRICT", 0x2: "MPOL_MF_MOVE", 0x4: "MPOL_MF_MOVE_ALL"}),
    "get_mempolicy_flags": FlagSet({0x1: "MPOL_F_NODE", 0x2: "MPOL_F_ADDR", 0x4: "MPOL_F_MEMS_ALLOWED"}),
    "membarrier_command": Names(
        {
            0: "MEMBARRIER_CMD_QUERY",
            1: "MEMBARRIER_CMD_GLOBAL",
            2: "MEMBARRIER_CMD_GLOBAL_EXPEDITED",
            4: "MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED",
            8: "MEMBARRIER_CMD_PRIVATE_EXPEDITED",
            16: "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED",
            32: "MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE",
            64: "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE",
            128: "MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ",
            256: "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ",
            512: "MEMBARRIER_CMD_GET_REGISTRATIONS",
        }
    ),
    "futex_operation_code": Names(
        {
            0: "FUTEX_WAIT",
            1: "FUTEX_WAKE",
            2: "FUTEX_FD",
            3: "FUTEX_REQUEUE",
            4: "FUTEX_CMP_REQUEUE",
            5: "FUTEX_WAKE_OP",
            6: "FUTEX_LOCK_PI",
            7: "FUTEX_UNLOCK_PI",
            8: "FUTEX_TRYLOCK_PI",
            9: "FUTEX_WAIT_BITSET",
            10: "FUTEX_WAKE_BITSET",
            11: "FUTEX_WAIT_REQUEUE_PI",
            12: "FUTEX_CMP_REQUEUE_PI",
            13: "FUTEX_LOCK_PI2",
        }
    ),
    "futex_operation": FlagSet(
        {0x80: "FUTEX_PRIVATE_FLAG", 0x100: "FUTEX_CLOCK_REALTIME"},
        field=(
            0x7F,
            {
                0x0: "FUTEX_WAIT",
                0x1: "FUTEX_WAKE",
                0x2: "FUTEX_FD",
                0x3: "FUTEX_REQUEUE",
                0x4: "FUTEX_CMP_REQUEUE",
                0x5: "FUTEX_WAKE_OP",
                0x6: "FUTEX_LOCK_PI",
                0x7: "FUTEX_UNLOCK_PI",
                0x8: "FUTEX_TRYLOCK_PI",
                0x9: "FUTEX_WAIT_BITSET",
                0xA: "FUTEX_WAKE_BITSET",
                0xB: "FUTEX_WAIT_REQUEUE_PI",
                0xC: "FUTEX_CMP_REQUEUE_PI",
                0xD: "FUTEX_LOCK_PI2",
            },
        ),
    ),
    "futex2_flags": FlagSet(
        {0x4: "FUTEX2_NUMA", 0x8: "FUTEX2_MPOL", 0x80: "FUTEX2_PRIVATE"},
        field=(
            0x3,
            {0x0: "FUTEX2_SIZE_U8", 0x1: "FUTEX2_SIZE_U16", 0x2: "FUTEX2_SIZE_U32", 0x3: "FUTEX2_SIZE_U64"},
        ),
    ),
    "ipc_command": Names(
        {
            0: "IPC_RMID",
            1: "IPC_SET",
            2: "IPC_STAT",
            3: "IPC_INFO",
            11: "SHM_LOCK",
            12: "SHM_UNLOCK",
            13: "SHM_STAT",
            14: "SHM_INFO",
            15: "SHM_STAT_ANY",
        }
    ),
    "semaphore_command": Names(
        {
            0: "IPC_RMID",
            1: "IPC_SET",
            2: "IPC_STAT",
            3: "IPC_INFO",
            11: "GETPID",
            12: "GETVAL",
            13: "GETALL",
            14: "GETNCNT",
            15: "GETZCNT",
            16: "SETVAL",
            17: "SETALL",
            18: "SEM_STAT",
            19: "SEM_INFO",
            20: "SEM_STAT_ANY",
        }
    ),
    "ipc_flags": FlagSet({0x200: "IPC_CREAT", 0x400: "IPC_EXCL", 0x800: "IPC_NOWAIT"}),
    "shmget_flags": FlagSet(
        {0x200: "IPC_CREAT", 0x400: "IPC_EXCL", 0x800: "SHM_HUGETLB", 0x1000: "SHM_NORESERVE"}
    ),
    "shmat_flags": FlagSet(
        {0x1000: "SHM_RDONLY", 0x2000: "SHM_RND", 0x4000: "SHM_REMAP", 0x8000: "SHM_EXEC"}
    ),
    "message_flags": FlagSet(
        {0x800: "IPC_NOWAIT", 0x1000: "MSG_NOERROR", 0x2000: "MSG_EXCEPT", 0x4000: "MSG_COPY"}
    ),
}

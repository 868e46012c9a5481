"""Flags and enumerations of the system as a whole: mounts, BPF, perf, modules, keys, io_uring.

Source: the UAPI headers of Linux (include/uapi), x86_64 values where architectures differ.
"""

from kernscope.tables.flags.decoding import FlagSet, Names

__all__ = ["SETS"]

SETS: dict[str, FlagSet | Names] = {
    "mount_flags": FlagSet(
        {
            0x1: "MS_RDONLY",
            0x2: "MS_NOSUID",
            0x4: "MS_NODEV",
            0x8: "MS_NOEXEC",
            0x10: "MS_SYNCHRONOUS",
            0x20: "MS_REMOUNT",
            0x40: "MS_MANDLOCK",
            0x80: "MS_DIRSYNC",
            0x100: "MS_NOSYMFOLLOW",
            0x400: "MS_NOATIME",
            0x800: "MS_NODIRATIME",
            0x1000: "MS_BIND",
            0x2000: "MS_MOVE",
            0x4000: "MS_REC",
            0x8000: "MS_SILENT",
            0x10000: "MS_POSIXACL",
            0x20000: "MS_UNBINDABLE",
            0x40000: "MS_PRIVATE",
            0x80000: "MS_SLAVE",
            0x100000: "MS_SHARED",
            0x200000: "MS_RELATIME",
            0x400000: "MS_KERNMOUNT",
            0x800000: "MS_I_VERSION",
            0x1000000: "MS_STRICTATIME",
            0x2000000: "MS_LAZYTIME",
        }
    ),
    "umount_flags": FlagSet({0x1: "MNT_FORCE", 0x2: "MNT_DETACH", 0x4: "MNT_EXPIRE", 0x8: "UMOUNT_NOFOLLOW"}),
    "open_tree_flags": FlagSet(
        {
            0x1: "OPEN_TREE_CLONE",
            0x80000: "OPEN_TREE_CLOEXEC",
            0x1000: "AT_EMPTY_PATH",
            0x800: "AT_NO_AUTOMOUNT",
            0x8000: "AT_RECURSIVE",
            0x100: "AT_SYMLINK_NOFOLLOW",
        }
    ),
    "move_mount_flags": FlagSet(
        {
            0x1: "MOVE_MOUNT_F_SYMLINKS",
            0x2: "MOVE_MOUNT_F_AUTOMOUNTS",
            0x4: "MOVE_MOUNT_F_EMPTY_PATH",
            0x10: "MOVE_MOUNT_T_SYMLINKS",
            0x20: "MOVE_MOUNT_T_AUTOMOUNTS",
            0x40: "MOVE_MOUNT_T_EMPTY_PATH",
            0x100: "MOVE_MOUNT_SET_GROUP",
            0x200: "MOVE_MOUNT_BENEATH",
        }
    ),
    "fsopen_flags": FlagSet({0x1: "FSOPEN_CLOEXEC"}),
    "fsmount_flags": FlagSet({0x1: "FSMOUNT_CLOEXEC"}),
    "fspick_flags": FlagSet(
        {
            0x1: "FSPICK_CLOEXEC",
            0x2: "FSPICK_SYMLINK_NOFOLLOW",
            0x4: "FSPICK_NO_AUTOMOUNT",
            0x8: "FSPICK_EMPTY_PATH",
        }
    ),
    "fsconfig_command": Names(
        {
            0: "FSCONFIG_SET_FLAG",
            1: "FSCONFIG_SET_STRING",
            2: "FSCONFIG_SET_BINARY",
            3: "FSCONFIG_SET_PATH",
            4: "FSCONFIG_SET_PATH_EMPTY",
            5: "FSCONFIG_SET_FD",
            6: "FSCONFIG_CMD_CREATE",
            7: "FSCONFIG_CMD_RECONFIGURE",
            8: "FSCONFIG_CMD_CREATE_EXCL",
        }
    ),
    "mount_attributes": FlagSet(
        {
            0x1: "MOUNT_ATTR_RDONLY",
            0x2: "MOUNT_ATTR_NOSUID",
            0x4: "MOUNT_ATTR_NODEV",
            0x8: "MOUNT_ATTR_NOEXEC",
            0x80: "MOUNT_ATTR_NODIRATIME",
            0x100000: "MOUNT_ATTR_IDMAP",
            0x200000: "MOUNT_ATTR_NOSYMFOLLOW",
        },
        field=(
            0x70,
            {0x0: "MOUNT_ATTR_RELATIME", 0x10: "MOUNT_ATTR_NOATIME", 0x20: "MOUNT_ATTR_STRICTATIME"},
        ),
    ),
    "bpf_command": Names(
        {
            0: "BPF_MAP_CREATE",
            1: "BPF_MAP_LOOKUP_ELEM",
            2: "BPF_MAP_UPDATE_ELEM",
            3: "BPF_MAP_DELETE_ELEM",
            4: "BPF_MAP_GET_NEXT_KEY",
            5: "BPF_PROG_LOAD",
            6: "BPF_OBJ_PIN",
            7: "BPF_OBJ_GET",
            8: "BPF_PROG_ATTACH",
            9: "BPF_PROG_DETACH",
            10: "BPF_PROG_TEST_RUN",
            11: "BPF_PROG_GET_NEXT_ID",
            12: "BPF_MAP_GET_NEXT_ID",
            13: "BPF_PROG_GET_FD_BY_ID",
            14: "BPF_MAP_GET_FD_BY_ID",
            15: "BPF_OBJ_GET_INFO_BY_FD",
            16: "BPF_PROG_QUERY",
            17: "BPF_RAW_TRACEPOINT_OPEN",
            18: "BPF_BTF_LOAD",
            19: "BPF_BTF_GET_FD_BY_ID",
            20: "BPF_TASK_FD_QUERY",
            21: "BPF_MAP_LOOKUP_AND_DELETE_ELEM",
            22: "BPF_MAP_FREEZE",
            23: "BPF_BTF_GET_NEXT_ID",
            24: "BPF_MAP_LOOKUP_BATCH",
            25: "BPF_MAP_LOOKUP_AND_DELETE_BATCH",
            26: "BPF_MAP_UPDATE_BATCH",
            27: "BPF_MAP_DELETE_BATCH",
            28: "BPF_LINK_CREATE",
            29: "BPF_LINK_UPDATE",
            30: "BPF_LINK_GET_FD_BY_ID",
            31: "BPF_LINK_GET_NEXT_ID",
            32: "BPF_ENABLE_STATS",
            33: "BPF_ITER_CREATE",
            34: "BPF_LINK_DETACH",
            35: "BPF_PROG_BIND_MAP",
            36: "BPF_TOKEN_CREATE",
            37: "BPF_PROG_STREAM_READ_BY_FD",
        }
    ),
    "perf_flags": FlagSet(
        {
            0x1: "PERF_FLAG_FD_NO_GROUP",
            0x2: "PERF_FLAG_FD_OUTPUT",
            0x4: "PERF_FLAG_PID_CGROUP",
            0x8: "PERF_FLAG_FD_CLOEXEC",
        }
    ),
    "reboot_magic": FlagSet({0xFEE1DEAD: "LINUX_REBOOT_MAGIC1"}),
    "reboot_command": Names(
        {
            0x1234567: "LINUX_REBOOT_CMD_RESTART",
            0xCDEF0123: "LINUX_REBOOT_CMD_HALT",
            0x89ABCDEF: "LINUX_REBOOT_CMD_CAD_ON",
            0: "LINUX_REBOOT_CMD_CAD_OFF",
            0x4321FEDC: "LINUX_REBOOT_CMD_POWER_OFF",
            0xA1B2C3D4: "LINUX_REBOOT_CMD_RESTART2",
            0xD000FCE2: "LINUX_REBOOT_CMD_SW_SUSPEND",
            0x45584543: "LINUX_REBOOT_CMD_KEXEC",
        }
    ),
    "swap_flags": FlagSet({0x8000: "SWAP_FLAG_PREFER", 0x10000: "SWAP_FLAG_DISCARD"}),
    "keyctl_option": Names(
        {
            0: "KEYCTL_GET_KEYRING_ID",
            1: "KEYCTL_JOIN_SESSION_KEYRING",
            2: "KEYCTL_UPDATE",
            3: "KEYCTL_REVOKE",
            4: "KEYCTL_CHOWN",
            5: "KEYCTL_SETPERM",
            6: "KEYCTL_DESCRIBE",
            7: "KEYCTL_CLEAR",
            8: "KEYCTL_LINK",
            9: "KEYCTL_UNLINK",
            10: "KEYCTL_SEARCH",
            11: "KEYCTL_READ",
            12: "KEYCTL_INSTANTIATE",
            13: "KEYCTL_NEGATE",
            14: "KEYCTL_SET_REQKEY_KEYRING",
            15: "KEYCTL_SET_TIMEOUT",
            16: "KEYCTL_ASSUME_AUTHORITY",
            17: "KEYCTL_GET_SECURITY",
            18: "KEYCTL_SESSION_TO_PARENT",
            19: "KEYCTL_REJECT",
            20: "KEYCTL_INSTANTIATE_IOV",
            21: "KEYCTL_INVALIDATE",
            22: "KEYCTL_GET_PERSISTENT",
            23: "KEYCTL_DH_COMPUTE",
            24: "KEYCTL_PKEY_QUERY",
            25: "KEYCTL_PKEY_ENCRYPT",
            26: "KEYCTL_PKEY_DECRYPT",
            27: "KEYCTL_PKEY_SIGN",
            28: "KEYCTL_PKEY_VERIFY",
            29: "KEYCTL_RESTRICT_KEYRING",
            30: "KEYCTL_MOVE",
            31: "KEYCTL_CAPABILITIES",
            32: "KEYCTL_WATCH_KEY",
        }
    ),
    "io_uring_enter_flags": FlagSet(
        {
            0x1: "IORING_ENTER_GETEVENTS",
            0x2: "IORING_ENTER_SQ_WAKEUP",
            0x4: "IORING_ENTER_SQ_WAIT",
            0x8: "IORING_ENTER_EXT_ARG",
            0x10: "IORING_ENTER_REGISTERED_RING",
            0x20: "IORING_ENTER_ABS_TIMER",
            0x40: "IORING_ENTER_EXT_ARG_REG",
            0x80: "IORING_ENTER_NO_IOWAIT",
        }
    ),
    "io_uring_register_operation": Names(
        {
            0: "IORING_REGISTER_BUFFERS",
            1: "IORING_UNREGISTER_BUFFERS",
            2: "IORING_REGISTER_FILES",
            3: "IORING_UNREGISTER_FILES",
            4: "IORING_REGISTER_EVENTFD",
            5: "IORING_UNREGISTER_EVENTFD",
            6: "IORING_REGISTER_FILES_UPDATE",
            7: "IORING_REGISTER_EVENTFD_ASYNC",
            8: "IORING_REGISTER_PROBE",
            9: "IORING_REGISTER_PERSONALITY",
            10: "IORING_UNREGISTER_PERSONALITY",
            11: "IORING_REGISTER_RESTRICTIONS",
            12: "IORING_REGISTER_ENABLE_RINGS",
            13: "IORING_REGISTER_FILES2",
            14: "IORING_REGISTER_FILES_UPDATE2",
            15: "IORING_REGISTER_BUFFERS2",
            16: "IORING_REGISTER_BUFFERS_UPDATE",
            17: "IORING_REGISTER_IOWQ_AFF",
            18: "IORING_UNREGISTER_IOWQ_AFF",
            19: "IORING_REGISTER_IOWQ_MAX_WORKERS",
            20: "IORING_REGISTER_RING_FDS",
            21: "IORING_UNREGISTER_RING_FDS",
            22: "IORING_REGISTER_PBUF_RING",
            23: "IORING_UNREGISTER_PBUF_RING",
            24: "IORING_REGISTER_SYNC_CANCEL",
            25: "IORING_REGISTER_FILE_ALLOC_RANGE",
        }
    ),
    "module_init_flags": FlagSet(
        {
            0x1: "MODULE_INIT_IGNORE_MODVERSIONS",
            0x2: "MODULE_INIT_IGNORE_VERMAGIC",
            0x4: "MODULE_INIT_COMPRESSED_FILE",
        }
    ),
    "module_delete_flags": FlagSet({0x800: "O_NONBLOCK", 0x200: "O_TRUNC"}),
    "syslog_action": Names(
        {
            0: "SYSLOG_ACTION_CLOSE",
            1: "SYSLOG_ACTION_OPEN",
            2: "SYSLOG_ACTION_READ",
            3: "SYSLOG_ACTION_READ_ALL",
            4: "SYSLOG_ACTION_READ_CLEAR",
            5: "SYSLOG_ACTION_CLEAR",
            6: "SYSLOG_ACTION_CONSOLE_OFF",
            7: "SYSLOG_ACTION_CONSOLE_ON",
            8: "SYSLOG_ACTION_CONSOLE_LEVEL",
            9: "SYSLOG_ACTION_SIZE_UNREAD",
            10: "SYSLOG_ACTION_SIZE_BUFFER",
        }
    ),
}

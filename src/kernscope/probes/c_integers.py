"""The integer types of C that tracepoint formats name, and what they are on 64-bit Linux.

Sources: include/linux/types.h, include/uapi/asm-generic/posix_types.h and the headers named beside the rarer ones.
"""

from kernscope.types import INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, Integer

__all__ = ["C_INTEGERS", "c_integer"]

_NAMES: dict[Integer, str] = {
    INT8: "char|signed char|s8|__s8",
    UINT8: "unsigned char|u8|__u8",
    INT16: "short|s16|__s16",
    UINT16: "unsigned short|u16|__u16|umode_t",
    # mqueue.h: mqd_t; keyctl.h: key_serial_t; fs.h: rwf_t
    INT32: "int|s32|__s32|pid_t|key_t|clockid_t|timer_t|mqd_t|key_serial_t|rwf_t",
    UINT32: "unsigned|unsigned int|u32|__u32|uid_t|gid_t|qid_t|mode_t|dev_t",
    INT64: "long|long long|s64|__s64|loff_t|off_t|ssize_t",
    UINT64: "unsigned long|unsigned long long|u64|__u64|size_t|aio_context_t",
}

C_INTEGERS: dict[str, Integer] = {name: t for t, names in _NAMES.items() for name in names.split("|")}
"""By the type's name in C, without `const`."""


def c_integer(text: str) -> Integer | None:
    """The integer type that a C declaration names; enumerations are unsigned 32-bit numbers."""
    name = text.removeprefix("const ")
    return UINT32 if name.startswith("enum ") else C_INTEGERS.get(name)

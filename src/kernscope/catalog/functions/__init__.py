"""The functions of the language, by name. A new one is an entry in one of the files here."""

from kernscope.catalog.base import Function

from . import (
    control,
    maps,
    memory,
    names,
    network,
    options,
    output,
    predicates,
    reports,
    stacks,
    strings,
    text,
)

__all__ = ["FUNCTIONS", "PLANNED"]

FUNCTIONS: dict[str, Function] = {
    entry.name: entry
    for room in (
        output,
        options,
        reports,
        strings,
        text,
        memory,
        names,
        network,
        predicates,
        maps,
        control,
        stacks,
    )
    for entry in room.FUNCTIONS
}

PLANNED = frozenset(
    """
    cat cgroupid cgroup_path errorf fail func_addr kaddr kptr kstack ksym macaddr ntop override path
    percpu_kaddr pton reg signal sizeof skboutput socket_cookie strcap strcontains strerror strncmp strlen
    strstr strstarts strends syscall_name system tseries uaddr unwatch uptr usdt_arg ustack usym warnf bswap
    is_array is_ptr is_str is_integer is_unsigned_integer is_literal is_strptr assert assert_str comptime
    default_str_length get_ino jiffies memcmp nsecs_now offsetof pid_ns probetype static_assert
    usermode
    """.split()
)
"""Functions and built-ins of the bpftrace language that parse but have no entry yet."""

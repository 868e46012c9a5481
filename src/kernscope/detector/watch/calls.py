"""Which system calls can be watched, and what a record says of each.

Most follow from the table of arguments (`tables.syscalls.arguments`): a path is resolved, a descriptor's file named, a
text read. `SPECIAL` has the others.
"""

from __future__ import annotations

from functools import cache

from kernscope.detector.watch.parts import Address, File, Named, Opened, Part, SocketOf, Text
from kernscope.tables.syscalls.arguments import CALLS
from kernscope.tables.syscalls.calls import Argument, parse

__all__ = ["FORKS", "SPECIAL", "WatchedCall", "watched_call"]

_O_CREAT_TRUNC_WRITE = 0o1101
FORKS = ("clone", "clone3", "fork", "vfork")


class WatchedCall:
    """A system call that is watched.

    Attributes:
        arguments: its arguments as the table has them.
        parts: what its record holds besides the numbers.
        only: a condition that all its records fulfil, as text of our language; "" for none.
    """

    __slots__ = ("arguments", "name", "only", "parts")

    def __init__(self, name: str, parts: tuple[Part, ...], only: str = "") -> None:
        self.name, self.parts, self.only = name, parts, only
        self.arguments: tuple[Argument, ...] = parse(name, CALLS.get(name, "")).arguments


SPECIAL: dict[str, tuple[Part, ...]] = {
    "open": (Opened("$a0", "", "$a1"),),
    "openat": (Opened("$a1", "$a0", "$a2"),),
    "openat2": (Opened("$a1", "$a0", "*(uint64*)uptr($a2)"),),
    "creat": (Opened("$a0", "", str(_O_CREAT_TRUNC_WRITE)),),
    "open_by_handle_at": (File("$ret"),),
    "connect": (SocketOf("$a0"), Address("$a1", "$a2")),
    "bind": (SocketOf("$a0"), Address("$a1", "$a2", own=True)),
    "listen": (SocketOf("$a0"),),
    "accept": (SocketOf("$ret"),),
    "accept4": (SocketOf("$ret"),),
    "sendto": (SocketOf("$a0"), Address("$a4", "$a5")),
    "sendmsg": (SocketOf("$a0"), Address("(*(uint64*)uptr($a1))", "(*(uint32*)uptr($a1 + 8))")),
    "dup": (SocketOf("$a0"),),
    "dup2": (SocketOf("$a0"),),
    "dup3": (SocketOf("$a0"),),
    "shutdown": (SocketOf("$a0"),),
    "setsockopt": (SocketOf("$a0"),),
    # The number of what is opened is in the first argument, of what is mapped in the fifth.
    "mmap": (File("$a4"),),
    "mount": (Text("$a0", "source"), Named("$a1"), Text("$a2", "type")),
    "process_vm_readv": (),
    "process_vm_writev": (),
}
"""Calls whose record the table of arguments does not tell."""


@cache
def watched_call(name: str) -> WatchedCall:
    """How a system call is watched."""
    if name in SPECIAL:
        return WatchedCall(name, SPECIAL[name])
    # A program that was executed is recorded as such; what is left are attempts.
    only = "$ret < 0" if name in ("execve", "execveat") else ""
    return WatchedCall(name, _parts(parse(name, CALLS.get(name, "")).arguments), only)


def _parts(arguments: tuple[Argument, ...]) -> tuple[Part, ...]:
    paths = [n for n, argument in enumerate(arguments) if argument.kind == "path" and not argument.written]
    keys = ("path",) if len(paths) == 1 else ("source", "target")
    parts: list[Part] = []
    for key, n in zip(keys, paths):
        directory = f"$a{n - 1}" if n and arguments[n - 1].kind == "dirfd" else ""
        parts.append(Named(f"$a{n}", directory, key))
    for n, argument in enumerate(arguments):
        if argument.kind == "fd" and not paths:
            parts.append(File(f"$a{n}"))
            break
    parts += [
        Text(f"$a{n}", argument.name)
        for n, argument in enumerate(arguments)
        if argument.kind == "str" and not argument.written
    ]
    return tuple(parts)

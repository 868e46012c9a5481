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
        parameters: what the parts work on, as expressions of the registers `$a0` …; a part knows them as `$q0` …, so
            that calls that do the same to arguments in other places have equal parts.
        parts: what its record holds besides the numbers.
        only: a condition that all its records fulfil, as text of our language; "" for none.
    """

    __slots__ = ("arguments", "name", "only", "parameters", "parts")

    def __init__(
        self, name: str, parameters: tuple[str, ...], parts: tuple[Part, ...], only: str = ""
    ) -> None:
        self.name, self.parameters, self.parts, self.only = name, parameters, parts, only
        self.arguments: tuple[Argument, ...] = parse(name, CALLS.get(name, "")).arguments


_WORKING_DIRECTORY = "-100"
"""AT_FDCWD, linux/fcntl.h."""
_OPENED = (Opened("$q0", "$q1", "$q2"),)
_CONNECTED = (SocketOf("$q0"), Address("$q1", "$q2"))

SPECIAL: dict[str, tuple[tuple[str, ...], tuple[Part, ...]]] = {
    "open": (("$a0", _WORKING_DIRECTORY, "$a1"), _OPENED),
    "openat": (("$a1", "$a0", "$a2"), _OPENED),
    "openat2": (("$a1", "$a0", "*(uint64*)uptr($a2)"), _OPENED),
    "creat": (("$a0", _WORKING_DIRECTORY, str(_O_CREAT_TRUNC_WRITE)), _OPENED),
    "open_by_handle_at": (("(uint64)$ret",), (File("$q0"),)),
    "connect": (("$a0", "$a1", "$a2"), _CONNECTED),
    "bind": (("$a0", "$a1", "$a2"), (SocketOf("$q0"), Address("$q1", "$q2", own=True))),
    "sendto": (("$a0", "$a4", "$a5"), _CONNECTED),
    "sendmsg": (("$a0", "*(uint64*)uptr($a1)", "(uint64)*(uint32*)uptr($a1 + 8)"), _CONNECTED),
    "accept": (("(uint64)$ret",), (SocketOf("$q0"),)),
    "accept4": (("(uint64)$ret",), (SocketOf("$q0"),)),
    "listen": (("$a0",), (SocketOf("$q0"),)),
    "dup": (("$a0",), (SocketOf("$q0"),)),
    "dup2": (("$a0",), (SocketOf("$q0"),)),
    "dup3": (("$a0",), (SocketOf("$q0"),)),
    "shutdown": (("$a0",), (SocketOf("$q0"),)),
    "setsockopt": (("$a0",), (SocketOf("$q0"),)),
    "mmap": (("$a4",), (File("$q0"),)),
    "mount": (
        ("$a0", "$a1", _WORKING_DIRECTORY, "$a2"),
        (Text("$q0", "dev_name"), Named("$q1", "$q2"), Text("$q3", "type")),
    ),
    "process_vm_readv": ((), ()),
    "process_vm_writev": ((), ()),
}
"""Calls whose record the table of arguments does not tell: parameters and parts."""


@cache
def watched_call(name: str) -> WatchedCall:
    """How a system call is watched."""
    if name in SPECIAL:
        return WatchedCall(name, *SPECIAL[name])
    # A program that was executed is recorded as such; what is left are attempts.
    only = "$ret < 0" if name in ("execve", "execveat") else ""
    return WatchedCall(name, *_derived(parse(name, CALLS.get(name, "")).arguments), only)


def _derived(arguments: tuple[Argument, ...]) -> tuple[tuple[str, ...], tuple[Part, ...]]:
    """Parameters and parts that follow from what the arguments are."""
    parameters: list[str] = []

    def parameter(expression: str) -> str:
        parameters.append(expression)
        return f"$q{len(parameters) - 1}"

    paths = [n for n, argument in enumerate(arguments) if argument.kind == "path" and not argument.written]
    keys = ("path",) if len(paths) == 1 else ("source", "target")
    parts: list[Part] = []
    for key, n in zip(keys, paths):
        path = parameter(f"$a{n}")
        has_directory = n > 0 and arguments[n - 1].kind == "dirfd"
        parts.append(Named(path, parameter(f"$a{n - 1}" if has_directory else _WORKING_DIRECTORY), key))
    for n, argument in enumerate(arguments):
        if argument.kind == "fd" and not paths:
            parts.append(File(parameter(f"$a{n}")))
            break
    parts += [
        Text(parameter(f"$a{n}"), argument.name)
        for n, argument in enumerate(arguments)
        if argument.kind == "str" and not argument.written
    ]
    return tuple(parameters), tuple(parts)

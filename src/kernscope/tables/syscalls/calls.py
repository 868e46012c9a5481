"""The entries of `kernscope.tables.syscalls.arguments`, parsed."""

from kernscope.tables.syscalls.arguments import CALLS, SELECTED

__all__ = ["Argument", "Call", "call_of", "generic_call"]

POINTED_BYTES: dict[str, int] = {
    "timespec": 16,
    "timeval": 16,
    "itimerspec": 32,
    "itimerval": 32,
    "rlimit": 16,
    "sigset": 8,
    "cpu_mask": 8,
    "fdpair": 8,
    "offset_ptr": 8,
    "int_ptr": 4,
    "open_how": 24,
    "clone_args": 8,
    "epoll_event": 12,
    "wait_status": 4,
}
"""Kinds that are structures in the caller's memory → how many of their bytes are shown."""

STRINGS = frozenset(("path", "str"))


class Argument:
    """One argument of a system call.

    Attributes:
        kind: a number's kind, a flag set's name, or a kind in memory.
        length: for `buf` and `sockaddr`: the argument that holds the length, `ret`, or `*` and a pointer
        argument.
        written: the kernel writes it.
        only_with: names of flags, of which the flags argument before must contain one.
        in_memory: it is an address whose content is shown.
    """

    __slots__ = ("in_memory", "kind", "length", "name", "only_with", "written")

    def __init__(
        self,
        name: str,
        kind: str,
        *,
        length: str = "",
        written: bool = False,
        only_with: frozenset[str] = frozenset(),
    ) -> None:
        self.name, self.kind, self.length = name, kind, length
        self.written, self.only_with = written, only_with
        self.in_memory = bool(length) or kind in STRINGS or kind in POINTED_BYTES

    def __repr__(self) -> str:
        return f"Argument({self.name!r}, {self.kind!r}, length={self.length!r}, written={self.written})"


class Call:
    """One system call: `arguments` in order, the kind of its `result`, and whether memory is read at
    entry."""

    __slots__ = ("arguments", "at_entry", "name", "result")

    def __init__(
        self, name: str, arguments: tuple[Argument, ...], result: str = "int", at_entry: bool = False
    ) -> None:
        self.name, self.arguments, self.result, self.at_entry = name, arguments, result, at_entry

    def selected(self, argument: str, decided: list[str]) -> str:
        """The kind of an argument (or `ret`) that depends on another one, whose text is in `decided`."""
        index, kinds, otherwise = SELECTED[self.name, argument]
        return kinds.get(decided[index], otherwise) if index < len(decided) else otherwise


def _parse_argument(text: str) -> Argument:
    name, _, kind = text.partition(":")
    written = kind.startswith(">")
    kind, _, flags = kind.removeprefix(">").partition("?")
    length = ""
    if kind.endswith("]"):
        kind, _, length = kind[:-1].partition("[")
    only_with = frozenset(flags.split("|")) if flags else frozenset[str]()
    return Argument(name, kind, length=length, written=written, only_with=only_with)


def parse(name: str, entry: str) -> Call:
    """One entry of the table; its syntax is described there."""
    arguments, _, result = entry.partition("->")
    at_entry = arguments.startswith("@")
    parsed = tuple(_parse_argument(word) for word in arguments.removeprefix("@").split())
    return Call(name, parsed, result.strip() or "int", at_entry)


def call_of(name: str, fields: tuple[tuple[str, str], ...] | None = None) -> Call:
    """What is known about system call `name`.

    `fields` are the `(C type, name)` of its entry tracepoint on this kernel, where known: the kernel's names
    are used then, and a call that is not in the table, or that has other arguments here, is described by its
    types.
    """
    entry = CALLS.get(name)
    if entry is None:
        return generic_call(name, fields or ())
    call = parse(name, entry)
    if fields is None:
        return call
    if len(fields) != len(call.arguments):
        return generic_call(name, fields)
    for argument, (_, field) in zip(call.arguments, fields, strict=True):
        if argument.name != field:
            return _renamed(call, [field for _, field in fields])
    return call


def _renamed(call: Call, names: list[str]) -> Call:
    new = {argument.name: name for argument, name in zip(call.arguments, names, strict=True)}

    def length(text: str) -> str:
        star = "*" if text.startswith("*") else ""
        return star + new.get(text.removeprefix("*"), text.removeprefix("*"))

    arguments = tuple(
        Argument(
            new[a.name],
            a.kind,
            length=length(a.length) if a.length else "",
            written=a.written,
            only_with=a.only_with,
        )
        for a in call.arguments
    )
    return Call(call.name, arguments, call.result, call.at_entry)


def generic_call(name: str, fields: tuple[tuple[str, str], ...]) -> Call:
    """A call described by the C types of its tracepoint's fields alone."""
    return Call(name, tuple(Argument(field, _kind_of_type(type)) for type, field in fields), "long")


def _kind_of_type(type: str) -> str:
    type = type.replace("const ", "").strip()
    if type.endswith("*") or "*const" in type:
        return "ptr"
    known = {"umode_t": "mode", "pid_t": "pid", "uid_t": "uid", "gid_t": "uid", "clockid_t": "clock"}
    if type in known:
        return known[type]
    if type in ("size_t", "unsigned int", "unsigned", "u32", "__u32"):
        return "uint"
    if type in ("unsigned long", "u64", "__u64"):
        return "hex"
    return "long" if type in ("long", "off_t", "loff_t") else "int"

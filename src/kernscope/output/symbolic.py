"""Values that the kernel sends as numbers and user space shows as text: one entry per kind.

An entry of `RESOLVERS` gets the facts of a run and returns a function from the value's 64-bit words to a
string. A new kind is one function and its line in the table.
"""

from __future__ import annotations

from kernscope.output.stacks import STACK_RESOLVERS, ksym, usym

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    Resolver = Callable[..., str]

    class UserSymbol(Protocol):
        """What is needed of `kernscope.symbols.UserSymbol`."""

        name: str
        offset: int
        path: str
        file_address: int
        start: int

    class SourceFrame(Protocol):
        """What is needed of `kernscope.dwarf.SourceFrame`."""

        name: str
        file: str
        line: int

    class PythonCode(Protocol):
        """What is needed of `kernscope.symbols.PythonCode`."""

        name: str
        file: str

        def line(self, index: int) -> int: ...


__all__ = ["RESOLVERS", "SymbolFacts", "strftime"]


class SymbolFacts:
    """What resolvers may need: the bundle's tables and answers of the running system.

    `boot_offset_ns` is CLOCK_REALTIME minus CLOCK_BOOTTIME; `user_name` gives a login name, or the number
    as text. Of a run, `kernel_symbol(address)` gives (function, offset), `user_symbol(pid, address)` a
    `kernscope.symbols.UserSymbol`, `build_id(pid, address)` that of the file, `stack(limit, hash)` the frames
    kept under a hash, `user_source(pid, address)` the functions at an address by debug information, the compiled
    one first and behind it those that were inlined, with why nothing is known of the file where that is so
    (`release_source()` gives back the memory that reading it took),
    `cgroup_path(id, pattern)` a text, `python_code(pid, number)` a code object of CPython,
    `python_loop(pid, address)` whether a native address is in CPython's loop, `python_not_read(pid, address)` whose
    functions are not read if it is in the loop of such a one; without a run nothing is known.
    """

    __slots__ = (
        "boot_offset_ns",
        "build_id",
        "cgroup_path",
        "kernel_symbol",
        "probes",
        "python_code",
        "python_loop",
        "python_not_read",
        "release_source",
        "stack",
        "strings",
        "user_name",
        "user_source",
        "user_symbol",
    )

    def __init__(
        self,
        probes: Sequence[str] = (),
        strings: Sequence[str] = (),
        user_name: Callable[[int], str] = str,
        boot_offset_ns: int | Callable[[], int] = 0,
    ) -> None:
        self.probes, self.strings = probes, strings
        self.user_name, self.boot_offset_ns = user_name, boot_offset_ns
        self.kernel_symbol: Callable[[int], tuple[str, int] | None] = lambda address: None
        self.user_symbol: Callable[[int, int], UserSymbol | None] = lambda pid, address: None
        self.user_source: Callable[[int, int], tuple[Sequence[SourceFrame], str]] = lambda pid, address: (
            (),
            "",
        )
        self.release_source: Callable[[], None] = lambda: None
        self.build_id: Callable[[int, int], str] = lambda pid, address: ""
        self.stack: Callable[[int, int], tuple[int, ...]] = lambda limit, hash: ()
        self.cgroup_path: Callable[[int, str], str] = lambda id, pattern: ""
        self.python_code: Callable[[int, int], PythonCode | None] = lambda pid, number: None
        self.python_loop: Callable[[int, int], bool] = lambda pid, address: False
        self.python_not_read: Callable[[int, int], str] = lambda pid, address: ""


def _probe(facts: SymbolFacts) -> Resolver:
    probes = facts.probes

    def resolve(index: int) -> str:
        return probes[index] if index < len(probes) else f"<probe {index}>"

    return resolve


def _function(facts: SymbolFacts) -> Resolver:
    strings = facts.strings
    return lambda index: strings[index]


def _username(facts: SymbolFacts) -> Resolver:
    known: dict[int, str] = {}

    def resolve(uid: int) -> str:
        name = known.get(uid)
        if name is None:
            name = known[uid] = facts.user_name(uid & 0xFFFFFFFF)
        return name

    return resolve


def _interface(facts: SymbolFacts) -> Resolver:
    known: dict[int, str] = {}

    def resolve(index: int) -> str:
        name = known.get(index)
        if name is None:
            from _socket import if_indextoname  # `socket` itself takes long to load

            try:
                name = if_indextoname(index & 0xFFFFFFFF) if index else ""
            except OSError:
                name = str(index)  # gone, or of another network namespace
            known[index] = name
        return name

    return resolve


def _strftime(facts: SymbolFacts) -> Resolver:
    offset = facts.boot_offset_ns if isinstance(facts.boot_offset_ns, int) else facts.boot_offset_ns()
    strings = facts.strings

    def resolve(boot_ns: int, format_index: int) -> str:
        return strftime(strings[format_index], boot_ns + offset)

    return resolve


def _since(clock: str) -> Callable[[SymbolFacts], Resolver]:
    """Times of a clock that runs beside the time of day: what lies between them is measured once."""

    def build(facts: SymbolFacts) -> Resolver:
        import time

        offset = time.time_ns() - time.clock_gettime_ns(getattr(time, clock))
        strings = facts.strings
        return lambda ns, format_index: strftime(strings[format_index], ns + offset)

    return build


def _inet(facts: SymbolFacts) -> Resolver:
    import socket  # few programs show addresses

    sizes = {socket.AF_INET: 4, socket.AF_INET6: 16}

    def resolve(family: int, low: int, high: int) -> str:
        size = sizes.get(family)  # type: ignore[call-overload]
        if size is None:
            return ""
        raw = low.to_bytes(8, "little") + high.to_bytes(8, "little")
        return socket.inet_ntop(family, raw[:size])

    return resolve


def _macaddr(facts: SymbolFacts) -> Resolver:
    return lambda word: word.to_bytes(8, "little")[:6].hex(":").upper()


def _cgroup_path(facts: SymbolFacts) -> Resolver:
    return lambda id, pattern: facts.cgroup_path(id, facts.strings[pattern])


RESOLVERS: dict[str, Callable[[SymbolFacts], Resolver]] = {
    "cgroup_path": _cgroup_path,
    "function": _function,
    "inet": _inet,
    "ksym": ksym,
    "interface": _interface,
    "macaddr": _macaddr,
    "probe": _probe,
    "username": _username,
    "strftime": _strftime,
    "strftime_monotonic": _since("CLOCK_MONOTONIC"),
    "strftime_tai": _since("CLOCK_TAI"),
    "usym": usym,
    **STACK_RESOLVERS,
}


def strftime(format: str, time_ns: int) -> str:
    """Local time as strftime(3) writes it; `%f`, as in bpftrace, is the microsecond with six digits."""
    import time

    seconds, ns = divmod(time_ns, 1_000_000_000)
    if "%f" in format:
        parts = format.split("%%")
        format = "%%".join(part.replace("%f", f"{ns // 1000:06d}") for part in parts)
    return time.strftime(format, time.localtime(seconds))

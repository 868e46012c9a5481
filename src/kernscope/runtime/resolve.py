"""Where a session's symbolic values get their names from: loaded when the first one is shown."""

from struct import pack, unpack

from kernscope.bundle.globals_layout import STACKS_MAP
from kernscope.kernel.errors import NotSupportedError
from kernscope.output.symbolic import SymbolFacts
from kernscope.tables.cpython import PYTHON_MAP
from kernscope.tables.unwinding import ROWS_MAP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernscope.kernel.interface import KernelAccess
    from kernscope.kernel.map import Map
    from kernscope.runtime.unwind_tables import UnwindTables
    from kernscope.symbols import KernelSymbols, UserSymbol, UserSymbols
    from kernscope.symbols.python import PythonCode, PythonProcesses

__all__ = ["Resolving", "connect"]

PREPARE_SECONDS = 2.0
"""How long a start waits at most for unwind tables to be read."""
PREPARE_CHOSEN_SECONDS = 10.0
"""The same where processes were named: their first stacks matter, and there are few files to read."""

MOST_TAKEN = 65_536
"""Stacks that are remembered outside of the kernel."""


class Resolving:
    """The answers to `SymbolFacts`' questions."""

    def __init__(self, kernel: "KernelAccess", maps: "dict[str, Map]", *, demangled: bool = True) -> None:
        self._kernel, self._maps, self._demangled = kernel, maps, demangled
        self._kernel_symbols: KernelSymbols | None = None
        self._user_symbols: UserSymbols | None = None
        self._cgroups: dict[tuple[int, str], str] = {}
        self._unwind_tables: UnwindTables | None = None
        self._python: PythonProcesses | None = None
        self._taken: dict[tuple[int, bytes], bytes] = {}

    def kernel_symbol(self, address: int) -> tuple[str, int] | None:
        if self._kernel_symbols is None:
            from kernscope.symbols import KernelSymbols

            self._kernel_symbols = KernelSymbols(self._kernel.read_symbols)
        try:
            return self._kernel_symbols.lookup(address)
        except NotSupportedError:
            return None  # addresses are hidden from us: they are shown as numbers

    @property
    def user(self) -> "UserSymbols":
        if self._user_symbols is None:
            from kernscope.symbols import UserSymbols

            self._user_symbols = UserSymbols(demangled=self._demangled)
        return self._user_symbols

    def user_symbol(self, pid: int, address: int) -> "UserSymbol | None":
        return self.user.lookup(pid, address)

    def remember(self, pid: int) -> None:
        """Read what a process has mapped, while it lives: its stacks are shown when it may have ended."""
        if any(name.startswith(STACKS_MAP) for name in self._maps):
            self.user.remember(pid)

    def prepare(self, pids: "Sequence[int]") -> None:
        """Before programs that walk stacks are attached: describe what runs already, all processes without `pids`.

        Files that are met for the first time take long to read: what is not ready soon is done meanwhile.
        """
        if ROWS_MAP not in self._maps:
            return
        import os

        for pid in pids or [int(name) for name in os.listdir("/proc") if name.isdecimal()]:
            self.describe(pid, 0)
        if self._unwind_tables is not None:
            self._unwind_tables.finish(PREPARE_CHOSEN_SECONDS if pids else PREPARE_SECONDS)

    def describe(self, pid: int, page: int) -> None:
        """A program has met a process, or a page of its code, of which it knows nothing: tell it, and remember."""
        if self._unwind_tables is None:
            from kernscope.runtime.unwind_tables import UnwindTables

            self._unwind_tables = UnwindTables(self._maps)
        mapped = self.user.mapped(pid)
        self._unwind_tables.want(pid, page, mapped)
        told = self._maps.get(PYTHON_MAP)
        if told is not None:
            runtime = self.python.find(pid, mapped)
            if runtime is not None:
                try:
                    told.update(pack("=I", pid), runtime.packed())
                except OSError:
                    told.clear()  # more of them than there is room for: those that still run will be met again

    @property
    def full(self) -> "set[str]":
        """What programs that walk stacks cannot be told for want of room, in words."""
        return set() if self._unwind_tables is None else self._unwind_tables.full

    def close(self) -> None:
        """Before the maps are closed: nobody works on them any more."""
        if self._unwind_tables is not None:
            self._unwind_tables.close()

    @property
    def python(self) -> "PythonProcesses":
        if self._python is None:
            from kernscope.symbols.python import PythonProcesses

            self._python = PythonProcesses()
        return self._python

    def python_code(self, pid: int, number: int) -> "PythonCode | None":
        return self.python.code(pid, number)

    def python_loop(self, pid: int, address: int) -> bool:
        return self.python.in_loop(pid, address)

    def cgroup_path(self, id: int, pattern: str) -> str:
        text = self._cgroups.get((id, pattern))
        if text is None:
            from kernscope.kernel.cgroups import cgroup_paths

            text = self._cgroups[id, pattern] = cgroup_paths(id, pattern)
        return text

    def build_id(self, pid: int, address: int) -> str:
        return self.user.build_id(pid, address)

    def stack(self, limit: int, hash: int) -> tuple[int, ...]:
        key = pack("=Q", hash)
        stored = self._maps.get(f"{STACKS_MAP}{limit}")
        frames = stored.lookup(key) if stored is not None else None
        if frames is None:
            frames = self._taken.pop((limit, key), None)
            if frames is None:
                return ()
            self._taken[limit, key] = frames  # the last one used is the last one to go
            frames = frames.ljust(8 * limit, b"\0")
        return unpack(f"={limit}Q", frames)

    def take_stacks(self) -> None:
        """Make room for new stacks in the kernel's maps. Those that were there are remembered here: keys, also some
        that programs have yet to add to, may refer to them."""
        for name, stored in self._maps.items():
            if name.startswith(STACKS_MAP):
                limit = int(name.removeprefix(STACKS_MAP))
                for key, frames in stored.take_items():
                    self._taken.pop((limit, key), None)
                    self._taken[limit, key] = frames.rstrip(b"\0")
        for oldest in list(self._taken)[: max(0, len(self._taken) - MOST_TAKEN)]:
            del self._taken[oldest]


def connect(
    facts: SymbolFacts, kernel: "KernelAccess", maps: "dict[str, Map]", *, demangled: bool = True
) -> Resolving:
    """Let `facts` ask the running system; `maps` are the session's, by name. `demangled`: names of C++ and Rust."""
    resolving = Resolving(kernel, maps, demangled=demangled)
    facts.kernel_symbol = resolving.kernel_symbol
    facts.user_symbol = resolving.user_symbol
    facts.build_id = resolving.build_id
    facts.cgroup_path = resolving.cgroup_path
    facts.stack = resolving.stack
    facts.python_code, facts.python_loop = resolving.python_code, resolving.python_loop
    return resolving

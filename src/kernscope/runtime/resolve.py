"""Where a session's symbolic values get their names from: loaded when the first one is shown."""

from struct import pack, unpack

from kernscope.bundle.globals_layout import STACKS_MAP
from kernscope.kernel.errors import NotSupportedError
from kernscope.output.symbolic import SymbolFacts
from kernscope.tables.cpython import PYTHON_MAP
from kernscope.tables.unwinding import NO_FILE_KEY, ROWS_MAP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernscope.dwarf import SourceFrame
    from kernscope.kernel.interface import KernelAccess
    from kernscope.kernel.map import Map
    from kernscope.runtime.unwind_tables import UnwindTables
    from kernscope.symbols import KernelSymbols, UserSymbol, UserSymbols
    from kernscope.symbols.python import PythonCode, PythonProcesses, PythonRuntime

__all__ = ["Resolving", "connect"]

PREPARE_SECONDS = 2.0
"""How long a start waits at most for unwind tables to be read."""
PREPARE_CHOSEN_SECONDS = 10.0
"""The same where processes were named: their first stacks matter, and there are few files to read."""

CLOCK_TICK_NS = 10_000_000
"""In which /proc/PID/stat counts a process's beginning: USER_HZ is 100 (include/asm-generic/param.h)."""

MOST_GONE = 64
"""Mappings of processes that had ended before their files were known."""

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
        self._gone: list[tuple[int, int, tuple[int, int, int], tuple[int, ...]]] = []

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

    def user_source(self, pid: int, address: int) -> "tuple[Sequence[SourceFrame], str]":
        return self.user.source(pid, address)

    def release_source(self) -> None:
        """Give back the memory that reading debug information took; what it said is kept."""
        self.user.release_source()

    def remember(self, pid: int) -> None:
        """Read what a process has mapped, while it lives: its stacks are shown when it may have ended."""
        if any(name.startswith(STACKS_MAP) for name in self._maps):
            self.user.remember(pid)

    def prepare(self, pids: "Sequence[int]", programs: "Sequence[str]" = ()) -> None:
        """Before programs that walk stacks are attached: describe the files that run already, in all processes without
        `pids`, and those that are about to, `programs`.

        Files that are met for the first time take long to read: what is not ready soon is done meanwhile.
        """
        if ROWS_MAP not in self._maps:
            return
        import os

        from kernscope.runtime.unwind_tables import key_of

        for pid in (os.getpid(), *pids) if pids else [int(n) for n in os.listdir("/proc") if n.isdecimal()]:
            mapped = self.user.mapped(pid)
            for _, file in mapped:
                if file is not None:
                    self.tables.want(key_of(file), file)
            self._tell_python(pid, self.python.find(pid, mapped) if PYTHON_MAP in self._maps else None)
        for path in programs:
            file = self.user.files.open(path)
            if file is not None:
                self.tables.want(key_of(file), file)
        self.tables.finish(PREPARE_CHOSEN_SECONDS if pids else PREPARE_SECONDS)

    @property
    def tables(self) -> "UnwindTables":
        if self._unwind_tables is None:
            from kernscope.runtime.unwind_tables import UnwindTables

            self._unwind_tables = UnwindTables(self._maps)
        return self._unwind_tables

    def learn_mapping(
        self, pid: int, began_ns: int, place: "tuple[int, int, int]", key: "tuple[int, ...]"
    ) -> None:
        """A program has met code in a mapping, `place` being start, end and offset, of a file with a key of
        `kernscope.tables.unwinding`. Files are opened the first time; otherwise the process need not live any more.
        """
        from kernscope.kernel.mappings import Mapping

        if key == NO_FILE_KEY:
            self.user.remember(pid)  # code that it made itself: its names may go with it
            return
        file = self.tables.file(key)
        if file is None:
            file = self.user.open_mapped(pid, *place)
            if file is None:
                self._gone.append((pid, began_ns, place, key))  # its path may come yet
                del self._gone[:-MOST_GONE]
                return
            self.tables.want(key, file)
        mapping = Mapping(*place, "", key[1], file.path)
        self.user.learn(pid, str(began_ns // CLOCK_TICK_NS), mapping, file)
        if PYTHON_MAP in self._maps:
            self._tell_python(pid, self.python.met(pid, mapping, file))

    def learn_file(self, path: str, key: "tuple[int, ...]") -> None:
        """A program has met code in a file that is not known; the process may have ended since."""
        from kernscope.runtime.unwind_tables import key_of

        if self.tables.file(key) is not None:
            return
        file = self.user.files.open(path)
        if file is None or key_of(file)[1:] != key[1:]:
            return  # seen from here there is no such file, or another one
        self.tables.want(key, file)
        waiting, self._gone = self._gone, []
        for pid, began_ns, place, its in waiting:
            if its == key:
                self.learn_mapping(pid, began_ns, place, its)

    def _tell_python(self, pid: int, runtime: "PythonRuntime | None") -> None:
        """Let programs know how to walk the frames of CPython in a process."""
        if runtime is not None:
            told = self._maps[PYTHON_MAP]
            try:
                told.update(pack("=I", pid), runtime.packed())
            except OSError:
                told.clear()  # more of them than there is room for: those that still run will be met again
                self.tables.ask_again()

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

    def python_not_read(self, pid: int, address: int) -> str:
        return self.python.not_read(pid, address)

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
    facts.user_source, facts.release_source = resolving.user_source, resolving.release_source
    facts.build_id = resolving.build_id
    facts.cgroup_path = resolving.cgroup_path
    facts.stack = resolving.stack
    facts.python_code, facts.python_loop = resolving.python_code, resolving.python_loop
    facts.python_not_read = resolving.python_not_read
    return resolving

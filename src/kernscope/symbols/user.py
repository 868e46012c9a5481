"""Addresses of processes.

A process is read when its first address is looked up, and again when an address is in nothing it had mapped then.
What is known of it stays when it ends; a new process with its number is told apart by its start time.
"""

from bisect import bisect_right

from kernscope.elf import ElfError, ElfFile, SymbolTable
from kernscope.elf.eh_header import FunctionStarts
from kernscope.kernel.mappings import Mapping, read_mapped_file, read_mappings, read_memory, start_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["UserSymbol", "UserSymbols"]

_VDSO = "[vdso]"

MOST_PROCESSES = 4096
MOST_ADDRESSES = 1 << 18
"""Kept at most; beyond that the half that came first is forgotten, so that a run of weeks does not grow."""


class UserSymbol:
    """A place in a file that a process has mapped: `name` is empty where the file has no symbol for it, `path` for code
    that the process made itself.

    `file_address` is the address that the file's own symbol table uses. `start` is where the function begins that it
    is in, where only that is known of it, else 0.
    """

    __slots__ = ("file_address", "name", "offset", "path", "start")

    def __init__(self, name: str, offset: int, path: str, file_address: int, start: int = 0) -> None:
        self.name, self.offset, self.path, self.file_address = name, offset, path, file_address
        self.start = start


class _Object:
    """One mapped file."""

    __slots__ = ("build_id", "elf", "starts", "symbols")

    def __init__(self, elf: ElfFile) -> None:
        self.elf = elf
        self.starts = FunctionStarts(elf)
        self.symbols: SymbolTable = elf.symbols()
        self.build_id = elf.build_id()


class _Process:
    __slots__ = ("map_names", "mappings", "started", "starts")

    def __init__(self, pid: int) -> None:
        self.started = start_time(pid)
        self.mappings: list[Mapping] = []
        self.starts: list[int] = []
        self.map_names: list[tuple[int, int, str]] | None = None
        self.read(pid)

    def read(self, pid: int) -> None:
        """Read the mappings; what was known stays where the process is gone."""
        try:
            mappings = read_mappings(pid)
        except OSError:
            return
        if mappings:
            self.mappings = mappings
            self.starts = [mapping.start for mapping in mappings]

    def find(self, address: int) -> Mapping | None:
        index = bisect_right(self.starts, address) - 1
        if index >= 0 and address < self.mappings[index].end:
            return self.mappings[index]
        return None


class UserSymbols:
    """Looks up addresses of any process."""

    def __init__(self, *, demangled: bool = False) -> None:
        """`demangled`: names of C++ and Rust as they were written."""
        self._demangled = demangled
        self._processes: dict[int, _Process] = {}
        self._objects: dict[object, _Object | None] = {}
        self._known: dict[tuple[int, str, int], UserSymbol | None] = {}

    def _process(self, pid: int) -> _Process:
        process = self._processes.get(pid)
        now = start_time(pid)
        if process is None or (now and now != process.started):
            _forget_half(self._processes, MOST_PROCESSES)
            process = self._processes[pid] = _Process(pid)
        return process

    def lookup(self, pid: int, address: int) -> UserSymbol | None:
        """The place behind `address` in process `pid`, or None where nothing that can be read is mapped there."""
        process = self._process(pid)
        key = (pid, process.started, address)
        if key not in self._known:
            mapping = process.find(address)
            if mapping is None:
                process.read(pid)
                mapping = process.find(address)
            found = None if mapping is None else self._in_mapping(pid, mapping, address)
            _forget_half(self._known, MOST_ADDRESSES)
            self._known[key] = found
        return self._known[key]

    def remember(self, pid: int) -> None:
        """Read what a process has mapped now."""
        self._process(pid).read(pid)

    def build_id(self, pid: int, address: int) -> str:
        """Build id of the file that `address` is in, or the empty string."""
        mapping = self._process(pid).find(address)
        found = None if mapping is None else self._object(pid, mapping)
        return "" if found is None else found.build_id

    def _in_mapping(self, pid: int, mapping: Mapping, address: int) -> UserSymbol | None:
        if not mapping.path:
            return self._generated(pid, address)
        found = self._object(pid, mapping)
        if found is None:
            return None
        offset = address - mapping.start + (0 if mapping.path == _VDSO else mapping.offset)
        file_address = found.elf.address_of(offset)
        if file_address is None:
            return None
        symbol = found.symbols.lookup(file_address)
        name, into = symbol if symbol is not None else ("", 0)
        if self._demangled and name.startswith("_"):
            from kernscope.symbols.demangle import demangle

            name = demangle(name)
        start = 0 if name else found.starts.start_of(file_address) or 0
        return UserSymbol(name, into, mapping.path, file_address, start)

    def _object(self, pid: int, mapping: Mapping) -> _Object | None:
        key = (mapping.device, mapping.inode, mapping.path)
        if key not in self._objects:
            try:
                if mapping.path == _VDSO:
                    data = memoryview(read_memory(pid, mapping.start, mapping.end - mapping.start))
                else:
                    data = read_mapped_file(pid, mapping)
                self._objects[key] = _Object(ElfFile(data))
            except (OSError, ElfError):
                self._objects[key] = None
        return self._objects[key]

    def _generated(self, pid: int, address: int) -> UserSymbol | None:
        """Code that a process made itself, named in /tmp/perf-PID.map (Documentation: perf's jit-interface.txt)."""
        names = self._processes[pid].map_names
        if names is None:
            names = self._processes[pid].map_names = _read_perf_map(pid)
        index = bisect_right(names, (address, 1 << 64, "")) - 1
        if index >= 0 and address < names[index][0] + names[index][1]:
            start, _, name = names[index]
            return UserSymbol(name, address - start, f"/tmp/perf-{pid}.map", address)
        return UserSymbol("", 0, "", address)


def _forget_half(known: "dict[Any, Any]", most: int) -> None:
    """Make room in a dict that holds `most` entries."""
    if len(known) >= most:
        for key in list(known)[: most // 2]:
            del known[key]


def _read_perf_map(pid: int) -> list[tuple[int, int, str]]:
    found = []
    try:
        with open(f"/proc/{pid}/root/tmp/perf-{pid}.map", encoding="utf-8", errors="replace") as file:
            for line in file:
                start, size, name = line.split(maxsplit=2)
                found.append((int(start, 16), int(size, 16), name.strip()))
    except (OSError, ValueError):
        pass
    return sorted(found)

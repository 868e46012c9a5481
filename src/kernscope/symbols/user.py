"""Addresses of processes.

A process is read when its first address is looked up, and again when an address is in nothing it had mapped then.
What is known of it stays when it ends, becomes another program, or its number goes to another process.
"""

from kernscope.kernel.mappings import Mapping, mapping_at, start_time
from kernscope.symbols.files import VDSO, MappedFile, MappedFiles
from kernscope.symbols.processes import Generation, Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kernscope.dwarf import SourceFrame

__all__ = ["UserSymbol", "UserSymbols"]

_OF_NO_FILE = ("/memfd:", "/dev/zero", "/SYSV", "/anon_hugepage")
"""How memory that is shared among processes is called: compilers map what they make twice, to write and to run it."""

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


class UserSymbols:
    """Looks up addresses of any process. `files` are those that were met, which others may use too."""

    def __init__(self, *, demangled: bool = False) -> None:
        """`demangled`: names of C++ and Rust as they were written."""
        self._demangled = demangled
        self.files = MappedFiles()
        self._processes: dict[int, Process] = {}
        self._known: dict[tuple[int, str, int], UserSymbol | None] = {}

    def _process(self, pid: int) -> Process:
        process = self._processes.get(pid)
        if process is None:
            _forget_half(self._processes, MOST_PROCESSES)
            process = self._processes[pid] = Process(self.files)
            process.read(pid)
        else:
            now = start_time(pid)
            if now and now != process.started:
                process.read(pid)
        return process

    def lookup(self, pid: int, address: int) -> UserSymbol | None:
        """The place behind `address` in process `pid`, or None where nothing that can be read is mapped there."""
        process = self._process(pid)
        key = (pid, process.started, address)
        if key not in self._known:
            found = process.find(address)
            if found is None and process.read(pid):
                found = process.find(address)
            symbol = None
            if found is not None:
                generation, mapping, file = found
                symbol = self._in_mapping(mapping, file, generation, address)
                if symbol is not None and not symbol.path:
                    return symbol  # it may be named yet
            _forget_half(self._known, MOST_ADDRESSES)
            self._known[key] = symbol
        return self._known[key]

    def remember(self, pid: int) -> None:
        """Read what a process has mapped now."""
        self._process(pid).read(pid)

    def learn(self, pid: int, started: str, mapping: Mapping, file: MappedFile) -> None:
        """What a process that began at this time has mapped somewhere, or had: it may have ended."""
        process = self._processes.get(pid)
        if process is None:
            _forget_half(self._processes, MOST_PROCESSES)
            process = self._processes[pid] = Process(self.files)
        process.add(pid, started, mapping, file)

    def open_mapped(self, pid: int, start: int, end: int, offset: int) -> MappedFile | None:
        """The file that a process has mapped there; None if it is gone."""
        mapping = mapping_at(pid, start, end, offset)
        return None if mapping is None else self.files.get(pid, mapping)

    def mapped(self, pid: int) -> "list[tuple[Mapping, MappedFile | None]]":
        """What a process has mapped now, or had when it was last looked at, with the files behind."""
        self.remember(pid)
        generations = self._processes[pid].generations
        return list(zip(generations[0].mappings, generations[0].files, strict=True)) if generations else []

    def build_id(self, pid: int, address: int) -> str:
        """Build id of the file that `address` is in, or the empty string."""
        found = self._process(pid).find(address)
        file = None if found is None else found[2]
        return file.build_id if file is not None and file.elf is not None else ""

    def source(self, pid: int, address: int) -> "tuple[list[SourceFrame], str]":
        """The functions at an address of a process by debug information: the compiled one first, each that was inlined
        into the one before behind it, with their files and lines. None where nothing is known; then the second
        value says why of the whole file, where that is known.
        """
        found = self._process(pid).find(address)
        if found is None:
            return [], ""
        _, mapping, file = found
        file_address = _file_address(mapping, file, address) if file is not None else None
        if file is None or file_address is None:
            return [], ""
        frames, problem = file.source(file_address)
        if self._demangled:
            from kernscope.symbols.demangle import demangle

            for frame in frames:
                frame.name = demangle(frame.name)
        return frames, problem

    def release_source(self) -> None:
        """Give back the memory that reading debug information takes; what it said is kept."""
        from kernscope.symbols.lines import close_debug_information

        close_debug_information()

    def _in_mapping(
        self, mapping: Mapping, file: MappedFile | None, generation: Generation, address: int
    ) -> UserSymbol | None:
        if not mapping.path or file is None or file.elf is None:
            perf_map = generation.perf_map
            named = perf_map.lookup(address)
            if named is not None:
                return UserSymbol(*named, perf_map.path, address)
            made = not mapping.path.startswith(("/", "[v")) or mapping.path.startswith(_OF_NO_FILE)
            return UserSymbol("", 0, "", address) if made else None
        file_address = _file_address(mapping, file, address)
        if file_address is None:
            return None
        name, into = file.lookup(file_address) or ("", 0)
        if self._demangled and name.startswith("_"):
            from kernscope.symbols.demangle import demangle

            name = demangle(name)
        start = 0 if name else file.start_of(file_address)
        return UserSymbol(name, into, mapping.path, file_address, start)


def _file_address(mapping: Mapping, file: MappedFile, address: int) -> int | None:
    """An address as the file's own tables count; None where it has no segment there."""
    offset = address - mapping.start + (0 if mapping.path == VDSO else mapping.offset)
    return None if file.elf is None else file.elf.address_of(offset)


def _forget_half(known: "dict[Any, Any]", most: int) -> None:
    """Make room in a dict that holds `most` entries."""
    if len(known) >= most:
        for key in list(known)[: most // 2]:
            del known[key]

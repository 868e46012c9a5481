"""The files that processes have mapped: each is opened once, while it can be had, and read when it is asked for.

A file is told by its device, number, size and time, not by its path: a path may lead to another file by now. Files stay
open so that those that are deleted meanwhile can still be read; there is a bound to that, beyond which the ones that
their path still leads to are closed first.
"""

import os

from kernscope.elf import ElfError, ElfFile, SymbolTable
from kernscope.elf.eh_header import FunctionStarts
from kernscope.kernel.cache import read_cached, write_cached
from kernscope.kernel.mappings import FileContent, Mapping, open_mapped_file, read_memory
from kernscope.symbols.debug_files import debug_file, packed_symbols, separate_symbols

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.dwarf import SourceFrame
    from kernscope.elf.functions import Function
    from kernscope.symbols.lines import SourceLines

__all__ = ["VDSO", "MappedFile", "MappedFiles"]

VDSO = "[vdso]"
MOST_OPEN = 256
MOST_FILES = 8192
CACHED_FROM = 16_000
"""Smaller tables are read as fast as their cached form."""
_CACHE_VERSION = 1


class MappedFile:
    """One file: everything is read when it is first asked for, and what cannot be read is empty.

    `root` is what stands before paths of the process that it was met in, where that sees other files than we do.
    """

    __slots__ = ("_elf", "_lines", "_starts", "_tables", "build_id", "content", "path", "root")

    def __init__(self, content: "FileContent | bytes", path: str, root: str = "") -> None:
        self.content, self.path, self.root = content, path, root
        self._elf: ElfFile | bool = False
        """False: not read yet; True: it cannot be read."""
        self._starts: FunctionStarts | None = None
        self._tables: list[SymbolTable] | None = None
        self._lines: SourceLines | None = None
        self.build_id = ""

    @property
    def elf(self) -> ElfFile | None:
        """Its headers; None where it is no ELF file, or a damaged one."""
        found = self._elf
        if found is False:  # two threads may both read it: what is set is always finished
            found = True
            try:
                found = ElfFile(self.content)
                self.build_id = found.build_id()
            except (OSError, ElfError):
                pass
            self._elf = found
        return None if isinstance(found, bool) else found

    def lookup(self, address: int) -> tuple[str, int] | None:
        """(name, offset into it) of the function at an address of the file's own numbering."""
        if self._tables is None:
            self._tables = _tables(self)
        for table in self._tables:
            try:
                found = table.lookup(address)
            except OSError:  # its names cannot be had any more
                continue
            if found is not None:
                return found
        return None

    def source(self, address: int) -> "tuple[list[SourceFrame], str]":
        """The functions at an address by debug information, the compiled one first, then what was inlined there; and
        why nothing is known of this file, where that is so.
        """
        if self._lines is None:
            if self.elf is None:
                return [], ""
            from kernscope.symbols.lines import SourceLines  # by request only

            self._lines = SourceLines(self.elf, self.path, self.build_id, self.root)
        return self._lines.lookup(address), self._lines.problem

    def separate_functions(self, name: str) -> "list[Function]":
        """The functions of one name, by symbols that lie elsewhere."""
        if self.elf is None or self.elf.has_symbols:
            return []
        found = separate_symbols(self.elf, self.path, FileContent, self.root)
        return found.named(name) if found is not None else []

    def start_of(self, address: int) -> int:
        """Where the function begins that an address is in, also without a name; 0 where that is not known."""
        if self._starts is None:
            try:
                self._starts = FunctionStarts(self.elf) if self.elf is not None else None
            except (OSError, ElfError):
                return 0
        return 0 if self._starts is None else self._starts.start_of(address) or 0


def _tables(file: MappedFile) -> list[SymbolTable]:
    """The file's own symbols; where these are only the dynamic ones, those from elsewhere before them."""
    elf, found = file.elf, []
    if elf is None:
        return []
    try:
        if not elf.has_symbols:
            other = debug_file(elf, file.path, FileContent, file.root)
            if other is not None and other.has_symbols:
                found.append(_read(other, f"{file.build_id}-debug" if file.build_id else ""))
            else:
                packed = packed_symbols(elf)
                if packed is not None:
                    found.append(packed.symbols())
    except (OSError, ElfError):
        pass  # they are damaged: as if there were none
    try:
        found.append(_read(elf, file.build_id))
    except (OSError, ElfError):
        return found
    return found


def _read(elf: ElfFile, name: str) -> SymbolTable:
    """A file's table, from the cache if it is a large one that has been read before."""
    if not name or elf.symbol_count < CACHED_FROM:
        return elf.symbols()
    name = f"symbols-{_CACHE_VERSION}-{name}"
    kept = read_cached(name)
    table = elf.cached_symbols(kept) if kept is not None else None
    if table is None:
        table = elf.symbols()
        write_cached(name, table.packed())
    return table


class MappedFiles:
    """All files that were met."""

    def __init__(self) -> None:
        self._files: dict[object, MappedFile] = {}
        self._open: dict[object, MappedFile] = {}

    def get(self, pid: int, mapping: Mapping) -> MappedFile | None:
        """The file behind a mapping of a process that lives; None for memory without one, or one we cannot read."""
        try:
            if mapping.path == VDSO:
                return self._vdso(pid, mapping)
            if not mapping.path.startswith("/"):
                return None
            content = open_mapped_file(pid, mapping)
        except (OSError, ValueError, OverflowError):
            return None
        return self._keep(content, mapping.path, pid)

    def open(self, path: str) -> MappedFile | None:
        """A file that may be mapped soon; None if it cannot be read."""
        try:
            return self._keep(FileContent(path), path)
        except (OSError, ValueError):
            return None

    def _keep(self, content: FileContent, path: str, pid: int = 0) -> MappedFile:
        key = content.identity
        file = self._files.get(key)
        if file is None:
            if len(self._files) >= MOST_FILES:
                self._forget(next(iter(self._files)))
            file = self._files[key] = MappedFile(content, path, root_of(pid) if pid else "")
            self._open[key] = file
            if len(self._open) > MOST_OPEN:
                self._park()
        return file

    def _vdso(self, pid: int, mapping: Mapping) -> MappedFile:
        key = (VDSO, mapping.end - mapping.start)
        if key not in self._files:
            content = read_memory(pid, mapping.start, min(mapping.end - mapping.start, 1 << 20))
            self._files[key] = MappedFile(content, VDSO)
        return self._files[key]

    def _forget(self, key: object) -> None:
        self._files.pop(key, None)
        self._open.pop(key, None)

    def _park(self) -> None:
        """Close the oldest file that its path still leads to, else the oldest."""
        chosen = next(iter(self._open))
        for key, file in self._open.items():
            if isinstance(key, tuple) and _leads_to(file.path, key):
                chosen = key
                break
        content = self._open.pop(chosen).content
        if isinstance(content, FileContent):
            content.park()


def _leads_to(path: str, identity: tuple[int, ...]) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == identity[:2]


def root_of(pid: int) -> str:
    """What stands before a path of a process that sees other files than we do; empty for others."""
    try:
        if os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt"):
            theirs, ours = os.stat(f"/proc/{pid}/root/"), os.stat("/")
            if (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino):
                return ""
    except OSError:
        return ""
    return f"/proc/{pid}/root"

"""Targets in user space: from the text `uprobe:libc:malloc`, `usdt:/usr/bin/python3:…` to files and their functions.

    user_files(point, text, kernel, report)     the files that an attach point names
    UserFile.functions()                        its functions by name, from separate symbols too
    UserFile.offset_of(address)                 what the kernel is told: a place in the file

Files are opened through `KernelFacts`, as the process of `-p` sees them where there is one (`point.files_of`).
"""

from kernscope.diagnostics import Diagnostic, error, suggest
from kernscope.elf import ElfError, ElfFile, FunctionTable

from .base import Report, has_wildcard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernscope.kernel.interface import KernelFacts
    from kernscope.kernel.user_files import UserPath
    from kernscope.syntax.ast import AttachPoint

__all__ = ["UserFile", "open_user_file", "user_files"]

_MOST_OPEN = 64
_open: dict[tuple[str, int, int, int], "UserFile"] = {}
"""Files that several targets name are read once: by path, inode, size and time."""


class UserFile:
    """A program or library. `path` is its name for people and for `probe`; `opened` is what the kernel gets."""

    __slots__ = ("_functions", "_kernel", "elf", "opened", "path")

    def __init__(self, path: str, opened: str, elf: ElfFile, kernel: "KernelFacts") -> None:
        self.path, self.opened, self.elf, self._kernel = path, opened, elf, kernel
        self._functions: FunctionTable | None = None

    def functions(self) -> FunctionTable:
        """Its functions: of its own tables, and where it was stripped of its separate symbols, if they are here."""
        if self._functions is None:
            self._functions = self.elf.functions()
            if not self.elf.has_symbols:
                from kernscope.symbols.debug_files import separate_symbols  # few files need it

                found = separate_symbols(self.elf, self.path, self._kernel.map_file)
                if found is not None:
                    self._functions = self._functions.joined(found)
        return self._functions

    def offset_of(self, address: int) -> int | None:
        """Where in the file the code at an address of its symbols lies; None where it is no code of the file."""
        for segment in self.elf.segments:
            if segment.executable and segment.address <= address < segment.address + segment.size:
                return address - segment.address + segment.offset
        return None


def open_user_file(kernel: "KernelFacts", where: "UserPath") -> UserFile:
    """Read a file's headers. Raises ElfError, and OSError where it cannot be read."""
    import os

    status = os.stat(where.opened)
    key = (where.opened, status.st_ino, status.st_size, status.st_mtime_ns)
    known = _open.get(key)
    if known is None:
        while len(_open) >= _MOST_OPEN:
            del _open[next(iter(_open))]
        known = UserFile(where.path, where.opened, ElfFile(kernel.map_file(where.opened)), kernel)
        _open[key] = known
    if known.path != where.path:
        other = UserFile(where.path, where.opened, known.elf, kernel)
        other._functions = known._functions
        return other
    return known


def user_files(point: "AttachPoint", text: str, kernel: "KernelFacts", report: Report) -> list[UserFile]:
    """The files that the part `text` of an attach point names.

    Problems go to `report`. Where `text` is a pattern, what it matches beside programs and libraries is left out.
    """
    try:
        found = kernel.user_files(text, point.files_of)
    except OSError as problem:
        report(_no_process(point, problem))
        return []
    if not found:
        report(_not_found(point, text))
        return []
    if point.copies_of:
        from kernscope.kernel.user_files import UserPath

        found = [UserPath(where.path, f"/proc/{point.copies_of}/root{where.path}") for where in found]
    several = has_wildcard(text) and not (len(found) == 1 and found[0].path == text)
    files = []
    for where in found:
        try:
            files.append(open_user_file(kernel, where))
        except (OSError, ElfError) as problem:
            if not several:
                report(_unreadable(point, where.path, problem))
    if several and not files:
        report(_not_found(point, text))
    return files


def _no_process(point: "AttachPoint", problem: OSError) -> Diagnostic:
    import errno

    if problem.errno in (errno.EACCES, errno.EPERM):
        return error(
            "unreadable-program",
            f"the files of process {point.files_of} cannot be seen",
            point.span,
            notes=problem.strerror or str(problem),
            help="its owner, and root, may",
        )
    return error("no-such-process", f"there is no process {point.files_of}", point.span)


def _not_found(point: "AttachPoint", text: str) -> Diagnostic:
    if has_wildcard(text):
        return error(
            "unknown-probe",
            f"no program and no library matches `{text}`",
            point.span,
            help=_how_to_name(text),
        )
    if "/" in text:
        import os

        folder, _, name = text.rpartition("/")
        try:
            near = suggest(name, os.listdir(folder or "/")) if not point.files_of else None
        except OSError:
            near = None
        where = f" in process {point.files_of}" if point.files_of else ""
        return error(
            "unknown-probe",
            f"there is no file `{text}`{where}",
            point.span,
            help=f"did you mean `{folder}/{near}`?" if near else None,
        )
    return error(
        "unknown-probe",
        f"there is no command and no library `{text}`",
        point.span,
        notes="names without `/` are looked for in `PATH` and in the linker's cache (`ldconfig -p`)",
        help=_how_to_name(text),
    )


def _how_to_name(text: str) -> str:
    return "write a path, such as `/usr/bin/bash` or `./server`, or a library's name, such as `libc`"


def _unreadable(point: "AttachPoint", path: str, problem: OSError | ElfError) -> Diagnostic:
    why = (isinstance(problem, OSError) and problem.strerror) or str(problem)
    return error("unreadable-program", f"`{path}` cannot be probed", point.span, notes=why)

"""`import "path"`: the definitions of other files, put before those of the program that names them.

A path is looked up beside the file that names it. A folder stands for all `.bt` files in it. Each file counts once,
however often and from wherever it is imported. Probes of an imported file come before those of the importing one.
"""

from collections.abc import Callable

from kernscope import syntax
from kernscope.diagnostics import CompileError, Diagnostic, Source, error
from kernscope.syntax.ast import Import, Program

__all__ = ["Files", "read_files", "with_imports"]

Files = Callable[[str], "list[tuple[str, bytes]]"]
"""Gives for a path the `(name, content)` of the files it stands for. Raises OSError."""

_MOST_BYTES = 16 << 20

_BUILT_IN = frozenset(["stdlib"])
"""Modules that are always there."""


def read_files(path: str) -> list[tuple[str, bytes]]:
    """The files behind a path of this machine."""
    import os  # few programs import anything

    names = [path]
    if os.path.isdir(path):
        names = [os.path.join(path, name) for name in sorted(os.listdir(path)) if name.endswith(".bt")]
    found = []
    for name in names:
        with open(name, "rb") as file:
            found.append((name, file.read(_MOST_BYTES)))
    return found


def with_imports(program: Program, files: Files = read_files) -> Program:
    """The program together with all that it imports. Raises CompileError."""
    merged = _Merge(files)
    merged.add(program)
    if merged.found:
        raise CompileError(merged.found)
    whole = merged.whole
    whole.config, whole.span = program.config, program.span
    return whole


class _Merge:
    def __init__(self, files: Files) -> None:
        self.files = files
        self.found: list[Diagnostic] = []
        self.seen: set[str] = set()
        self.whole = Program([], [], [], [], [], [], [])

    def add(self, program: Program) -> None:
        """Add a program's imports, then its own definitions."""
        for statement in program.imports:
            self._import(statement)
        whole = self.whole
        whole.c_definitions += program.c_definitions
        whole.macros += program.macros
        whole.map_decls += program.map_decls
        whole.subprogs += program.subprogs
        whole.probes += program.probes

    def _import(self, statement: Import) -> None:
        if statement.path in _BUILT_IN:
            return
        from os.path import dirname, join, realpath

        path = join(dirname(statement.span.source.name), statement.path)
        ending = path.rpartition("/")[2].partition(".")[2]
        if ending not in ("", "bt", "h"):
            message = f"`{statement.path}` cannot be imported"
            note = "programs (`.bt`), headers (`.h`) and folders of programs can"
            self.found.append(error("bad-import", message, statement.span, notes=note))
            return
        try:
            files = self.files(path)
        except OSError as problem:
            self.found.append(
                error(
                    "bad-import",
                    f"`{statement.path}` cannot be imported: {(problem.strerror or 'it cannot be read').lower()}",
                    statement.span,
                    notes=f"the path is looked up beside the program: `{path}`",
                )
            )
            return
        for name, content in files:
            identity = realpath(name)
            if identity not in self.seen:
                self.seen.add(identity)
                self._add_file(name, content, statement)

    def _add_file(self, name: str, content: bytes, statement: Import) -> None:
        source = Source(name, content.decode("utf-8", "surrogateescape"), statement.span)
        try:
            imported = syntax.parse(source)
        except CompileError as problem:
            self.found += problem.diagnostics
            return
        for entry in imported.config[:1]:
            self.found.append(
                error(
                    "bad-import",
                    "settings can only be made by the program itself, not by a file that it imports",
                    entry.span,
                    labels=[(statement.span, "imported here")],
                    help="move the config block there",
                )
            )
        self.add(imported)

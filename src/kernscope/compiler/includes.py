"""`#include` and `--include`: the definitions of C headers, put where the directive stands.

`"name.h"` is looked up beside the file that names it, in the current folder, and in the folders of `-I`;
`<name.h>` in those folders and then in /usr/include. A header that the program or its command line chose must be
there and must be readable. Of one of the system, all that can be read is taken (functions and conditions on the
compiler cannot), and its types are used where the kernel does not describe them; one that is not there is left out:
the kernel describes its own types, so most programs need such a header for nothing. What they do need, names that
only the kernel's internal headers define, is in `kernscope.tables.header_names`.
"""

from collections.abc import Callable, Sequence

from kernscope import syntax
from kernscope.diagnostics import CompileError, Diagnostic, Source, Span, error
from kernscope.syntax.ast import CDefinition, Define, Directive, HeaderTypes, Program

__all__ = ["SYSTEM_DIRS", "with_includes"]

SYSTEM_DIRS = ("/usr/include",)
_MOST_BYTES = 16 << 20

ReadFile = Callable[[str], bytes]
"""The content of a path. Raises OSError."""


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(_MOST_BYTES)


def with_includes(
    program: Program, include_dirs: Sequence[str], includes: Sequence[str], read: ReadFile = _read
) -> Program:
    """The program with the definitions of its headers. Raises CompileError."""
    reader = _Reader(include_dirs, read)
    definitions: list[CDefinition] = []
    start = Span(program.span.source, 0, 0)
    for name in includes:
        definitions += reader.header(name, quoted=True, span=start)
    definitions += reader.expanded(program.c_definitions)
    if reader.found:
        raise CompileError(reader.found)
    program.c_definitions = definitions
    return program


class _Reader:
    def __init__(self, include_dirs: Sequence[str], read: ReadFile) -> None:
        self.dirs, self.read = list(include_dirs), read
        self.found: list[Diagnostic] = []
        self.seen: set[str] = set()
        self.has_kernel_names = False
        self.chosen = True
        """Whether what is read now was chosen by the program, or by a header of the system."""

    def expanded(self, nodes: list[CDefinition]) -> list[CDefinition]:
        """The definitions, with headers in the place of `#include`."""
        result: list[CDefinition] = []
        for node in nodes:
            if not (isinstance(node, Directive) and node.name == "include"):
                result.append(node)
                continue
            text = node.text.strip()
            name = text[1:-1]
            if len(text) < 3 or text[0] + text[-1] not in ('""', "<>"):
                if self.chosen:
                    self._refuse('a header\'s name stands in quotes: `#include "name.h"`', node.span)
            else:
                if text[0] == "<":
                    result += self._kernel_names(name, node.span)
                result += self.header(name, quoted=text[0] == '"', span=node.span)
        return result

    def header(self, name: str, *, quoted: bool, span: Span) -> list[CDefinition]:
        """What a header defines; nothing if it has been read before."""
        chosen = self._candidates(name, span) if quoted else self._in_dirs(name)
        for path in chosen:
            content = self._content(path)
            if content is not None:
                return self._parsed(path, content, span, must=True)
        if quoted and name[:1] != "/":
            chosen += [f"{folder}/{name}" for folder in SYSTEM_DIRS]
        for folder in SYSTEM_DIRS:
            content = self._content(f"{folder}/{name}")
            if content is not None:
                return self._parsed(f"{folder}/{name}", content, span, must=False)
        if quoted and self.chosen:
            self._refuse(
                f"there is no header `{name}`", span, f"looked for: {', '.join(f'`{p}`' for p in chosen)}"
            )
        return []

    def _in_dirs(self, name: str) -> list[str]:
        return [f"{folder}/{name}" for folder in self.dirs]

    def _candidates(self, name: str, span: Span) -> list[str]:
        if name[:1] == "/":
            return [name]
        beside = span.source.name.rpartition("/")[0]
        return [f"{beside}/{name}"] * bool(beside) + [name, *self._in_dirs(name)]

    def _content(self, path: str) -> bytes | None:
        try:
            return self.read(path)
        except OSError:
            return None

    def _parsed(self, path: str, content: bytes, span: Span, *, must: bool) -> list[CDefinition]:
        from os.path import realpath

        identity = realpath(path)
        if identity in self.seen:
            return []
        self.seen.add(identity)
        source = Source(path, content.decode("utf-8", "surrogateescape"), span)
        if not (must and self.chosen):
            return self._of_system(source, span)
        try:
            return self.expanded(syntax.parse(source).c_definitions)
        except CompileError as problem:
            self.found += problem.diagnostics
            return []

    def _of_system(self, source: Source, span: Span) -> list[CDefinition]:
        from kernscope.syntax.parse_header import parse_header

        definitions = parse_header(source)
        lines: list[CDefinition] = [node for node in definitions if isinstance(node, Define | Directive)]
        types = [node for node in definitions if not isinstance(node, Define | Directive)]
        outer, self.chosen = self.chosen, False
        names = self.expanded(lines)
        self.chosen = outer
        return [*names, *([HeaderTypes(source.name, types, span)] if types else [])]

    def _kernel_names(self, name: str, span: Span) -> list[CDefinition]:
        """Names that the kernel's internal headers define, which are seldom there."""
        if self.has_kernel_names or not name.startswith(("linux/", "net/", "asm/")):
            return []
        from kernscope.tables.header_names import HEADER_NAMES

        self.has_kernel_names = True
        return [Define(known, None, str(value), span) for known, value in HEADER_NAMES.items()]

    def _refuse(self, message: str, span: Span, note: str = "") -> None:
        self.found.append(
            error(
                "bad-import",
                message,
                span,
                notes=note or (),
                help="add its folder with `-I DIR`" if note else None,
            )
        )

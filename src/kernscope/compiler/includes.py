"""`#include` and `--include`: the definitions of C headers, put where the directive stands.

`"name.h"` is looked up beside the file that names it, in the current folder, and in the folders of `-I`;
`<name.h>` in those folders and then in /usr/include. A header that the program or its command line chose must be
there and must be readable; one of the system that is not there, or has what our parser does not know (functions,
conditions on the compiler), is left out, and only the `#define`s of others are taken: the kernel describes its own
types, so most programs need such a header for nothing.
"""

from collections.abc import Callable, Sequence

from kernscope import syntax
from kernscope.diagnostics import CompileError, Diagnostic, Source, Span, error
from kernscope.syntax.ast import CDefinition, Define, Directive, Program

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
                self._refuse('a header\'s name stands in quotes: `#include "name.h"`', node.span)
            else:
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
        if quoted:
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
        try:
            header = syntax.parse(Source(path, content.decode("utf-8", "surrogateescape"), span))
        except CompileError as problem:
            if must:
                self.found += problem.diagnostics
            return []
        if must:
            return self.expanded(header.c_definitions)
        # Its types are the kernel's, which describes them itself, and better.
        return self.expanded([n for n in header.c_definitions if isinstance(n, Define | Directive)])

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

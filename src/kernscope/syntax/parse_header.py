"""C headers that were not written for us: what can be read of them is, the rest is skipped.

A header of the system holds functions, attributes, conditions on the compiler and C that the preamble of a program
does not have. Each definition is tried by itself; where it fails, reading goes on behind it.
"""

from __future__ import annotations

from kernscope.diagnostics.diagnostic import CompileError
from kernscope.diagnostics.source import Source

from .cursor import Abort, Stop
from .lexer import skip_blank
from .node import CDefinition
from .parser import Parser

__all__ = ["parse_header"]

_WORDS = ("struct", "union", "enum", "typedef")
_MOST_LEVELS = 40
"""Definitions within each other that are worth a try."""


def parse_header(source: Source) -> list[CDefinition]:
    """The definitions and preprocessor lines of a header, as far as they can be read."""
    return _HeaderParser(source).parse_header()


class _HeaderParser(Parser):
    def parse_header(self) -> list[CDefinition]:
        text, found = self.source.text, self.program.c_definitions
        offset = 0
        while True:
            offset = skip_blank(text, offset)
            if offset >= len(text):
                return found
            known = len(found)
            end = self._try(offset, found)
            if self.diagnostics and text[offset] != "#":
                del found[known:]
                end = self._behind(offset)
            self.diagnostics.clear()
            offset = max(end, offset + 1)

    def _try(self, offset: int, found: list[CDefinition]) -> int:
        text = self.source.text
        self.depth = 0
        try:
            if text[offset] == "#":
                return self.parse_directive(offset, found)
            if text[offset] == ";":
                return offset + 1
            if (
                text.startswith(_WORDS, offset)
                and text.count("{", offset, self._behind(offset)) < _MOST_LEVELS
            ):
                return self.parse_c_definition(offset, found)
            return self._behind(offset)
        except (Stop, Abort, CompileError):
            return self._behind(offset) if text[offset] != "#" else self._line_end(offset)

    def _behind(self, offset: int) -> int:
        """The offset after the declaration at `offset`: after its `;`, or after the body of a function."""
        text, level, last = self.source.text, 0, ""
        function = False
        while offset < len(text):
            offset = skip_blank(text, offset)
            c = text[offset : offset + 1]
            if c == "#":
                offset = self._line_end(offset)
                continue
            if c in ('"', "'"):
                end = offset + 1
                while end < len(text) and text[end] not in (c, "\n"):
                    end += 2 if text[end] == "\\" else 1
                offset = end
            elif c in ("(", "{", "["):
                function = function or (level == 0 and c == "{" and last == ")")
                level += 1
            elif c in (")", "}", "]"):
                level -= 1
                if level <= 0 and c == "}" and function:
                    return offset + 1
            elif c == ";" and level <= 0:
                return offset + 1
            last = c
            offset += 1
        return len(text)

"""Macros and lists by name, and which of them the text of a file means.

The default rules are a set of their own: whatever names other files give to their macros and lists, these rules go on
to mean what they meant. All other files are one set, in which a later file changes what an earlier one defines; they
may use the names of the default rules that they do not define themselves.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernscope.detector.placed_text import PlacedText
from kernscope.detector.rule_files import is_default
from kernscope.detector.yaml_source import YamlScalar
from kernscope.diagnostics import Source, Span

__all__ = ["Definition", "ListDefinition", "MacroDefinition", "NameSpace", "NameSpaces"]


class ListDefinition:
    __slots__ = ("items", "name", "span")

    def __init__(self, name: str, items: list[YamlScalar], span: Span) -> None:
        self.name, self.items, self.span = name, items, span


class MacroDefinition:
    __slots__ = ("condition", "name", "span")

    def __init__(self, name: str, condition: PlacedText, span: Span) -> None:
        self.name, self.condition, self.span = name, condition, span


Definition = ListDefinition | MacroDefinition


class NameSpace:
    """What one set of files defines; `base`: where names are looked for that it does not define."""

    __slots__ = ("base", "lists", "macros")

    def __init__(self, base: NameSpace | None = None) -> None:
        self.base = base
        self.macros: dict[str, MacroDefinition] = {}
        self.lists: dict[str, ListDefinition] = {}

    def find_macro(self, name: str) -> MacroDefinition | None:
        return self.of_macro(name).macros.get(name)

    def find_list(self, name: str) -> ListDefinition | None:
        return self.of_list(name).lists.get(name)

    def of_macro(self, name: str) -> NameSpace:
        """Where a change to the macro belongs: where it is defined; here where it is not."""
        return self.base if self.base and name not in self.macros and name in self.base.macros else self

    def of_list(self, name: str) -> NameSpace:
        return self.base if self.base and name not in self.lists and name in self.base.lists else self

    def macro_names(self) -> list[str]:
        return [*self.macros, *(self.base.macros if self.base else ())]


class NameSpaces:
    """Of all files that were read."""

    def __init__(self) -> None:
        self.default = NameSpace()
        self.own = NameSpace(self.default)
        self._default_sources: set[Source] = set()

    def read(self, source: Source) -> None:
        """A file that will be read."""
        if is_default(source.name):
            self._default_sources.add(source)

    def of(self, source: Source) -> NameSpace:
        return self.default if source in self._default_sources else self.own

    def definitions(self) -> Iterator[Definition]:
        """All of them, lists first."""
        for space in (self.default, self.own):
            yield from space.lists.values()
        for space in (self.default, self.own):
            yield from space.macros.values()

    def hidden(self) -> Iterator[tuple[Definition, Definition]]:
        """Those of other files that have a default one's name, and that one."""
        for name, macro in self.own.macros.items():
            if name in self.default.macros:
                yield macro, self.default.macros[name]
        for name, words in self.own.lists.items():
            if name in self.default.lists:
                yield words, self.default.lists[name]

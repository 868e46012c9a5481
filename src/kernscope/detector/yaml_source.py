"""YAML as a tree whose nodes know their place in the file.

PyYAML (the extra `detect`) turns text into events; the tree is built here, so that nothing of YAML can make objects,
every node has a span, a key given twice is an error, and what would grow without bound (aliases of aliases, deep
nesting) ends early. A file that is broken somewhere is read again item by item, so that its other rules are found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from kernscope.diagnostics import Diagnostic, Source, Span, error

__all__ = [
    "YamlDocument",
    "YamlList",
    "YamlMap",
    "YamlMissing",
    "YamlNode",
    "YamlScalar",
    "decode",
    "read_documents",
    "read_yaml",
]

MOST_CHARACTERS = 4 << 20
MOST_NODES = 200_000
"""Of one file, aliases written out."""
MOST_NESTING = 32
_MOST_ERRORS = 100
_MOST_ITEMS_APART = 20_000
"""Each costs a parser of its own."""
_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map")
) | {None, "!"}
# What YAML 1.2 does not allow in a stream (production `c-printable`), and lone surrogates: bytes that are not UTF-8.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class YamlMissing(Exception):
    """PyYAML is not installed."""

    def __str__(self) -> str:
        how = "`apt install python3-yaml`, or `pip install 'kernscope[detect]'`"
        return f"rules are YAML, and PyYAML is not installed: {how}"


class YamlScalar:
    """A text; `plain` where it was not quoted, so that `true` can be a truth value."""

    __slots__ = ("plain", "size", "span", "value")

    def __init__(self, value: str, plain: bool, span: Span) -> None:
        self.value, self.plain, self.span = value, plain, span
        self.size = 1


class YamlList:
    __slots__ = ("items", "size", "span")

    def __init__(self, span: Span) -> None:
        self.items: list[YamlNode] = []
        self.span = span
        self.size = 1


class YamlMap:
    """`keys` holds the places of the keys."""

    __slots__ = ("entries", "keys", "size", "span")

    def __init__(self, span: Span) -> None:
        self.entries: dict[str, YamlNode] = {}
        self.keys: dict[str, Span] = {}
        self.span = span
        self.size = 1


YamlNode = YamlScalar | YamlList | YamlMap


class YamlDocument:
    """The items of a file's list, and what was wrong; an item in which something was wrong is not among them."""

    __slots__ = ("diagnostics", "items")

    def __init__(self) -> None:
        self.items: list[YamlNode] = []
        self.diagnostics: list[Diagnostic] = []


class _Stop(Exception):
    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic


def decode(name: str, content: bytes) -> Source:
    """A file's text; what is not UTF-8 is found by `read_yaml`."""
    return Source(name, content.decode("utf-8", "surrogateescape").removeprefix("\ufeff"))


def read_yaml(source: Source) -> YamlDocument:
    """The items of the list that the file is. Raises YamlMissing; everything else is in `diagnostics`."""
    yaml = _yaml()
    document = YamlDocument()
    if _too_large(source, document):
        return document
    try:
        _read(yaml, source, 0, len(source.text), document)
    except _Stop as stop:
        document = YamlDocument()
        _read_apart(yaml, source, document)
        if not document.diagnostics:
            document.diagnostics.append(stop.diagnostic)
    return document


def _too_large(source: Source, document: YamlDocument) -> bool:
    """Whether the file is too large to be read, which is said in `document`."""
    if len(source.text) <= MOST_CHARACTERS:
        return False
    message = f"`{source.name}` is larger than {MOST_CHARACTERS >> 20} MiB"
    document.diagnostics.append(error("bad-yaml", message, Span(source, 0, 1)))
    return True


def read_documents(source: Source) -> YamlDocument:
    """The documents of a file, whatever they are. Raises YamlMissing; everything else is in `diagnostics`."""
    yaml = _yaml()
    documents = YamlDocument()
    if _too_large(source, documents):
        return documents
    try:
        _read(yaml, source, 0, len(source.text), documents, whole=True)
    except _Stop as stop:
        documents.diagnostics.append(stop.diagnostic)
    return documents


def _yaml() -> Any:
    try:
        return import_module("yaml")
    except ImportError:
        raise YamlMissing from None


def _read_apart(yaml: Any, source: Source, document: YamlDocument) -> None:
    """Each `- …` of the outermost list on its own."""
    first = re.search(r"^([ \t]*)-(?=\s)", source.text, re.MULTILINE)
    if first is None:
        return
    pattern = re.compile(rf"^{first.group(1)}-(?=\s)", re.MULTILINE)
    starts = [match.start() for match in pattern.finditer(source.text)]
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(source.text)])):
        try:
            _read(yaml, source, start, end, document)
        except _Stop as stop:
            document.diagnostics.append(stop.diagnostic)
        if len(document.diagnostics) >= _MOST_ERRORS or number >= _MOST_ITEMS_APART:
            message = "too much is wrong here: the rest of the file is not read"
            document.diagnostics.append(error("bad-yaml", message, Span(source, end, end)))
            return


def _read(
    yaml: Any, source: Source, start: int, end: int, document: YamlDocument, whole: bool = False
) -> None:
    """Read a part of the text. Raises _Stop where it cannot be read on."""
    text = source.text[start:end]
    bad = _UNPRINTABLE.search(text)
    if bad is not None:
        code = ord(bad.group())
        what = (
            f"the byte 0x{code - 0xDC00:02x} is not UTF-8"
            if 0xDC80 <= code < 0xDD00
            else "a control character cannot stand in YAML"
        )
        place = Span(source, start + bad.start(), start + bad.end())
        raise _Stop(error("bad-yaml", what, place))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder(yaml, source, start, document)
    try:
        builder.stream(yaml.parse(text, Loader=loader), whole)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        offset = min(start + (mark.index if mark else 0), end)
        message = " ".join(filter(None, (problem.context, problem.problem)))
        raise _Stop(error("bad-yaml", f"not YAML: {message}", Span(source, offset, offset + 1))) from None
    except yaml.YAMLError as problem:
        raise _Stop(error("bad-yaml", f"not YAML: {problem}", Span(source, start, start + 1))) from None


class _Builder:
    """Events → nodes."""

    def __init__(self, yaml: Any, source: Source, base: int, document: YamlDocument) -> None:
        self.yaml, self.source, self.base, self.document = yaml, source, base, document
        self.anchors: dict[str, YamlNode | None] = {}
        self.total = 0

    def span(self, event: Any) -> Span:
        start = self.base + event.start_mark.index
        return Span(self.source, start, max(start + 1, self.base + event.end_mark.index))

    def report(self, message: str, span: Span, help: str | None = None) -> None:
        self.document.diagnostics.append(error("bad-yaml", message, span, help=help))

    def stream(self, events: Iterator[Any], whole: bool) -> None:
        """`whole`: each document is one item, otherwise each is a list of items."""
        yaml = self.yaml
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.anchors.clear()
                if whole:
                    self.item(next(events), events)
                else:
                    self.outermost(next(events), events)

    def outermost(self, event: Any, events: Iterator[Any]) -> None:
        yaml = self.yaml
        if isinstance(event, yaml.ScalarEvent) and not event.value:
            return  # an empty file
        if not isinstance(event, yaml.SequenceStartEvent):
            help = "begin each rule, macro and list with `- `"
            self.report("a rule file is a list", self.span(event), help)
            if not isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
                self.node(event, events, 1)
            return
        for item in events:
            if isinstance(item, yaml.SequenceEndEvent):
                return
            self.item(item, events)

    def item(self, event: Any, events: Iterator[Any]) -> None:
        before = len(self.document.diagnostics)
        node = self.node(event, events, 1)
        if len(self.document.diagnostics) == before:
            self.document.items.append(node)

    def node(self, event: Any, events: Iterator[Any], depth: int) -> YamlNode:
        yaml = self.yaml
        if depth > MOST_NESTING:
            message = f"more than {MOST_NESTING} lists and mappings are nested here"
            raise _Stop(error("bad-yaml", message, self.span(event)))
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event)
        if event.tag not in _TAGS:
            self.report(f"the tag `{event.tag}` is not allowed in rules", self.span(event))
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.count(1, event)
        node: YamlNode
        if isinstance(event, yaml.ScalarEvent):
            node = YamlScalar(event.value, event.style in (None, "") and event.tag is None, self.span(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self.list(event, events, depth)
        else:
            node = self.map(event, events, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def list(self, event: Any, events: Iterator[Any], depth: int) -> YamlList:
        node = YamlList(self.span(event))
        for item in events:
            if isinstance(item, self.yaml.SequenceEndEvent):
                node.span = node.span.to(self.span(item))
                break
            child = self.node(item, events, depth + 1)
            node.items.append(child)
            node.size += child.size
        return node

    def map(self, event: Any, events: Iterator[Any], depth: int) -> YamlMap:
        node = YamlMap(self.span(event))
        for item in events:
            if isinstance(item, self.yaml.MappingEndEvent):
                break
            key = self.node(item, events, depth + 1)
            child = self.node(next(events), events, depth + 1)
            node.size += key.size + child.size
            if not isinstance(key, YamlScalar):
                self.report("a key is a word", key.span)
            elif key.value in node.entries:
                self.report(f"the key `{key.value}` is given twice", key.span)
            else:
                node.entries[key.value] = child
                node.keys[key.value] = key.span
        return node

    def alias(self, event: Any) -> YamlNode:
        node = self.anchors.get(event.anchor)
        if node is None:
            what = "contains itself" if event.anchor in self.anchors else "is not defined"
            raise _Stop(error("bad-yaml", f"the alias `*{event.anchor}` {what}", self.span(event)))
        self.count(node.size, event)
        return node

    def count(self, size: int, event: Any) -> None:
        self.total += size
        if self.total > MOST_NODES:
            message = f"more than {MOST_NODES} values when aliases are written out"
            raise _Stop(error("bad-yaml", message, self.span(event)))

"""What all nodes of the syntax tree have in common, and walks over them."""

from __future__ import annotations

from kernscope.diagnostics.source import Span

TYPE_CHECKING = False  # collections.abc costs 2 ms to import; checkers take the name for true
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "CDefinition",
    "Expr",
    "Node",
    "Statement",
    "children",
    "same",
    "walk",
]


class Node:
    """Anything with a place in the text."""

    __slots__ = ("span",)
    __match_args__: tuple[str, ...] = ()
    span: Span

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__name__}({fields})"


class Expr(Node):
    """Anything with a value."""

    __slots__ = ()


class Statement(Node):
    """What stands in a block."""

    __slots__ = ()


class CDefinition(Node):
    """A preprocessor line or a C type definition."""

    __slots__ = ()


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below, in the order of the fields."""
    for name in node.__match_args__:
        value = getattr(node, name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, Node):
                    yield item


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, parents first, without recursion."""
    stack = [node]
    while stack:
        top = stack.pop()
        yield top
        stack.extend(reversed(list(children(top))))


def same(left: object, right: object) -> bool:
    """Whether two trees (or lists of them, or plain values) have the same content, spans aside."""
    stack = [(left, right)]
    while stack:
        a, b = stack.pop()
        if isinstance(a, Node):
            if type(a) is not type(b):
                return False
            stack.extend((getattr(a, name), getattr(b, name)) for name in a.__match_args__)
        elif isinstance(a, list):
            if not isinstance(b, list) or len(a) != len(b):
                return False
            stack.extend(zip(a, b))
        elif type(a) is not type(b) or a != b:
            return False
    return True

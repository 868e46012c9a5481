"""A tree as indented text: one node per line, plain fields behind its name, child nodes below.

A child that is the only one of its field carries the field's name; the members of a list do not.
"""

from .definitions import AttachPoint
from .expressions import BoolLiteral, StringLiteral, TypeExpr
from .literals import encode_string
from .node import Node

__all__ = ["dump"]

# Fields that only repeat what another one says.
_LEFT_OUT = {"IntLiteral": ("text",), "AttachPoint": ("provider", "args", "text")}


def _plain(name: str, value: object) -> str:
    if isinstance(value, bool):
        return name if value else ""
    if isinstance(value, str):
        bare = value.isidentifier() or not value.strip("+-*/%&|^~!<>=")
        return value if bare else encode_string(value)
    return str(value)


def _type_head(node: TypeExpr) -> str:
    sizes = "".join(["[]" if size is None else f"[{size}]" for size in node.dims])
    return " ".join([word for word in ("TypeExpr", node.tag, node.name, "*" * node.pointers, sizes) if word])


def _head(node: Node) -> str:
    """The node's class and plain fields."""
    if isinstance(node, TypeExpr):
        return _type_head(node)
    if isinstance(node, StringLiteral):
        return f"StringLiteral {encode_string(node.value)}"
    if isinstance(node, BoolLiteral):
        return f"BoolLiteral {str(node.value).lower()}"
    words = [type(node).__name__]
    if isinstance(node, AttachPoint):
        words.append(node.text or ":".join([node.provider, *node.args]))
    left_out = _LEFT_OUT.get(words[0], ())
    for name in node.__match_args__:
        value = getattr(node, name)
        if name in left_out or value is None or isinstance(value, Node):
            continue
        if isinstance(value, list):
            if value and not isinstance(value[0], Node):
                words.append(name + "=[" + ", ".join([str(item) for item in value]) + "]")
        elif name in ("label", "bits"):
            words.append(f"{name}={value}")
        else:
            words.append(_plain(name, value))
    return " ".join([word for word in words if word])


def dump(node: Node) -> str:
    """The tree as indented text."""
    lines: list[str] = []
    stack: list[tuple[Node, str, str]] = [(node, "", "")]
    while stack:
        top, indent, field = stack.pop()
        lines.append(f"{indent}{field}{_head(top)}")
        below: list[tuple[Node, str, str]] = []
        for name in top.__match_args__:
            value = getattr(top, name)
            if isinstance(value, Node):
                below.append((value, indent + "  ", name + ": "))
            elif isinstance(value, list):
                below += [(item, indent + "  ", "") for item in value if isinstance(item, Node)]
        stack.extend(reversed(below))
    return "\n".join(lines) + "\n"

"""Text of the bpftrace language to a syntax tree, and back."""

from . import ast
from .parser import parse, parse_expression

__all__ = ["ast", "dump", "parse", "parse_expression", "print_program"]


def print_program(program: ast.Program) -> str:
    """The program as text that parses to the same tree."""
    from .printer import print_program as write

    return write(program)


def dump(node: ast.Node) -> str:
    """The tree as indented text."""
    from .treetext import dump as write

    return write(node)

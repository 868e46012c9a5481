"""Text of the bpftrace language to a syntax tree, and back."""

from . import ast

__all__ = ["ast"]

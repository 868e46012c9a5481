"""Sorted blocks and dominators, for the passes that walk definitions before uses."""

from kernscope.ssa import analysis
from kernscope.ssa.ir import Function

__all__ = ["BREAKS", "GIVES", "REQUIRES", "run"]

REQUIRES: tuple[str, ...] = ()
GIVES: tuple[str, ...] = ("sorted", "dominators")
BREAKS: tuple[str, ...] = ()


def run(f: Function) -> None:
    """Sort blocks and find dominators."""
    analysis.sort_blocks(f)
    analysis.find_dominators(f)
